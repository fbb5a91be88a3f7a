"""A worktree that somebody removed by hand, made again."""

from codeflow.core.errors import SessionError, UsageError
from codeflow.core.settings import WorktreeSettings
from codeflow.core.values import Worktree
from codeflow.sessions.checkpoints import Checkpoints
from codeflow.sessions.worktrees.furnishing import furnish
from codeflow.sessions.worktrees.ignored import top_of_origin
from codeflow.sessions.worktrees.repository import inert_git


def restore(worktree: Worktree, wanted: WorktreeSettings) -> str | None:
    """Adds the worktree again, on its branch, with the files of its session's last checkpoint; returns that one's id.

    None: there is no checkpoint, so it has what was committed.

    Raises:
        UsageError: when it is there.
        SessionError: when git or the disk refuses.
    """
    if worktree.path.exists():
        raise UsageError(f"{worktree.path} is there", hint="Move it elsewhere if it is damaged.")
    top = top_of_origin(worktree)
    git = inert_git(top)
    git.run("worktree", "prune")
    known = git.text("rev-parse", "--quiet", "--verify", f"refs/heads/{worktree.branch}", accept=(0, 1))
    path = str(worktree.path)
    where = (path, worktree.branch) if known else ("-b", worktree.branch, path, worktree.base)
    git.run("worktree", "add", "--quiet", *where)
    try:
        furnish(git, top, worktree, wanted)
    except OSError as error:
        raise SessionError(f"{worktree.path}: cannot be filled: {error}", hint="Is the disk full?") from error
    checkpoints = Checkpoints(worktree.folder, worktree.session_id)
    if newest := checkpoints.newest():
        checkpoints.refill(newest)
    return newest.id if newest else None
