import os
import shutil
import stat
from pathlib import Path

import pytest

from codeflow.sessions.checkpoints import Checkpoints
from codeflow.sessions.history import Kind

START = "before the first change"


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and link outside `.git`, with its mode and content."""
    found = {}
    for file in root.rglob("*"):
        path = file.relative_to(root)
        if ".git" in path.parts or (file.is_dir() and not file.is_symlink()):
            continue
        link = file.is_symlink()
        mode = stat.S_IFLNK if link else file.stat().st_mode
        found[path.as_posix()] = (mode, os.fsencode(file.readlink()) if link else file.read_bytes())
    return found


def write(root: Path, files: dict[str, str | bytes]) -> None:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def checkpoints(repo: Path) -> Checkpoints:
    return Checkpoints(repo, "s1")


def test_undo_brings_back_edits_deletions_moves_modes_links_and_removes_new_files(repo, git, checkpoints):
    write(
        repo, {"kept.txt": "a", "edited.txt": "a\r\nb", "gone.txt": "bye", "dir/moved.txt": "m", "tool": "#!"}
    )
    git("add", "kept.txt", "edited.txt")
    git("commit", "-qm", "first")
    (repo / "tool").chmod(0o750)
    (repo / "secret").write_text("s")
    (repo / "secret").chmod(0o600)
    (repo / "link").symlink_to("edited.txt")
    (repo / "nowhere").symlink_to("/does/not/exist")
    before = tree(repo)
    checkpoints.take(START)
    (repo / "edited.txt").write_text("changed")
    (repo / "gone.txt").unlink()
    (repo / "secret").unlink()
    (repo / "tool").chmod(0o644)
    (repo / "link").unlink()
    (repo / "link").write_text("no longer a link")
    (repo / "nowhere").unlink()
    shutil.move(repo / "dir", repo / "other")
    write(repo, {"new/deep/file.txt": "new"})
    checkpoints.take("the end", Kind.END)

    undone = checkpoints.undo()

    assert tree(repo) == before
    assert undone.conflicts == ()
    assert undone.removed == ("new/deep/file.txt", "other/moved.txt")
    assert set(undone.restored) == {
        "dir/moved.txt",
        "edited.txt",
        "gone.txt",
        "link",
        "nowhere",
        "secret",
        "tool",
    }
    assert not (repo / "new").exists()


def test_head_index_stash_reflogs_and_status_stay_as_they_are(repo, git, checkpoints):
    write(repo, {"a": "1", "b": "2"})
    git("add", "a")
    git("commit", "-qm", "first")
    git("config", "core.logAllRefUpdates", "always")
    git("config", "core.splitIndex", "true")
    (repo / "a").write_text("staged")
    git("add", "a")
    (repo / "a").write_text("work tree")

    def state() -> tuple[str, ...]:
        internals = (repo / ".git" / name for name in ("index", "HEAD", "logs/HEAD"))
        return (
            *(str(file.read_bytes()) for file in internals),
            str(sorted(path.name for path in (repo / ".git").iterdir())),
            git("reflog", "--all"),
            git("log", "--all", "--oneline"),
        )

    before = state()
    checkpoints.take(START)
    (repo / "b").write_text("3")
    checkpoints.take("the end", Kind.END)
    checkpoints.undo()
    assert state() == before
    assert (repo / "b").read_text() == "2"


def test_filters_line_endings_and_hooks_of_the_repository_are_never_run(repo, git, checkpoints, tmp_path):
    trap = tmp_path / "trap"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {trap}\ncat\n")
    program.chmod(0o755)
    for hook in ("reference-transaction", "post-index-change", "post-checkout"):
        (repo / ".git/hooks").mkdir(exist_ok=True)
        shutil.copy(program, repo / ".git/hooks" / hook)
    content: dict[str, str | bytes] = {
        ".gitattributes": "*.txt text eol=crlf\n*.dat filter=trap diff=trap\n",
        "a.txt": b"lf\ncrlf\r\n",
        "b.dat": b"\x00\xff raw",
    }
    write(repo, content)
    for name, value in {
        "core.fsmonitor": str(program), "core.autocrlf": "true", "core.eol": "crlf",
        "filter.trap.clean": str(program), "filter.trap.smudge": str(program), "filter.trap.required": "true",
        "diff.trap.command": str(program), "diff.trap.textconv": str(program), "diff.external": str(program),
    }.items():  # fmt: skip
        git("config", name, value)
    before = tree(repo)
    first = checkpoints.take(START)
    write(repo, {"a.txt": b"x\n", "b.dat": b"y"})
    (repo / ".gitattributes").unlink()
    checkpoints.diff(first, checkpoints.take("the end", Kind.END))
    checkpoints.undo()
    assert tree(repo) == before
    assert not trap.exists()


def test_a_path_that_the_user_changed_since_stops_the_whole_undo_until_forced(repo, checkpoints):
    write(repo, {"a": "1", "b": "1", "mine": "1"})
    before = tree(repo)
    checkpoints.take(START)
    write(repo, {"a": "2", "b": "2"})
    checkpoints.take("the end", Kind.END)
    write(repo, {"a": "3", "mine": "2"})
    after = tree(repo)

    assert checkpoints.undo().conflicts == ("a",)
    assert tree(repo) == after
    undone = checkpoints.undo(force=True)
    assert undone.restored == ("a", "b")
    assert tree(repo) == before | {"mine": after["mine"]}


def test_undo_leaves_what_only_the_user_changed(repo, checkpoints):
    write(repo, {"a": "1", "mine": "1"})
    checkpoints.take(START)
    write(repo, {"a": "2"})
    checkpoints.take("the end", Kind.END)
    write(repo, {"mine": "2", "new": "user's"})
    assert checkpoints.undo().restored == ("a",)
    assert ((repo / "mine").read_text(), (repo / "new").read_text()) == ("2", "user's")


def test_what_the_user_did_between_two_runs_of_a_session_is_his(repo, checkpoints):
    write(repo, {"a": "1", "b": "1", "mine": "1"})
    checkpoints.take(START)
    write(repo, {"a": "2"})
    checkpoints.take("the end", Kind.END)
    write(repo, {"mine": "2"})
    checkpoints.take(START)
    write(repo, {"b": "2"})
    checkpoints.take("the end", Kind.END)
    assert checkpoints.undo().restored == ("a", "b")
    assert (repo / "mine").read_text() == "2"


def test_an_undo_that_was_cut_short_is_finished_by_the_next(repo, checkpoints):
    write(repo, {"a": "1", "b": "1"})
    checkpoints.take(START)
    write(repo, {"a": "2", "b": "2"})
    checkpoints.take("the end", Kind.END)
    write(repo, {"a": "1"})
    assert checkpoints.undo().restored == ("b",)


def test_a_killed_run_is_undone_without_an_end(repo, checkpoints):
    write(repo, {"a": "1"})
    checkpoints.take(START)
    write(repo, {"a": "2", "new": "x"})
    undone = Checkpoints(repo, "s1").undo()
    assert (undone.restored, undone.removed) == (("a",), ("new",))


def test_an_undo_is_undone_and_done_again(repo, checkpoints):
    write(repo, {"a": "1"})
    checkpoints.take(START)
    write(repo, {"a": "2", "new": "x"})
    undone = checkpoints.undo()
    assert undone.safety == "s1/0002"
    assert ((repo / "a").read_text(), (repo / "new").exists()) == ("1", False)
    again = checkpoints.undo(checkpoints.find("2"))
    assert again.restored == ("a", "new")
    assert ((repo / "a").read_text(), (repo / "new").read_text()) == ("2", "x")
    assert checkpoints.undo().removed == ("new",)
    assert (repo / "a").read_text() == "1"


def test_a_second_undo_has_nothing_to_do(repo, checkpoints):
    write(repo, {"a": "1"})
    checkpoints.take(START)
    write(repo, {"a": "2"})
    checkpoints.take("the end", Kind.END)
    assert checkpoints.undo().restored == ("a",)
    write(repo, {"a": "later work"})
    again = checkpoints.undo(force=True)
    assert (again.restored, again.removed, again.conflicts, again.safety) == ((), (), (), None)
    assert (repo / "a").read_text() == "later work"


def test_a_session_that_goes_on_after_an_undo_can_be_undone_again(repo, checkpoints):
    write(repo, {"a": "1"})
    checkpoints.take(START)
    write(repo, {"a": "2"})
    checkpoints.take("the end", Kind.END)
    checkpoints.undo()
    write(repo, {"a": "user"})
    checkpoints.take(START)
    write(repo, {"a": "run"})
    checkpoints.take("the end", Kind.END)
    assert checkpoints.undo().restored == ("a",)
    assert (repo / "a").read_text() == "user"


def test_a_session_without_checkpoints_has_nothing_to_undo(repo):
    assert Checkpoints(repo, "unknown").undo().restored == ()


def test_checkpoints_survive_gc(repo, git, checkpoints):
    write(repo, {"a": "1"})
    checkpoints.take(START)
    (repo / "a").unlink()
    git("gc", "--quiet", "--prune=now")
    assert checkpoints.undo().restored == ("a",)


def test_a_subfolder_covers_itself_only(repo, git):
    write(repo, {"sub/a": "1", "outside": "1"})
    inside = Checkpoints(repo / "sub", "s1")
    assert inside.take(START).files == 1
    write(repo, {"sub/a": "2", "outside": "2"})
    inside.take("the end", Kind.END)
    assert Checkpoints(repo, "s1").history() == ()
    assert inside.undo().restored == ("a",)
    assert (repo / "outside").read_text() == "2"


def test_files_that_were_ignored_before_are_never_removed(repo, checkpoints):
    write(repo, {".gitignore": "build/\n*.log\n", "build/out": "old", "run.log": "old", "logs/a.log": "old"})
    checkpoints.take(START)
    (repo / ".gitignore").unlink()
    write(repo, {"logs/new.txt": "made by the run"})
    checkpoints.take("the end", Kind.END)
    undone = checkpoints.undo()
    assert undone.removed == ("logs/new.txt",)
    assert (repo / "build/out").exists()
    assert (repo / "run.log").exists()


def test_a_file_that_the_run_ignored_and_the_user_edited_is_a_conflict(repo, checkpoints):
    write(repo, {"notes": "1"})
    checkpoints.take(START)
    write(repo, {"notes": "2", ".gitignore": "notes\n"})
    checkpoints.take("the end", Kind.END)
    write(repo, {"notes": "3"})
    assert checkpoints.undo().conflicts == ("notes",)


def test_a_file_replaced_by_a_folder_and_back(repo, checkpoints):
    write(repo, {"thing": "file", "folder/x": "x", ".gitignore": "*.pyc\n"})
    before = tree(repo)
    checkpoints.take(START)
    (repo / "thing").unlink()
    shutil.rmtree(repo / "folder")
    write(repo, {"thing/inner": "i", "folder": "file now"})
    checkpoints.take("the end", Kind.END)
    write(repo, {"thing/cache.pyc": b"ignored, and too large to be saved" * 100_000})
    assert checkpoints.undo(force=True).conflicts == ("thing/cache.pyc",)
    (repo / "thing/cache.pyc").unlink()
    checkpoints.undo()
    assert tree(repo) == before


def test_undo_does_not_write_through_a_link_to_a_folder(repo, checkpoints, tmp_path):
    outside = tmp_path / "outside"
    write(outside, {"a": "theirs"})
    write(repo, {"src/a": "ours", ".gitignore": ""})
    checkpoints.take(START)
    shutil.rmtree(repo / "src")
    checkpoints.take("the end", Kind.END)
    (repo / "src").symlink_to(outside)
    assert checkpoints.undo().conflicts == ("src",)
    assert checkpoints.undo(force=True).restored == ("src/a",)
    assert (outside / "a").read_text() == "theirs"
    assert (repo / "src/a").read_text() == "ours"


def test_nested_repositories_and_submodules_are_reported_and_left_alone(repo, git, checkpoints, tmp_path):
    other = tmp_path / "other"
    write(other, {"x": "1"})
    git("init", "-q", cwd=other)
    git("add", ".", cwd=other)
    git("commit", "-qm", "x", cwd=other)
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "module")
    shutil.copytree(other, repo / "nested")
    first = checkpoints.take(START)
    write(repo, {"module/x": "2", "nested/x": "2", "a": "new"})
    checkpoints.take("the end", Kind.END)
    assert first.skipped == ("module/", "nested/")
    assert checkpoints.undo().removed == ("a",)
    assert ((repo / "module/x").read_text(), (repo / "nested/x").read_text()) == ("2", "2")


def test_a_repository_that_the_run_makes_round_old_files_does_not_hide_them(repo, git, checkpoints):
    write(repo, {"lib/a": "1"})
    checkpoints.take(START)
    git("init", "-q", cwd=repo / "lib")
    write(repo, {"lib/a": "2"})
    checkpoints.take("the end", Kind.END)
    assert checkpoints.undo().restored == ("lib/a",)


def test_strange_names_and_contents_come_back(repo, checkpoints):
    names = ["line\nbreak", 'quo"te', "back\\slash", " space ", "ünï", "-dash", "git~1", "tab\t", "{}"]
    write(repo, {name: name for name in names} | {"empty": b"", "binary": bytes(range(256)) * 999})
    (repo / os.fsdecode(b"latin\xe9")).write_bytes(b"x")
    before = tree(repo)
    checkpoints.take(START)
    for path in before:
        (repo / path).unlink()
    checkpoints.take("the end", Kind.END)
    undone = checkpoints.undo()
    assert tree(repo) == before
    assert "latin\\xe9" in undone.restored


def test_names_that_no_git_tree_can_hold_are_skipped(repo, checkpoints):
    write(repo, {"pack/.GIT/config": "x", "a": "1"})
    assert checkpoints.take(START).skipped == ("pack/.GIT/",)


def test_an_empty_repository_can_be_saved(repo, checkpoints):
    checkpoints.take(START)
    write(repo, {"a": "1"})
    assert checkpoints.undo().removed == ("a",)


def test_a_linked_worktree_is_covered_like_any_other(repo, git, tmp_path):
    write(repo, {"a": "1"})
    git("add", "a")
    git("commit", "-qm", "first")
    git("worktree", "add", "-q", str(tmp_path / "tree"))
    checkpoints = Checkpoints(tmp_path / "tree", "s1")
    checkpoints.take(START)
    write(tmp_path / "tree", {"a": "2"})
    assert checkpoints.undo().restored == ("a",)


def test_a_git_hook_that_starts_codeflow_does_not_mislead_it(repo, git, checkpoints, tmp_path, monkeypatch):
    write(repo, {"a": "1"})
    git("add", "a")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    assert Checkpoints(repo, "s2").take(START).files == 1


def test_what_the_user_took_back_is_no_conflict_and_what_the_run_changed_on_top_is(repo, checkpoints):
    file = repo / "a.txt"
    file.write_text("before\n")
    checkpoints.take("start")
    file.write_text("the run's\n")
    checkpoints.take("the end", Kind.END)
    file.write_text("the run's and the user's\n")
    checkpoints.take("another task")
    checkpoints.take("its end", Kind.END)
    assert checkpoints.undo().conflicts == ("a.txt",)
    file.write_text("the run's\n")
    assert checkpoints.undo().conflicts == ()
    assert file.read_text() == "before\n"


def test_the_users_part_stays_his_when_the_run_changes_it_too(repo, checkpoints):
    file = repo / "a.txt"
    file.write_text("before\n")
    checkpoints.take("start")
    file.write_text("the run's\n")
    checkpoints.take("the end", Kind.END)
    file.write_text("the run's and the user's\n")
    checkpoints.take("another task")
    file.write_text("the run's and the user's and the run's\n")
    checkpoints.take("its end", Kind.END)
    assert checkpoints.undo().conflicts == ("a.txt",)
