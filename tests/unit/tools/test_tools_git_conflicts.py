import subprocess
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.tools.git_changes import git_commit
from codeflow.tools.git_conflicts import conflicts, git_conflicts
from codeflow.tools.workspace import Workspace

Git = Callable[..., str]

sides = st.lists(st.text("ab =<>|", max_size=6), max_size=4)


@given(sides, sides, sides, st.none() | sides)
def test_what_is_written_between_markers_is_read_back(before, ours, theirs, base):
    middle = [] if base is None else ["||||||| base", *base]
    lines = [*before, "<<<<<<< mine", *ours, *middle, "=======", *theirs, ">>>>>>> yours", "after"]
    (found,) = conflicts(lines)
    assert (found.ours, found.theirs, found.names) == (tuple(ours), tuple(theirs), ("mine", "yours"))
    assert found.base == (None if base is None else tuple(base))
    assert found.first == len(before) + 1
    assert lines[found.last - 1] == ">>>>>>> yours"


@given(st.lists(st.sampled_from(["<<<<<<< a", "=======", ">>>>>>> b", "||||||| c", "x"])))
def test_regions_are_complete_and_do_not_overlap(lines):
    last = 0
    for region in conflicts(lines):
        assert last < region.first < region.last
        assert lines[region.first - 1].startswith("<<<<<<<")
        last = region.last


@pytest.fixture
def merging(ws: Workspace, git: Git) -> Workspace:
    """In the middle of a merge: a.txt changed by both sides, b.txt deleted by them."""
    (ws.root / "a.txt").write_text("top\none\n")
    (ws.root / "b.txt").write_text("b\n")
    git("add", ".")
    git("commit", "--quiet", "--message=first")
    git("switch", "--quiet", "--create", "theirs")
    (ws.root / "a.txt").write_text("top\nyours\n")
    git("rm", "--quiet", "b.txt")
    git("commit", "--quiet", "--all", "--message=theirs")
    git("switch", "--quiet", "--create", "ours", "main")
    (ws.root / "a.txt").write_text("top\nmine\n")
    (ws.root / "b.txt").write_text("b, changed\n")
    git("commit", "--quiet", "--all", "--message=ours")
    with pytest.raises(subprocess.CalledProcessError):
        git("merge", "theirs")
    return ws


async def test_both_sides_of_every_conflict_are_shown(merging: Workspace):
    result = await git_conflicts.function(merging)
    assert result.content == (
        "a.txt: changed by both sides\nlines 2-6\nours (HEAD):\n    3\tmine\ntheirs (theirs):\n    5\tyours\n\n"
        "b.txt: changed by us, deleted by them\n"
        "(no conflict markers: keep, rewrite or delete the file, then commit it)\n\n"
        "[a merge is under way. Resolve what git_conflicts shows by edit_file, then call git_commit with those files, "
        "which concludes it.]"
    )
    assert result.display == "2 files in conflict"


async def test_what_does_not_fit_is_named(merging: Workspace, make_workspace: Callable[..., Workspace]):
    with (merging.root / "a.txt").open("a") as file:
        file.write("<<<<<<< x\n" + "long " * 40 + "\n=======\n>>>>>>> y\n")
    content = (await git_conflicts.function(make_workspace(limit=200))).content
    assert "[not shown, name one as path: b.txt]" in content
    assert (await git_conflicts.function(merging, "b.txt")).content.startswith("b.txt: changed by us")


async def test_a_resolved_merge_is_concluded_by_a_commit(merging: Workspace, git: Git):
    assert "conflict markers" in (await git_commit.function(merging, "merge", ["a.txt"])).content
    (merging.root / "a.txt").write_text("top\nboth\n")
    assert not (await git_commit.function(merging, "merge", ["a.txt", "b.txt"])).is_error
    assert git("rev-list", "--count", "--merges", "HEAD").strip() == "1"
    assert (await git_conflicts.function(merging)).content == "No unresolved conflicts."
