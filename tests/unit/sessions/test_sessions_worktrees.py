"""Worktrees without a run in them, on real repositories."""

import os
import shutil
from pathlib import Path

import pytest

from codeflow.core.errors import SessionError, UsageError
from codeflow.core.settings import load_settings
from codeflow.core.values import Worktree
from codeflow.sessions.worktrees.adding import add, notes, survey
from codeflow.sessions.worktrees.ending import drop, merge, standing
from codeflow.sessions.worktrees.records import Fate, Record, Worktrees

SESSION = "20261121-084512-k3f9"
TEXT = "".join(f"line {number}\n" for number in range(20))


@pytest.fixture
def repo(repo: Path, git) -> Path:
    git("config", "user.name", "tester")
    git("config", "user.email", "tester@localhost")
    (repo / "a.txt").write_text(TEXT)
    git("add", "-A")
    git("commit", "-qm", "begin")
    return repo


@pytest.fixture
def worktrees(tmp_path: Path) -> Worktrees:
    return Worktrees(tmp_path / "state" / "worktrees")


@pytest.fixture
def worktree(repo: Path, worktrees: Worktrees) -> Worktree:
    return make(repo, worktrees)


def make(repo: Path, worktrees: Worktrees, session: str = SESSION) -> Worktree:
    wanted = load_settings(repo, env={}).worktrees
    return add(survey(repo, None), session, worktrees, wanted)


def record(worktrees: Worktrees) -> Record:
    found = worktrees.find(SESSION)
    assert found is not None
    return found


def test_a_record_is_found_by_beginnings_and_branches_while_it_is_open(worktrees, worktree):
    for name in (SESSION, SESSION[:9], worktree.branch):
        assert worktrees.named(name).worktree == worktree
    assert worktrees.origin_of(worktree.folder / "deep") == worktree.origin
    with pytest.raises(UsageError, match="no session 'x' has a worktree"):
        worktrees.named("x")
    drop(record(worktrees), worktrees)
    assert (record(worktrees).fate, worktrees.open()) == (Fate.DROPPED, [])
    with pytest.raises(UsageError):
        worktrees.named(SESSION)


def test_one_that_was_killed_while_it_was_made_can_be_dropped(repo, worktrees, worktree, git):
    shutil.rmtree(worktree.path)
    assert not standing(worktree).exists
    assert drop(record(worktrees), worktrees) is None
    assert git("branch", "--format=%(refname:short)").split() == ["main"]
    assert len(git("worktree", "list").splitlines()) == 1


def test_one_whose_repository_is_gone_can_be_dropped(repo, worktrees, worktree):
    shutil.rmtree(repo)
    with pytest.raises(SessionError):
        standing(worktree)
    assert drop(record(worktrees), worktrees) is None
    assert not worktree.path.exists()


def test_conflicts_are_solved_in_the_worktree_and_not_before(repo, worktrees, worktree, git):
    (worktree.path / "a.txt").write_text("theirs\n")
    (repo / "a.txt").write_text("mine\n")
    git("commit", "-qam", "mine")
    with pytest.raises(SessionError, match=r"main has moved and conflicts with the session's work: a\.txt"):
        merge(record(worktrees), worktrees, "work\n", with_ignored=True)
    with pytest.raises(Exception, match="merge"):
        git("merge", "main", cwd=worktree.path)
    with pytest.raises(SessionError, match="conflicts that are not solved"):
        merge(record(worktrees), worktrees, "work\n", with_ignored=True)
    (worktree.path / "a.txt").write_text("both\n")
    git("add", "a.txt", cwd=worktree.path)
    merge(record(worktrees), worktrees, "work\n", with_ignored=True)
    assert (repo / "a.txt").read_text() == "both\n"
    assert git("log", "--merges", "--format=%s").strip() == "work"


def test_changes_of_the_user_elsewhere_stay_as_they_are(repo, worktrees, worktree, git):
    (worktree.path / "new.txt").write_text("theirs\n")
    (repo / "a.txt").write_text(TEXT + "mine\n")
    (repo / "staged.txt").write_text("mine\n")
    git("add", "staged.txt")
    merge(record(worktrees), worktrees, "work\n", with_ignored=True)
    assert git("status", "--porcelain") == " M a.txt\nA  staged.txt\n"
    assert (repo / "new.txt").read_text() == "theirs\n"
    assert "fast-forward" in git("reflog", "-1").lower()


def test_what_is_staged_is_named_where_it_keeps_git_from_a_merge_commit(repo, worktrees, worktree, git):
    (worktree.path / "new.txt").write_text("theirs\n")
    for name in ("mine.txt", "staged.txt"):
        (repo / name).write_text("mine\n")
        git("add", name)
        if name == "mine.txt":
            git("commit", "--quiet", "--message", "mine")
    with pytest.raises(SessionError, match=r"while something is staged: staged\.txt") as refused:
        merge(record(worktrees), worktrees, "work\n", with_ignored=True)
    assert "`git restore --staged`" in refused.value.hint
    assert git("status", "--porcelain") == "A  staged.txt\n"
    git("restore", "--staged", "staged.txt")
    merge(record(worktrees), worktrees, "work\n", with_ignored=True)
    assert git("status", "--porcelain") == "?? staged.txt\n"
    assert (repo / "new.txt").read_text() == "theirs\n"


@pytest.mark.parametrize("is_file", [True, False])
def test_a_merge_puts_nothing_where_something_untracked_stands(repo, worktrees, worktree, git, is_file):
    (worktree.path / "out").mkdir()
    (worktree.path / "out" / "x").write_text("theirs\n")
    (repo / ".git" / "info" / "exclude").write_text("out\n")
    git("add", "--force", "out", cwd=worktree.path)
    if is_file:
        (repo / "out").write_text("mine\n")
    else:
        (repo / "out").mkdir()
        (repo / "out" / "x").write_text("mine\n")
    with pytest.raises(SessionError, match=r"uncommitted changes of yours are in files .*: out/x"):
        merge(record(worktrees), worktrees, "work\n", with_ignored=True)
    assert (repo / ("out" if is_file else "out/x")).read_text() == "mine\n"


def test_what_the_user_is_in_the_middle_of_is_finished_first(repo, worktrees, worktree, git):
    (worktree.path / "new.txt").write_text("theirs\n")
    git("branch", "side")
    (repo / "a.txt").write_text("mine\n")
    git("commit", "-qam", "mine")
    git("switch", "-q", "side")
    (repo / "a.txt").write_text("other\n")
    git("commit", "-qam", "other")
    git("switch", "-q", "main")
    with pytest.raises(Exception, match="merge"):
        git("merge", "side")
    with pytest.raises(SessionError, match="under way"):
        merge(record(worktrees), worktrees, "work\n", with_ignored=True)
    assert (repo / ".git" / "MERGE_HEAD").exists()


def test_work_that_was_merged_by_hand_can_go(repo, worktrees, worktree, git):
    (worktree.path / "new.txt").write_text("theirs\n")
    assert standing(worktree).work
    git("add", "-A", cwd=worktree.path)
    git("commit", "-qm", "work", cwd=worktree.path)
    assert standing(worktree).work
    git("merge", "-q", worktree.branch)
    assert not standing(worktree).work
    drop(record(worktrees), worktrees)
    assert (repo / "new.txt").exists()


def test_submodules_uncommitted_changes_and_other_worktrees_are_told(
    repo, worktrees, worktree, git, tmp_path
):
    library = tmp_path / "library"
    git("init", "-q", str(library))
    git("commit", "-q", "--allow-empty", "-m", "begin", cwd=library)
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib")
    git("commit", "-qm", "lib")
    (repo / "a.txt").write_text("mine\n")
    found = survey(repo, None)
    second = make(repo, worktrees, SESSION[:-1] + "0")
    told = "\n".join(notes(found, second, 1))
    for fact in (
        "NOT in the worktree: a.txt",
        "submodules are empty in the worktree: lib",
        "other worktrees of this folder wait",
    ):
        assert fact in told
    (second.path / "new.txt").write_text("theirs\n")
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", cwd=second.path)
    known = worktrees.find(second.session_id)
    assert known is not None
    merge(known, worktrees, "work\n", with_ignored=True)
    assert (repo / "new.txt").exists()
    assert not second.path.exists()


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who commits in any repository."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "tester")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "tester@localhost")


def _new_file(_git, sub: Path) -> None:
    (sub / "new.txt").write_text("work\n")


def _new_file_in_a_repository_of_its_own(git, sub: Path) -> None:
    git("init", "-q", cwd=sub)
    _new_file(git, sub)


def _edit(git, sub: Path) -> None:
    git("-c", "protocol.file.allow=always", "submodule", "-q", "update", "--init", cwd=sub.parent)
    (sub / "a.txt").write_text("work\n")


def _commit(git, sub: Path) -> None:
    _edit(git, sub)
    git("commit", "-qam", "work", cwd=sub)


def _commit_of_a_new_nested_repository(git, sub: Path) -> None:
    git("init", "-q", "nested", cwd=sub.parent)
    _new_file(git, sub.parent / "nested")
    git("add", "-A", cwd=sub.parent / "nested")
    git("commit", "-qm", "work", cwd=sub.parent / "nested")


@pytest.mark.parametrize(
    "work",
    [_new_file, _new_file_in_a_repository_of_its_own, _edit, _commit, _commit_of_a_new_nested_repository],
)
@pytest.mark.usefixtures("identity")
def test_work_in_submodules_is_not_lost_by_a_merge(repo, worktrees, git, tmp_path, work):
    git("clone", "-q", "--bare", str(repo), str(tmp_path / "library"))
    git("-c", "protocol.file.allow=always", "submodule", "-q", "add", str(tmp_path / "library"), "sub")
    git("commit", "-qm", "sub")
    before = git("rev-parse", "HEAD")
    worktree = make(repo, worktrees)
    assert not standing(worktree).work
    work(git, worktree.path / "sub")
    for text in (TEXT, "work of the run\n"):
        (worktree.path / "a.txt").write_text(text)
        assert standing(worktree).work
        assert not standing(worktree).is_merged
        with pytest.raises(SessionError, match="there is work in submodules") as refused:
            merge(record(worktrees), worktrees, "work\n", with_ignored=True)
        assert str(worktree.path) in refused.value.hint
        assert git("rev-parse", "HEAD") == before
        assert git("diff", "--cached", "--name-only", cwd=worktree.path) == ""
    if work is _commit:
        git("push", "-q", "origin", "HEAD:refs/heads/work", cwd=worktree.path / "sub")
        merge(record(worktrees), worktrees, "work\n", with_ignored=True)
        assert git("rev-parse", "HEAD") != before
        assert not worktree.path.exists()


@pytest.mark.parametrize("mark", ["assume-unchanged", "skip-worktree"])
@pytest.mark.usefixtures("identity")
def test_changes_that_git_overlooks_are_named_and_not_merged_over(repo, worktrees, git, mark):
    worktree = make(repo, worktrees)
    (worktree.path / "a.txt").write_text("work of the run\n")
    git("update-index", f"--{mark}", "a.txt")
    (repo / "a.txt").write_text(TEXT + "mine\n")
    with pytest.raises(SessionError, match=r"in files that the session changed: a\.txt") as refused:
        merge(record(worktrees), worktrees, "work\n", with_ignored=True)
    assert "git update-index" in refused.value.hint
    assert (repo / "a.txt").read_text() == TEXT + "mine\n"
    (repo / "a.txt").write_text(TEXT)
    os.utime(repo / "a.txt", (1, 1))  # git takes its time stamp for a change
    with pytest.raises(SessionError, match=r"would be overwritten by merge: a\.txt"):
        merge(record(worktrees), worktrees, "work\n", with_ignored=True)
    git("update-index", f"--no-{mark}", "a.txt")
    merge(record(worktrees), worktrees, "work\n", with_ignored=True)
    assert (repo / "a.txt").read_text() == "work of the run\n"


def test_what_git_ignores_comes_along_without_a_way_back_into_the_users_folder(repo, worktrees, git):
    (repo / ".gitignore").write_text(".env\nnode_modules/\nbuild/\n")
    git("add", "-A")
    git("commit", "-qm", "ignore")
    (repo / ".env").write_text("A=1\n")
    (repo / ".env").chmod(0o600)
    (repo / "build").mkdir()
    modules = repo / "node_modules"
    for folder in ("left/lib", "@scope/right"):
        (modules / folder).mkdir(parents=True)
    (repo / ".venv" / "bin").mkdir(parents=True)  # neither ignored nor committed
    worktree = make(repo, worktrees)
    assert (worktree.path / ".env").stat().st_mode & 0o777 == 0o600
    assert not (worktree.path / "build").exists()
    assert (worktree.path / ".venv" / "bin").readlink() == repo / ".venv" / "bin"
    assert git("status", "--porcelain", cwd=worktree.path) == ""
    (worktree.path / ".env").write_text("B=2\n")
    (worktree.path / "node_modules" / "new").mkdir()
    (worktree.path / "node_modules" / "@scope" / "right").unlink()
    shutil.rmtree(worktree.path / "node_modules")
    assert {path.name for path in modules.iterdir()} == {"@scope", "left"}
    assert (modules / "@scope" / "right").is_dir()
    assert (repo / ".env").read_text() == "A=1\n"


def test_ignored_files_of_the_run_are_work_and_a_merge_takes_the_new_ones_along(
    repo, worktrees, worktree, git
):
    (repo / ".git/info/exclude").write_text(".env\ndata/\n__pycache__/\n")
    (repo / ".env").write_text("A=1\n")
    (worktree.path / "data" / "__pycache__").mkdir(parents=True)
    (worktree.path / "data" / "__pycache__" / "x.pyc").write_text("cache")
    (worktree.path / "data" / "r.csv").write_text("1,2\n")
    (worktree.path / ".env").write_text("A=1\n")  # as the user has it
    now = standing(worktree)
    assert (now.changed, now.work) == ((), ("data/r.csv",))
    (worktree.path / ".env").write_text("A=2\n")
    assert standing(worktree).work == (".env", "data/r.csv")
    with pytest.raises(SessionError, match=r"not the same here and in the worktree: \.env$"):
        merge(record(worktrees), worktrees, "work\n", with_ignored=True)
    assert not (repo / "data").exists()
    (worktree.path / ".env").unlink()
    merge(record(worktrees), worktrees, "work\n", with_ignored=True)
    assert (repo / "data" / "r.csv").read_text() == "1,2\n"
    assert not (repo / "data" / "__pycache__").exists()
    assert not worktree.path.exists()
