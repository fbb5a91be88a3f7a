from collections.abc import Callable
from pathlib import Path

import pytest

from codeflow.tools.commands import run_command
from codeflow.tools.git_changes import git_stash
from codeflow.tools.sandbox import journal, stashes
from codeflow.tools.sandbox.port import Unconfined
from codeflow.tools.sandbox.protected import Protection
from codeflow.tools.sandbox.watch import Watch
from codeflow.tools.workspace import Workspace

Git = Callable[..., str]
POP = "git stash; git stash pop"


@pytest.fixture
def stashed(ws: Workspace, git: Git) -> list[str]:
    """What is told to a person; the user has three stashes and a clean tree."""
    commit(git, ws.root)
    for number in ("1", "2", "3"):
        stash(git, ws.root, number)
    told = list[str]()
    ws.warn = told.append
    return told


def commit(git: Git, root: Path) -> None:
    (root / "a.txt").write_text("one\n")
    git("add", "a.txt")
    git("commit", "--quiet", "--message", "first")


def stash(git: Git, root: Path, name: str) -> None:
    (root / "a.txt").write_text(f"{name}\n")
    git("stash", "push", "--quiet", "--message", name)


def commits(git: Git) -> list[str]:
    return git("stash", "list", "--format=%H %gs").splitlines()


@pytest.mark.parametrize("held", [True, False], ids=["sandbox", "none"])
@pytest.mark.parametrize(
    "command",
    [
        POP,
        "git stash drop 'stash@{1}'",
        "git stash pop 'stash@{2}'",
        "git stash drop 'stash@{1}'; git stash drop",
        "git stash clear",
    ],
)
async def test_what_a_command_takes_of_the_users_stashes_is_in_its_place_again(
    ws: Workspace, git: Git, stashed: list[str], command: str, held: bool
):
    if not held:
        ws.sandbox = Unconfined()
    before = commits(git)
    result = await run_command.function(ws, command)
    assert commits(git) == before
    (told,) = stashed
    assert told in result.content
    assert "took from the user's stashes (stash@{" in told
    assert git("stash", "show", "--patch", "stash@{1}").endswith("-one\n+2\n")


async def test_what_a_command_has_stashed_may_be_popped_and_stays_above_what_is_put_back(
    ws: Workspace, git: Git, stashed: list[str]
):
    before = commits(git)
    await run_command.function(ws, "echo mine > a.txt; git stash push -m own")
    own = commits(git)[0]
    await run_command.function(ws, "git stash drop 'stash@{2}'")
    assert commits(git) == [own, *before]
    assert len(stashed) == 1
    await run_command.function(ws, "git stash pop")
    assert commits(git) == before
    assert len(stashed) == 1
    assert (ws.root / "a.txt").read_text() == "mine\n"


async def test_what_the_user_stashes_between_commands_is_kept_too(
    ws: Workspace, git: Git, stashed: list[str]
):
    await run_command.function(ws, "true")
    stash(git, ws.root, "meanwhile")
    before = commits(git)
    await run_command.function(ws, POP)
    assert commits(git) == before
    assert "stash@{0}: On main: meanwhile" in stashed[0]


async def test_the_tool_that_pops_puts_back_what_is_the_users(ws: Workspace, git: Git, stashed: list[str]):
    before = commits(git)
    result = await git_stash.function(ws, "pop")
    assert commits(git) == before
    assert "in `git stash list` again" in result.content
    assert (ws.root / "a.txt").read_text() == "3\n"
    assert len(stashed) == 1


async def test_a_worktree_shares_the_list(
    ws: Workspace, git: Git, stashed: list[str], env: dict[str, str], tmp_path: Path
):
    before = commits(git)
    git("worktree", "add", "--quiet", str(tmp_path / "tree"), "-b", "other")
    tree = Workspace(tmp_path / "tree", ws.settings, env)
    tree.warn = stashed.append
    await run_command.function(tree, POP)
    tree.runs.close()
    assert commits(git) == before
    assert len(stashed) == 1


async def test_what_git_has_tidied_up_is_said_with_its_commit(ws: Workspace, git: Git, stashed: list[str]):
    newest = git("rev-parse", "stash@{0}").strip()
    await run_command.function(ws, "git stash drop; git gc --quiet --prune=now")
    (told,) = stashed
    assert "CANNOT BE PUT BACK" in told
    assert f"`git stash store {newest}`" in told
    assert len(commits(git)) == 2


def test_the_guard_puts_back_what_a_command_took_that_codeflow_did_not_outlive(
    ws: Workspace, git: Git, stashed: list[str], tmp_path: Path
):
    before = commits(git)
    found = stashes.begin(ws.root)
    watch = Watch(Protection((), (), (), ()), tmp_path / "aside", None, stashes=found)
    held = journal.begin(tmp_path / "journals", watch)
    git("stash", "drop", "--quiet")
    held._held.close()
    journal.main(held.path)
    assert commits(git) == before
    (told,) = journal.told_late(tmp_path / "journals")
    assert "stash@{0}: On main: 3" in told
    assert not stashes.end(found)
    assert not stashed


def test_without_a_guard_that_is_done_when_codeflow_next_works_there(
    ws: Workspace, git: Git, stashed: list[str], tmp_path: Path
):
    before = commits(git)
    found = stashes.begin(ws.root)
    held = journal.begin(tmp_path, Watch(Protection((), (), (), ()), tmp_path / "aside", None, stashes=found))
    git("stash", "clear")
    held._held.close()
    (told,) = journal.told_late(tmp_path)
    assert commits(git) == before
    assert "stash@{2}: On main: 1" in told
    assert not stashes.end(found)
    assert not stashed
