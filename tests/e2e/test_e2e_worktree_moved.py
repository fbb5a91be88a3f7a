"""A run in a worktree that moves the branch which is checked out in the user's folder."""

import pytest
from tests.e2e.harness import EDIT, FIXED, ROUTER, SAID, git
from tests.e2e.test_e2e_worktrees import listed, project, ungated

__all__ = ["project"]


PAST_THE_FOLDER = {
    "a checkout": "git checkout -q -B main && git commit -qam work",
    "a ref": "git commit -qam work && git update-ref refs/heads/main HEAD",
}


@pytest.mark.parametrize("way", PAST_THE_FOLDER)
def test_a_run_that_moves_the_users_branch_is_noticed_and_the_way_back_is_named(
    shell, project, scripted, way
):
    before = git(project, "rev-parse", "HEAD")
    command = {"agent": "fast_coder", "call": [{"run_command": {"command": PAST_THE_FOLDER[way]}}]}
    with scripted([ROUTER, EDIT, command, SAID]) as endpoint:
        done = ungated(shell).run(endpoint, "--worktree", "--mode", "auto")
    (row,) = listed(shell)
    refused = shell("worktrees", "merge", row["session"])
    assert (done.code, refused.code, row["state"]) == (0, 1, "unmerged")
    for told in (done.stderr, refused.stderr):
        assert f"main was moved from {before[:10]} to " in told
    keep, back = [
        text.partition("`")[0] for text in refused.stderr.split("`git ")[1:] if text.startswith("-C")
    ]
    git(project, *back.split())
    if way == "a checkout":
        blocked = shell("worktrees", "merge", row["session"])
        assert (blocked.code, "has main checked out" in blocked.stderr) == (1, True)
        assert git(project, "rev-parse", "HEAD") == before
    git(project, *keep.split())
    merged = shell("worktrees", "merge", row["session"])
    assert merged.code == 0, merged.stderr
    assert (project / "calc.py").read_text() == FIXED
    assert git(project, "status", "--porcelain") == ""
