"""git_commit refuses what would put a credential into the history."""

from collections.abc import Callable

import pytest
from tests.unit.core.secret_lines import drawn, pem

from codeflow.core.redaction import Redactor
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
