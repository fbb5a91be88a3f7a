"""git_commit refuses what would put a credential into the history."""

import contextlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.core.secret_lines import drawn, pem

from codeflow.core.redaction import Redactor
from codeflow.tools import git_secrets
from codeflow.tools.registry import TOOLS
from codeflow.tools.workspace import Workspace

TOKEN = "ghp_" + drawn(36)
Git = Callable[..., str]


async def commit(ws: Workspace, *paths: str, message: str = "change"):
    return await TOOLS["git_commit"].function(ws, message, list(paths), on_protected=True)


@pytest.fixture
def repository(ws: Workspace, git: Git) -> Workspace:
    (ws.root / "a.py").write_text("a = 1\nb = 2\n")
    git("add", "-A")
    git("commit", "-qm", "begin")
    return ws


@pytest.mark.parametrize("name", ["a.py", "new.py", "sub/ä b.py"])
async def test_an_added_credential_is_refused_by_place_and_kind(repository: Workspace, git: Git, name: str):
    file = repository.root / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"a = 1\nb = 2\ntoken = '{TOKEN}'\n")
    done = await commit(repository, name)
    assert done.is_error
    assert f"{name}:3: github-token" in done.content
    assert "environment or from a file that git ignores" in done.content
    assert TOKEN not in done.content
    assert git("log", "--format=%s").split() == ["begin"]
    assert git("diff", "--cached", "--name-only") == ""


async def test_the_first_commit_and_a_key_over_many_lines(ws: Workspace, git: Git):
    (ws.root / "deploy.txt").write_text(f"x\n{pem()}\n")
    done = await commit(ws, "deploy.txt")
    assert "deploy.txt:2: private-key" in done.content
    git("add", "-A")
    assert "deploy.txt:2: private-key" in (await commit(ws, "deploy.txt")).content


async def test_only_added_lines_count(repository: Workspace, git: Git):
    (repository.root / "old.py").write_text(f"t = '{TOKEN}'\n\n\n")
    git("add", "-A")
    git("commit", "-qm", "a person did this")
    (repository.root / "old.py").write_text(f"t = '{TOKEN}'\n\n\nb = 3\n")
    assert not (await commit(repository, "old.py")).is_error
    (repository.root / "old.py").write_text("b = 3\n")
    assert not (await commit(repository, "old.py")).is_error


@pytest.mark.parametrize("marker", ["# pragma: allowlist secret", "# gitleaks:allow"])
async def test_the_user_can_let_a_line_pass(repository: Workspace, marker: str):
    (repository.root / "a.py").write_text(f"t = '{TOKEN}'  {marker}\n")
    assert not (await commit(repository, "a.py")).is_error


async def test_no_marker_lets_a_value_of_this_process_pass(repository: Workspace):
    repository.redactor = Redactor({"DEPLOY_TOKEN": "correct-horse-7"})
    (repository.root / "a.py").write_text("t = 'correct-horse-7'  # pragma: allowlist secret\n")
    assert "a.py:1: environment" in (await commit(repository, "a.py")).content


async def test_the_message_counts_too(repository: Workspace):
    (repository.root / "a.py").write_text("a = 3\n")
    assert "the message: github-token" in (await commit(repository, "a.py", message=f"use {TOKEN}")).content


ATTRIBUTES = [
    "*.py -diff",
    "*.py binary",
    "*.py diff=none",
    "* -text -diff -merge",
    "[attr]gone -diff\n*.py gone",
]


@pytest.mark.parametrize("attributes", ATTRIBUTES)
async def test_attributes_hide_no_change(repository: Workspace, git: Git, attributes: str):
    (repository.root / ".gitattributes").write_text(f"{attributes}\n")
    git("config", "diff.none.textconv", "true")
    (repository.root / "a.py").write_text(f"a = 1\nb = '{TOKEN}'\n")
    assert "a.py:2: github-token" in (await commit(repository, "a.py")).content
    assert git("log", "--format=%s").split() == ["begin"]


@pytest.mark.parametrize(
    "content",
    [
        b"x\0y\n" + TOKEN.encode() + b"\n",
        TOKEN.encode("utf-16"),
        f"{TOKEN[:9]}\u200b{TOKEN[9:]}".encode(),
        f"{TOKEN[:9]}\r{TOKEN[9:]}".encode(),
    ],
)
async def test_bytes_that_are_no_text_hide_nothing(repository: Workspace, git: Git, content: bytes):
    for name in ("b.dat", "a.py"):
        (repository.root / name).write_bytes(content)
        assert "github-token" in (await commit(repository, name)).content
    assert git("log", "--format=%s").split() == ["begin"]


async def test_what_a_filter_makes_of_a_file_is_searched(repository: Workspace, git: Git):
    git("config", "filter.turn.clean", "tr 'A-Za-z' 'N-ZA-Mn-za-m'")
    (repository.root / ".gitattributes").write_text("*.enc filter=turn\n")
    turned = str.maketrans(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        "NOPQRSTUVWXYZABCDEFGHIJKLMnopqrstuvwxyzabcdefghijklm",
    )
    (repository.root / "x.enc").write_text(TOKEN.translate(turned))
    assert "x.enc:1: github-token" in (await commit(repository, "x.enc")).content


async def test_the_target_of_a_link_is_committed_and_searched(repository: Workspace):
    (repository.root / "link").symlink_to(TOKEN)
    assert "link:1: github-token" in (await commit(repository, ".")).content


async def test_nothing_is_left_of_a_refused_commit(repository: Workspace, git: Git):
    (repository.root / "a.py").write_text(f"t = '{TOKEN}'\n")
    before = git("count-objects", "-v"), git("status", "--short")
    assert (await commit(repository, "a.py")).is_error
    assert (git("count-objects", "-v"), git("status", "--short")) == before


async def test_where_git_fails_nothing_is_committed(repository: Workspace, git: Git):
    (repository.root / "a.py").write_text("a = 3\n")
    blob = git("rev-parse", "HEAD:a.py").strip()
    (Path(repository.root) / ".git/objects" / blob[:2] / blob[2:]).unlink()
    done = await commit(repository, "a.py")
    assert done.is_error
    assert git("log", "--format=%s").split() == ["begin"]


async def test_more_than_can_be_searched_is_refused(
    repository: Workspace, git: Git, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(git_secrets, "_MOST_BYTES", 1_000_000)
    (repository.root / "large.txt").write_text("x = 1\n" * 200_000)
    done = await commit(repository, "large.txt")
    assert "more than 1 MB" in done.content
    assert git("log", "--format=%s").split() == ["begin"]


async def test_other_staged_files_are_not_searched(repository: Workspace, git: Git):
    (repository.root / "other.py").write_text(f"t = '{TOKEN}'\n")
    git("add", "other.py")
    (repository.root / "a.py").write_text("a = 3\n")
    assert not (await commit(repository, "a.py")).is_error
    assert git("show", "--format=", "--name-only").split() == ["a.py"]
    assert git("diff", "--cached", "--name-only").split() == ["other.py"]


async def test_a_merge_is_searched_whole_but_for_what_was_merged(repository: Workspace, git: Git):
    git("switch", "-qc", "theirs")
    (repository.root / "a.py").write_text("a = 2\n")
    (repository.root / "old.py").write_text(f"t = '{TOKEN}'\n")
    git("add", "-A")
    git("commit", "-qm", "theirs")
    git("switch", "-q", "-")
    (repository.root / "a.py").write_text("a = 3\n")
    git("commit", "-qam", "ours")
    with contextlib.suppress(subprocess.CalledProcessError):  # there is a conflict
        git("merge", "--no-commit", "theirs")
    (repository.root / "a.py").write_text("a = 4\n")
    (repository.root / "old.py").write_text(f"x = '{TOKEN}y'\nt = '{TOKEN}'\nu = '{TOKEN}z'\n")
    refused = await commit(repository, "a.py", "old.py")
    assert "old.py:1: github-token\nold.py:3: github-token\n" in refused.content
    (repository.root / "old.py").write_text(f"t = '{TOKEN}'\n")
    (repository.root / "new.py").write_text(f"u = '{TOKEN}'\n")
    git("add", "new.py")
    refused = await commit(repository, "a.py")
    assert "new.py:1: github-token" in refused.content
    assert "old.py" not in refused.content
    git("rm", "-q", "--cached", "new.py")
    assert not (await commit(repository, "a.py")).is_error
    assert len(git("log", "-1", "--format=%P").split()) == 2


@pytest.mark.parametrize("name", [".env", "sub/deploy.key", "store/.npmrc"])
async def test_a_new_file_that_is_there_to_hold_credentials_is_refused(
    repository: Workspace, git: Git, name: str
):
    file = repository.root / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("DB_PASS=x9\n//registry/:_auth=x9\n")
    done = await commit(repository, name)
    assert done.is_error
    assert f"{name}: a" in done.content
    assert "tools.readable_secrets" in done.content
    assert git("log", "--format=%s").split() == ["begin"]


@pytest.mark.parametrize(
    ("name", "text"), [(".env.example", "DB_PASS=\n"), (".npmrc", "engine-strict=true\n")]
)
async def test_one_that_holds_none_is_committed(repository: Workspace, name: str, text: str):
    (repository.root / name).write_text(text)
    assert not (await commit(repository, name)).is_error


async def test_one_that_was_tracked_before_or_that_the_user_allows_is_committed(
    repository: Workspace, git: Git
):
    (repository.root / ".env").write_text("A=1\n")
    git("add", "-f", ".env")
    git("commit", "-qm", "a person did this")
    (repository.root / ".env").write_text("A=2\n")
    assert not (await commit(repository, ".env")).is_error
    repository.settings = repository.settings.model_copy(update={"readable_secrets": ["test.env"]})
    (repository.root / "test.env").write_text("A=2\n")
    assert not (await commit(repository, "test.env")).is_error


async def test_a_credential_as_a_files_name_is_refused(repository: Workspace):
    (repository.root / TOKEN).write_text("")
    done = await commit(repository, TOKEN)
    assert "the name of a new file: github-token" in done.content
    assert TOKEN not in done.content
