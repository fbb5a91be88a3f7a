"""The user's repository, changed the way the user's own git would."""

import os
from pathlib import Path

from codeflow.sessions.repository import Git

_OPTIONS = ("-c", "core.fsmonitor=false", "-c", "gc.auto=0")
_NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")


def user_git(top: Path, *, hooks: bool = True) -> Git:
    """Git in the root of a work tree, with the user's filters, signatures and, unless told otherwise, hooks."""
    return Git(top, top / ".git", options=_OPTIONS if hooks else (*_OPTIONS, *_NO_HOOKS))


def current_branch(git: Git) -> str | None:
    """The short name of the branch that is checked out; None with a detached HEAD."""
    return git.text("symbolic-ref", "--quiet", "--short", "HEAD", accept=(0, 1)) or None


def dirty_paths(git: Git, *, inside_submodules: bool = False) -> list[str]:
    """What `git status` lists: paths whose changes no commit holds, an untracked folder with a final slash."""
    status = (
        "status",
        "--porcelain",
        "-z",
        "--no-renames",
        "--untracked-files=normal",
        f"--ignore-submodules={'none' if inside_submodules else 'dirty'}",
    )
    return [entry[3:] for entry in git.names(*status)]


def is_merged(git: Git, commit: str) -> bool:
    """Whether HEAD holds a commit."""
    return not git.text("rev-list", "--max-count=1", commit, "--not", "HEAD")
