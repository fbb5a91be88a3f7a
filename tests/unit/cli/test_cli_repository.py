import subprocess

import pytest

from codeflow.cli.replay import say_if_moved
from codeflow.cli.repository import head_commit, start_repository
from codeflow.core.errors import CodeflowError


def test_a_started_repository_has_everything_committed(tmp_path):
    (tmp_path / "a.py").write_text("a = 1\n")
    assert head_commit(tmp_path) is None
    start_repository(tmp_path)
    head = head_commit(tmp_path)
    assert head
    assert len(head) == 40
    status = ["git", "-C", str(tmp_path), "status", "--porcelain"]
    assert subprocess.run(status, capture_output=True, check=True).stdout == b""


def test_a_repository_that_cannot_be_made_is_a_fault(tmp_path):
    with pytest.raises(CodeflowError, match="git init"):
        start_repository(tmp_path / "missing")


def test_a_machine_without_git_is_a_fault_and_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert head_commit(tmp_path) is None
    with pytest.raises(CodeflowError, match="git was not found"):
        start_repository(tmp_path)


def test_a_replay_on_another_commit_says_so(tmp_path, capsys):
    (tmp_path / "a.py").write_text("a = 1\n")
    start_repository(tmp_path)
    say_if_moved(head_commit(tmp_path), tmp_path)
    say_if_moved(None, tmp_path)
    assert capsys.readouterr().err == ""
    say_if_moved("f" * 40, tmp_path)
    assert "recorded on commit ffffffffffff" in capsys.readouterr().err
