import os
import subprocess
from pathlib import Path

import pytest

from codeflow.core.errors import SessionError
from codeflow.sessions.checkpoints import Checkpoints
from codeflow.sessions.heads import git_state, ways_back
from codeflow.sessions.repository import Project, Store


def test_where_there_can_be_no_checkpoints_the_reason_is_said(tmp_path, monkeypatch):
    bare, home = tmp_path / "bare", tmp_path / "users" / "ann"
    subprocess.run(["git", "init", "-q", "--bare", bare], check=True)
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    for root, reason in (
        (bare, "bare git repository"),
        (Path("/"), "is the root of the file system"),
        (home, "holds your home folder"),
        (home.parent, "holds your home folder"),
    ):
        checkpoints = Checkpoints(root, "s1")
        assert reason in (checkpoints.unavailable or "")
        with pytest.raises(SessionError, match="no checkpoints: "):
            checkpoints.take("start")


def test_a_folder_without_git_is_refused_when_it_is_more_than_a_project(tmp_path):
    packages = tmp_path / "big" / "node_modules"
    packages.mkdir(parents=True)
    for number in range(50_001):
        os.mknod(packages / str(number))
    assert Checkpoints(packages.parent, "s1").unavailable is None
    packages.rename(packages.with_name("data"))
    assert "more than 50,000 files" in (Checkpoints(packages.parent, "s1").unavailable or "")


@pytest.mark.parametrize("prepare", [
    lambda root: None,
    lambda root: (root / ".git").mkdir(),
    lambda root: subprocess.run(["git", "init", "-q", root.parent], check=True),
])  # fmt: skip
def test_without_a_repository_that_works_a_folder_is_covered_all_the_same(git, tmp_path, prepare):
    root = tmp_path / "plain"
    root.mkdir()
    (tmp_path / ".gitignore").write_text("plain/\n")
    prepare(root)
    (root / "a").write_text("1")
    checkpoints = Checkpoints(root, "s1")
    assert checkpoints.unavailable is None
    checkpoints.take("start")
    (root / "a").write_text("2")
    assert checkpoints.undo().restored == ("a",)
    assert (root / "a").read_text() == "1"


def test_a_store_is_readable_by_its_user_alone_and_nothing_is_written_into_the_project(repo, git, tmp_path):
    (repo / "a").write_text("1")
    (repo / ".gitignore").write_text(".env\n")
    (repo / ".env").write_text("secret")
    before = set((repo / ".git").rglob("*"))
    Checkpoints(repo, "s1").take("start")
    assert set((repo / ".git").rglob("*")) == before
    found = list((tmp_path / "state").rglob("*"))
    assert len(found) > 5
    assert [path for path in found if "checkpoints" in path.parts and path.stat().st_mode & 0o077] == []


def test_a_machine_without_git_has_no_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Checkpoints(tmp_path, "s1").unavailable == "git is not installed"


def test_a_stash_that_is_not_in_the_list_any_more_is_named_with_what_puts_it_back(repo, git, tmp_path):
    (repo / "a.txt").write_text("one\n")
    git("add", "a.txt")
    git("commit", "--quiet", "--message", "first")
    (repo / "a.txt").write_text("two\n")
    git("stash", "push", "--quiet")
    store = Store(repo, tmp_path / "checkpoints")
    project = Project(repo, store)
    before = git_state(project)
    git("stash", "pop", "--quiet")
    now = git_state(project)
    assert before is not None
    assert now is not None
    (told,) = ways_back(before, project, [(before, now)])
    git(*told.split("`")[1].split()[1:])
    assert git_state(project) == before
    assert not ways_back(before, project, [(before, now)])
