"""The user's branch, moved by somebody who was not in the user's folder: files and index there stay behind."""

from dataclasses import dataclass

from codeflow.core.values import Worktree
from codeflow.sessions.repository import Git
from codeflow.sessions.worktrees.ignored import top_of_origin
from codeflow.sessions.worktrees.repository import current_branch, inert_git

_SHORT = 10
_OK_OR_NONE = (0, 1, 128)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The branch that is checked out in a worktree's origin went from one commit to another, and its files did not."""

    worktree: Worktree
    branch: str
    before: str
    after: str

    @property
    def what(self) -> str:
        """For people."""
        return (
            f"{self.branch} was moved from {self.before[:_SHORT]} to {self.after[:_SHORT]}, by the run or from elsewhere, "
            f"while it is checked out in {self.worktree.origin}: the files there are as before, and git shows them as "
            "staged changes that take the new commits back"
        )

    @property
    def way_back(self) -> str:
        """The commands that keep the work on the session's branch and put the user's where it was."""
        return (
            f"Do not commit there yet: `{keep_on_branch(self.worktree)}` keeps the work, "
            f"`git -C {self.worktree.origin} reset --soft {self.before[:_SHORT]}` moves {self.branch} back and leaves "
            "the files alone."
        )


def moved_from_elsewhere(worktree: Worktree) -> Moved | None:
    """Whether the user's branch was moved past the folder that it is checked out in.

    Git's log of that folder's HEAD ends with the commit that its files were last at, whoever moves the branch. Without
    such a log nothing is known.

    Raises:
        SessionError: when git cannot read the user's repository.
    """
    top = top_of_origin(worktree)
    if not (top / ".git").exists():
        return None
    git = inert_git(top)
    branch = current_branch(git)
    if branch is None or branch != worktree.target:
        return None
    after = git.text("rev-parse", "--quiet", "--verify", "HEAD", accept=(0, 1))
    before, *_ = [*_log(git, "HEAD", "--max-count=1"), ""]
    # a HEAD that was pointed at another branch by hand is no move of that branch
    if not before or before == after or before not in _log(git, f"refs/heads/{branch}"):
        return None
    return Moved(worktree=worktree, branch=branch, before=before, after=after)


def keep_on_branch(worktree: Worktree) -> str:
    """The command that takes the worktree's commits, wherever its HEAD is, to the session's branch."""
    return f"git -C {worktree.path} checkout -B {worktree.branch}"


def _log(git: Git, ref: str, *options: str) -> list[str]:
    """The commits that a ref was at, newest first."""
    return git.text("rev-list", "--walk-reflogs", *options, ref, "--", accept=_OK_OR_NONE).split()
