from collections.abc import Callable

import pytest

from codeflow.tools.git import git_diff, git_log
from codeflow.tools.git_changes import git_commit, git_stash, git_worktree
from codeflow.tools.search import search_files
from codeflow.tools.workspace import Workspace

Git = Callable[..., str]


@pytest.fixture
def repository(ws: Workspace, git: Git) -> Workspace:
    (ws.root / "a.txt").write_text("one\n")
    git("add", ".")
    git("commit", "--quiet", "--message=first")
    return ws


@pytest.mark.parametrize(
    ("branch", "refused"),
    [("main", True), ("master", True), ("release/1.2", True), ("fix/main", False), ("maintenance", False)],
)
async def test_protected_branches_take_a_commit_only_when_told(
    repository: Workspace, git: Git, branch: str, refused: bool
):
    git("switch", "--quiet", "--force-create", branch)
    (repository.root / "a.txt").write_text("two\n")
    result = await git_commit.function(repository, "m", ["a.txt"])
    assert result.is_error is refused
    if refused:
        assert f"{branch} is a protected branch" in result.content
        assert not (await git_commit.function(repository, "m", ["a.txt"], on_protected=True)).is_error
    assert git("rev-list", "--count", "HEAD").strip() == "2"


async def test_the_first_commit_of_a_repository_can_be_made(ws: Workspace, git: Git):
    (ws.root / "a.txt").touch()
    assert not (await git_commit.function(ws, "m", ["a.txt"], on_protected=True)).is_error


@pytest.mark.parametrize("name", ["a.txt", "new/b.txt"])
async def test_conflict_markers_are_not_committed(repository: Workspace, git: Git, name: str):
    git("switch", "--quiet", "--create", "work")
    (repository.root / "new").mkdir()
    (repository.root / name).write_text("x\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> other\n")
    result = await git_commit.function(repository, "m", ["."])
    assert result.content == f"{name} has conflict markers in line 2; resolve them first."
    assert git("diff", "--cached", "--name-only") == ""


@pytest.mark.parametrize("target", ["a.txt", "../outside.txt", "nowhere"])
async def test_a_link_is_committed_as_one(repository: Workspace, git: Git, target: str):
    git("switch", "--quiet", "--create", "work")
    (repository.root / "a.txt").write_text("changed\n")
    (repository.root.parent / "outside.txt").write_text("x\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> other\n")
    (repository.root / "folder").mkdir()
    link = repository.root / "folder" / "link"
    link.symlink_to(f"../{target}")
    result = await git_commit.function(repository, "m", ["folder/link"])
    assert not result.is_error, result.content
    assert git("show", "--name-only", "--format=", "HEAD").split() == ["folder/link"]
    assert git("show", "HEAD:folder/link") == f"../{target}"
    assert git("ls-tree", "HEAD", "folder/link").startswith("120000 ")
    assert git("show", "HEAD:a.txt") == "one\n"
    link.unlink()
    link.symlink_to("elsewhere")
    assert "+elsewhere" in (await git_diff.function(repository, "folder/link")).content
    assert "m" in (await git_log.function(repository, "folder/link")).content


async def test_a_heading_of_seven_signs_is_no_conflict(repository: Workspace, git: Git):
    git("switch", "--quiet", "--create", "work")
    (repository.root / "a.txt").write_text("Heading\n=======\n")
    assert not (await git_commit.function(repository, "m", ["a.txt"])).is_error


async def test_changes_are_put_aside_and_brought_back(repository: Workspace):
    file = repository.root / "a.txt"
    file.write_text("two\n")
    assert "On main: later" in (await git_stash.function(repository, "push", message="later")).content
    assert file.read_text() == "one\n"
    assert "stash@{0}: On main: later" in (await git_stash.function(repository, "list")).content
    assert "+two" in (await git_stash.function(repository, "show")).content
    assert not (await git_stash.function(repository, "pop")).is_error
    assert file.read_text() == "two\n"
    assert (await git_stash.function(repository, "list")).content == "No stashes."
    assert (await git_stash.function(repository, "pop", number=3)).is_error


async def test_what_was_staged_is_staged_again_where_it_fits(repository: Workspace, git: Git):
    file = repository.root / "a.txt"
    for staged, head in (("staged\n", None), ("staged again\n", "other\n")):
        file.write_text(staged)
        git("add", "a.txt")
        file.write_text(f"{staged}and more\n")
        assert not (await git_stash.function(repository, "push")).is_error
        if head:
            (repository.root / "b.txt").write_text(head)
            git("add", "b.txt")
            git("commit", "--quiet", "--message", "other")
        assert not (await git_stash.function(repository, "pop")).is_error
        assert file.read_text() == f"{staged}and more\n"
        assert git("show", ":a.txt") == staged
        git("reset", "--quiet", "--hard")


async def test_a_second_checkout_comes_and_goes(repository: Workspace, git: Git):
    made = await git_worktree.function(repository, "add", "fix/one")
    assert made.content == "fix/one is checked out in .worktrees/fix-one."
    folder = repository.root / ".worktrees/fix-one"
    assert (folder / "a.txt").read_text() == "one\n"
    assert git("status", "--short") == ""
    assert "fix/one" in (await git_worktree.function(repository, "list")).content
    assert "a.txt" in (await search_files.function(repository, "one", path=".worktrees/fix-one")).content
    (folder / "a.txt").write_text("work\n")
    assert (await git_worktree.function(repository, "remove", "fix/one")).is_error
    (folder / "a.txt").write_text("one\n")
    assert not (await git_worktree.function(repository, "remove", "fix/one")).is_error
    assert not folder.exists()
    assert not (await git_worktree.function(repository, "add", "fix/one")).is_error


@pytest.mark.parametrize("branch", ["", "--force", "../../out", "a..b"])
async def test_impossible_work_trees_are_refused(repository: Workspace, branch: str):
    assert (await git_worktree.function(repository, "add", branch)).is_error


async def test_staged_deletions_and_renames_are_committed_by_name(repository: Workspace, git: Git):
    git("switch", "--quiet", "--create", "work")
    (repository.root / "dir").mkdir()
    for name in ("b", "c", "dir/x"):
        (repository.root / name).write_text(f"{name}\n" * 20)
    git("add", ".")
    git("commit", "--quiet", "--message=more")
    git("rm", "--quiet", "b", "dir/x")
    git("mv", "c", "d")
    assert not (await git_commit.function(repository, "gone", ["b", "dir"])).is_error
    assert git("status", "--short") == "R  c -> d\n"
    copied = await git_commit.function(repository, "moved", ["d"])
    assert "[c, of which d was made by a rename, stays in the repository" in copied.content
    assert git("status", "--short") == "D  c\n"
    assert "rename" not in (await git_commit.function(repository, "moved", ["c"])).content
    assert git("status", "--short") == ""
    assert (await git_commit.function(repository, "none", ["c"])).is_error


async def test_both_names_of_a_rename_are_one_commit(repository: Workspace, git: Git):
    git("switch", "--quiet", "--create", "work")
    git("mv", "a.txt", "z.txt")
    result = await git_commit.function(repository, "moved", ["a.txt", "z.txt"])
    assert "stays in the repository" not in result.content
    assert git("show", "--format=", "--name-status", "-M").startswith("R100")
