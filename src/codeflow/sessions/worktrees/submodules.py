"""What a run left in the submodules of its worktree: no merge takes it along, and it would go with the worktree."""

from collections.abc import Iterator
from pathlib import Path

from codeflow.core.errors import SessionError
from codeflow.core.text import listed
from codeflow.core.values import Worktree
from codeflow.sessions.repository import Git
from codeflow.sessions.worktrees.repository import dirty_paths, inert_git

_SUBMODULE = "160000"
_MOST_NAMES = 10


def submodules(git: Git) -> Iterator[str]:
    """The paths in the index that are repositories of their own, also those that .gitmodules does not name."""
    for entry in git.names("ls-files", "--stage", "-z", "--full-name", ":/"):
        facts, _, path = entry.partition("\t")
        if facts.startswith(_SUBMODULE):
            yield path


def submodule_work(worktree: Worktree) -> list[str]:
    """The submodules that have files or commits which are nowhere else.

    Raises:
        SessionError: when git cannot read one of them.
    """
    git = inert_git(worktree.path)
    return [path for path in submodules(git) if _has_work(worktree.path / path, _noted(git, worktree, path))]


def check_submodules(worktree: Worktree) -> None:
    """Whether all work can be merged.

    Raises:
        SessionError: naming the submodules with work that would be lost.
    """
    if found := submodule_work(worktree):
        raise SessionError(
            f"there is work in submodules, which a merge does not take along: {listed(found, _MOST_NAMES)}",
            hint=f"In {worktree.path}, commit and push it there, or move it elsewhere; "
            f"then `codeflow worktrees merge {worktree.session_id}`.",
        )


def _noted(git: Git, worktree: Worktree, path: str) -> str:
    """The submodule's commit where the worktree began; empty when it had none."""
    return git.text("rev-parse", "--quiet", "--verify", f"{worktree.base}:{path}", accept=(0, 1, 128))


def _has_work(folder: Path, noted: str) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    if not (folder / ".git").exists():
        return any(folder.iterdir())
    git = inert_git(folder)
    if dirty_paths(git):
        return True
    # one by one, as git would start the filters that each of them names
    inner = [(folder / path, git.text("rev-parse", f":{path}")) for path in submodules(git)]
    if any(_has_work(*one) for one in inner):
        return True
    tips = git.text("for-each-ref", "--format=%(objectname)", "refs/heads", "refs/stash").split()
    head = git.text("rev-parse", "--quiet", "--verify", "HEAD", accept=(0, 1))
    tips += [head] if head else []
    newest = ("rev-list", "--max-count=1", "--ignore-missing", *tips, "--not", "--remotes")
    return bool(tips and git.text(*newest, *filter(None, [noted])))
