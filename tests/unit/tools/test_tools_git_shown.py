"""Git shows no file that read_file refuses, whatever commit or patch it stands in."""

import subprocess
from collections.abc import Callable

import pytest

from codeflow.tools.registry import TOOLS
from codeflow.tools.workspace import Workspace

VALUE = "Tr0ub4dor&3"
Git = Callable[..., str]


async def content(ws: Workspace, name: str, **arguments: object) -> str:
    result = await TOOLS[name].function(ws, **arguments)
    assert VALUE not in result.content
    return result.content


@pytest.fixture
def tracked(ws: Workspace, git: Git) -> Workspace:
    for name in (".env", "own.pem", "a.txt", "sub/prod.env", "c ä.key"):
        (ws.root / name).parent.mkdir(exist_ok=True)
        (ws.root / name).write_text("begin\n")
    git("add", "-A")
    git("commit", "-qm", "begin")
    (ws.root / ".env").write_text(f"PIN={VALUE}\n")
    (ws.root / "sub/prod.env").write_text(f"PIN={VALUE}\n")
    (ws.root / "c ä.key").write_text(f"{VALUE}\n")
    (ws.root / "own.pem").write_text("-----BEGIN PRIVATE " + f"KEY-----\n{VALUE}\n")
    (ws.root / "a.txt").write_text("changed\n")
    return ws


async def test_patches_name_them_and_show_the_rest(tracked: Workspace, git: Git):
    async def all_of(name: str, **arguments: object) -> None:
        text = await content(tracked, name, **arguments)
        assert "+changed" in text
        assert "[.env is an environment file and is not shown]" in text
        assert "[own.pem is a private key and is not shown]" in text
        assert "sub/prod.env is an environment file" in text
        assert text.count("is not shown]") == 4

    await all_of("git_diff")
    await all_of("git_diff", ref="HEAD")
    git("stash", "push", "-q")
    await all_of("git_stash", action="show")
    git("stash", "pop", "-q")
    git("config", "diff.noprefix", "true")
    git("config", "diff.mnemonicPrefix", "true")
    await all_of("git_diff")
    git("commit", "-qam", "change")
    await all_of("git_show")
    await all_of("git_show", ref="HEAD", path=".")
    git("mv", ".env", "plain.txt")
    (tracked.root / "plain.txt").write_text(f"PIN={VALUE}\nA=1\n")
    assert "is not shown]" in await content(tracked, "git_diff", ref="HEAD")


@pytest.mark.parametrize(
    "ref", ["HEAD:.env", ":.env", ":0:.env", "HEAD:./.env", "HEAD:own.pem", "HEAD:sub/prod.env"]
)
async def test_a_file_of_a_commit_is_refused(tracked: Workspace, git: Git, ref: str):
    git("add", "-A")
    git("commit", "-qm", "change")
    assert "and is not shown. Ask the user" in await content(tracked, "git_show", ref=ref)


async def test_an_object_without_a_name_is_refused_and_others_are_shown(tracked: Workspace, git: Git):
    git("commit", "-qam", "change")
    blob = git("rev-parse", "HEAD:.env").strip()
    for name in (blob, blob[:8]):
        assert "show it as COMMIT:PATH" in await content(tracked, "git_show", ref=name)
    assert await content(tracked, "git_show", ref="HEAD:a.txt") == "changed"
    assert "prod.env" in await content(tracked, "git_show", ref="HEAD:sub")
    assert "is not shown" in await content(tracked, "git_blame", path=".env")


async def test_the_end_of_a_long_patch_is_not_shown_under_another_name(
    make_workspace: Callable[..., Workspace], tracked: Workspace
):
    (tracked.root / ".env").write_text(f"PIN={VALUE}\n" * 2_000)
    small = make_workspace(limit=2_000)
    assert VALUE not in (await TOOLS["git_diff"].function(small)).content


async def test_a_conflict_in_one_is_named_only(tracked: Workspace, git: Git):
    git("commit", "-qam", "ours")
    git("switch", "-qc", "other", "HEAD~1")
    (tracked.root / ".env").write_text(f"PIN={VALUE}x\n")
    git("commit", "-qam", "theirs")
    with pytest.raises(subprocess.CalledProcessError):
        git("merge", "main")
    assert ".env is an environment file and is not shown" in await content(tracked, "git_conflicts")
