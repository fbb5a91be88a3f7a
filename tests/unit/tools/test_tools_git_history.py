from collections.abc import Callable

import pytest

from codeflow.tools.git import git_blame, git_diff, git_log, git_show
from codeflow.tools.workspace import Workspace

Git = Callable[..., str]


@pytest.fixture
def history(ws: Workspace, git: Git) -> Workspace:
    """Three commits; the second alone touches b.txt."""
    for number, name in enumerate(("a.txt", "b.txt", "a.txt"), 1):
        with (ws.root / name).open("a") as file:
            file.write(f"line {number}\n")
        git("add", ".")
        git("commit", "--quiet", f"--message=commit {number}")
    return ws


async def test_the_log_is_paged(history: Workspace):
    first = (await git_log.function(history, count=2)).content.splitlines()
    assert [line.partition(" Ada: ")[2] for line in first[:2]] == ["commit 3", "commit 2"]
    assert first[2] == "[older commits exist; go on with skip=2]"
    rest = (await git_log.function(history, count=2, skip=2)).content
    assert rest.endswith("Ada: commit 1")
    assert (await git_log.function(history, skip=3)).content == "No commits."


@pytest.fixture
def shallow(history: Workspace, git: Git) -> Workspace:
    """Of the three commits, the newest alone is there; the others wait in a repository beside."""
    (history.root / ".git").rename(history.root.parent / "whole.git")
    for name in ("a.txt", "b.txt"):
        (history.root / name).unlink()
    git("clone", "--quiet", "--depth=1", f"file://{history.root.parent}/whole.git", ".")
    return history


async def test_a_shallow_clone_is_called_one_where_its_history_ends(shallow: Workspace, git: Git):
    fetch = "`git fetch --deepen=100` fetches older commits, `git fetch --unshallow` all of them"
    log = (await git_log.function(shallow)).content.splitlines()
    assert len(log) == 2
    assert log[1].startswith("[this is a shallow clone: commits older than these were not fetched. " + fetch)
    blamed = (await git_blame.function(shallow, "a.txt")).content.splitlines()
    assert blamed[-1].startswith("[this is a shallow clone: a line with ^ may come from an older commit")
    assert "so all its files look new. " + fetch in (await git_show.function(shallow)).content
    for refused in (
        await git_show.function(shallow, "HEAD~1"),
        await git_diff.function(shallow, ref="HEAD~1"),
    ):
        assert refused.is_error
        assert refused.content.startswith("There is no commit, branch or tag HEAD~1. ")
        assert (
            f"This is a shallow clone: an older commit may exist and not be here. {fetch}" in refused.content
        )
    git("fetch", "--quiet", "--unshallow")
    for whole in (
        await git_log.function(shallow),
        await git_blame.function(shallow, "a.txt"),
        await git_show.function(shallow),
        await git_diff.function(shallow, ref="HEAD~1"),
    ):
        assert not whole.is_error
        assert "shallow" not in whole.content


async def test_the_log_of_one_file(history: Workspace):
    result = await git_log.function(history, "b.txt")
    assert result.content.endswith("Ada: commit 2")
    assert result.display == "1 commits"


async def test_blame_names_the_commit_of_each_line(history: Workspace, git: Git):
    newest = git("rev-parse", "--short", "HEAD").strip()
    lines = (await git_blame.function(history, "a.txt")).content.splitlines()
    assert lines[0].endswith("1) line 1")
    assert lines[1].startswith(newest)
    only = await git_blame.function(history, "a.txt", start_line=2, end_line=2)
    assert only.content == lines[1]


async def test_a_long_blame_says_how_to_go_on(history: Workspace):
    (history.root / "a.txt").write_text("x\n" * 201)
    content = (await git_blame.function(history, "a.txt")).content
    assert content.endswith("[the file may go on; see more with start_line=201]")
    assert "201) x" in (await git_blame.function(history, "a.txt", start_line=201, end_line=201)).content


@pytest.mark.parametrize(("first", "last"), [(0, 1), (3, 2), (99, 100)])
async def test_impossible_lines_are_refused(history: Workspace, first: int, last: int):
    assert (await git_blame.function(history, "a.txt", first, last)).is_error


async def test_a_commit_is_shown_with_its_diff(history: Workspace):
    content = (await git_show.function(history, "HEAD~1")).content
    assert "commit 2" in content
    assert "+line 2" in content
    assert "+line" not in (await git_show.function(history, "HEAD~1", path="a.txt")).content


async def test_a_file_is_shown_as_it_was(history: Workspace):
    assert (await git_show.function(history, "HEAD~1:a.txt")).content == "line 1"


async def test_a_diff_against_a_commit_and_a_range(history: Workspace):
    assert "+line 3" in (await git_diff.function(history, ref="HEAD~1")).content
    assert "+line 2" in (await git_diff.function(history, "b.txt", ref="HEAD~2..HEAD")).content
    assert (await git_diff.function(history, "b.txt", ref="HEAD~1")).content.startswith("No differences")


@pytest.mark.parametrize("ref", ["--output=stolen", "-p", "", "nowhere"])
async def test_a_revision_is_never_an_option(history: Workspace, ref: str):
    assert (await git_show.function(history, ref)).is_error
    assert not (history.root / "stolen").exists()
