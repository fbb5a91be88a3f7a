"""In the middle of a rebase, cherry-pick or revert: said by name, and no commit holds half of it."""

import subprocess
from collections.abc import Callable

import pytest

from codeflow.core.values import ToolResult
from codeflow.tools.registry import TOOLS
from codeflow.tools.workspace import Workspace

Git = Callable[..., str]
TOKEN = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"


async def run(ws: Workspace, tool: str, /, **arguments: object) -> ToolResult:
    return await TOOLS[tool].function(ws, **arguments)


def save(ws: Workspace, git: Git, message: str, **texts: str) -> None:
    for name, text in texts.items():
        (ws.root / f"{name}.txt").write_text(text)
    git("add", ".")
    git("commit", "--quiet", f"--message={message}", "--author=Zoe <zoe@example.org>")


@pytest.fixture
def parted(ws: Workspace, git: Git) -> Workspace:
    """On work: both branches changed a.txt and b.txt, work added new.txt."""
    save(ws, git, "first", a="one\n", b="one\n")
    git("switch", "--quiet", "--create", "work")
    save(ws, git, "theirs", a="two\n", b="two\n", new="new\n")
    git("switch", "--quiet", "main")
    save(ws, git, "ours", a="three\n", b="three\n")
    git("switch", "--quiet", "work")
    return ws


def stop(git: Git, *command: str) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        git(*command)


async def test_a_rebase_is_named_and_no_half_of_a_commit_is_made(parted: Workspace, git: Git):
    stop(git, "rebase", "main")
    named = (
        "a rebase of work is under way. Resolve what git_conflicts shows by edit_file, then call git_commit"
    )
    assert named in (await run(parted, "git_status")).content
    assert named in (await run(parted, "git_conflicts")).content
    before = git("rev-parse", "HEAD")
    (parted.root / "a.txt").write_text("both\n")
    half = await run(parted, "git_commit", message="theirs", paths=["a.txt"])
    assert half.is_error
    assert half.content.startswith("There are unresolved conflicts.")
    assert git("rev-parse", "HEAD") == before
    (parted.root / "b.txt").write_text("both\n")
    whole = await run(parted, "git_commit", message="theirs", paths=["b.txt"])
    assert not whole.is_error
    assert whole.content.endswith(
        "[a rebase of work is still under way. Nothing is left to resolve: go on with run_command: git rebase "
        "--continue.]"
    )
    assert "Resolve what" not in (await run(parted, "git_status")).content
    assert "on no branch" not in whole.content
    git("rebase", "--continue")
    assert git("log", "-1", "--format=%an %s", "work").strip() == "Zoe theirs"
    assert git("show", "--format=", "--name-only", "work").split() == ["a.txt", "b.txt", "new.txt"]
    assert "under way" not in (await run(parted, "git_status")).content


@pytest.mark.parametrize(("command", "name"), [("cherry-pick", "main"), ("revert", "HEAD~1")])
async def test_a_pick_is_concluded_by_a_commit(parted: Workspace, git: Git, command: str, name: str):
    save(parted, git, "later", a="four\n")
    stop(git, command, name)
    status = (await run(parted, "git_status")).content
    assert f"[a {command} is under way. " in status
    assert status.endswith("which concludes it.]")
    files = [line[3:] for line in git("status", "--short").splitlines()]
    for file in files:
        if (parted.root / file).exists():
            (parted.root / file).write_text("both\n")
    done = await run(parted, "git_commit", message="picked", paths=files)
    assert not done.is_error, done.content
    assert "under way" not in done.content + (await run(parted, "git_status")).content
    assert git("log", "-1", "--format=%s").strip() == "picked"


async def test_a_merge_whose_conflicts_are_staged_has_nothing_to_resolve(parted: Workspace, git: Git):
    stop(git, "merge", "main")
    assert "[a merge is under way. Resolve what" in (await run(parted, "git_status")).content
    git("add", ".")
    assert "[a merge is under way. Nothing is left to resolve: call git_commit with" in (
        (await run(parted, "git_status")).content
    )


async def test_a_pick_of_several_commits_goes_on_after_the_first(parted: Workspace, git: Git):
    git("switch", "--quiet", "main")
    save(parted, git, "more", c="c\n")
    git("switch", "--quiet", "work")
    stop(git, "cherry-pick", "work..main")
    for file in ("a.txt", "b.txt"):
        (parted.root / file).write_text("both\n")
    done = await run(parted, "git_commit", message="picked", paths=["a.txt", "b.txt"])
    assert "It goes on with run_command: git cherry-pick --continue." in done.content
    git("cherry-pick", "--continue")
    assert git("log", "-1", "--format=%s").strip() == "more"


async def test_what_leaves_nothing_of_a_picked_commit_is_skipped(parted: Workspace, git: Git):
    stop(git, "cherry-pick", "main")
    for file in ("a.txt", "b.txt"):
        (parted.root / file).write_text("two\n")
    empty = await run(parted, "git_commit", message="picked", paths=["a.txt", "b.txt"])
    assert empty.is_error
    assert "git cherry-pick --skip" in empty.content


async def test_a_stop_to_change_a_commit_takes_the_named_files_only(parted: Workspace, git: Git):
    git("-c", "sequence.editor=sed -i s/^pick/edit/", "rebase", "--interactive", "HEAD~1")
    (parted.root / "a.txt").write_text("five\n")
    (parted.root / "b.txt").write_text("five\n")
    git("add", "b.txt")
    done = await run(parted, "git_commit", message="more", paths=["a.txt"])
    assert "a rebase of work is still under way. It goes on with run_command" in done.content
    assert git("show", "--format=", "--name-only").split() == ["a.txt"]


async def test_all_that_is_committed_is_searched_but_for_what_is_picked(parted: Workspace, git: Git):
    save(parted, git, "old", token=f"{TOKEN}\n", a="two more\n")
    stop(git, "rebase", "main")
    git("add", ".")
    stop(git, "-c", "core.editor=true", "rebase", "--continue")
    (parted.root / "a.txt").write_text("both\n")
    (parted.root / "b.txt").write_text(f"{TOKEN}\n")
    git("add", "b.txt")
    refusal = await run(parted, "git_commit", message="m", paths=["a.txt"])
    assert "would add credentials" in refusal.content
    assert "b.txt:1" in refusal.content
    assert "token.txt" not in refusal.content
