import subprocess

import pytest

from codeflow.core.errors import SessionError
from codeflow.sessions.checkpoints import Checkpoints


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda root: None, "is not in a git repository"),
        (
            lambda root: subprocess.run(["git", "init", "-q", "--bare", root], check=True),
            "bare git repository",
        ),
        (lambda root: (root / ".git").mkdir(), "git rev-parse failed"),
    ],
)
def test_where_there_can_be_no_checkpoints_the_reason_is_said(tmp_path, prepare, reason):
    root = tmp_path / "plain"
    root.mkdir()
    prepare(root)
    checkpoints = Checkpoints(root, "s1")
    assert reason in (checkpoints.unavailable or "")
    with pytest.raises(SessionError, match="no checkpoints: "):
        checkpoints.take("start")


def test_a_folder_that_its_repository_ignores_has_no_checkpoints(repo, git):
    (repo / ".gitignore").write_text("build/\n")
    (repo / "build" / "x").mkdir(parents=True)
    assert "is ignored by the repository" in (Checkpoints(repo / "build" / "x", "s1").unavailable or "")


def test_a_machine_without_git_has_no_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Checkpoints(tmp_path, "s1").unavailable == "git is not installed"
