"""The user's repository, looked at without running anything of it, or changed the way the user's own git would."""

from pathlib import Path

from codeflow.core.inert_git import ASK_FOR_FILTERS, OPTIONS, filters_off, variables
from codeflow.sessions.repository import Git

_AS_THE_USER = ("-c", "core.fsmonitor=false", "-c", "gc.auto=0")


def user_git(top: Path) -> Git:
    """Git in the root of a work tree, with the user's filters, signatures and hooks: for what the user has asked for.

    What an agent wrote may run then, as it would when the user commits or merges.
    """
    return Git(top, top / ".git", options=_AS_THE_USER)


def inert_git(top: Path) -> Git:
    """Git in the root of a work tree, or of a submodule, that starts nothing which an agent may have written."""
    filters = filters_off(Git(top, top / ".git").run(*ASK_FOR_FILTERS, accept=(0, 1)))
    return Git(top, top / ".git", options=OPTIONS, variables=variables(filters, top))


def current_branch(git: Git) -> str | None:
    """The short name of the branch that is checked out; None with a detached HEAD."""
    return git.text("symbolic-ref", "--quiet", "--short", "HEAD", accept=(0, 1)) or None


def dirty_paths(git: Git) -> list[str]:
    """What `git status` lists: paths whose changes no commit holds, an untracked folder with a final slash; not what is
    in submodules.
    """
    status = ("status", "--porcelain", "-z", "--no-renames", "--untracked-files=normal")
    return [entry[3:] for entry in git.names(*status, "--ignore-submodules=dirty")]


def is_merged(git: Git, commit: str) -> bool:
    """Whether HEAD holds a commit."""
    return not git.text("rev-list", "--max-count=1", commit, "--not", "HEAD")
