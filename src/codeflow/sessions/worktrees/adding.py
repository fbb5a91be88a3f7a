"""A new worktree: whether there can be one, and making it at the last commit of the user's folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.errors import SessionError, UsageError
from codeflow.core.programs import program_outside
from codeflow.core.settings import WorktreeSettings
from codeflow.core.text import listed
from codeflow.core.values import Worktree
from codeflow.sessions.repository import Git, top_of
from codeflow.sessions.worktrees.furnishing import furnish
from codeflow.sessions.worktrees.records import Record, Worktrees
from codeflow.sessions.worktrees.repository import current_branch, dirty_paths, inert_git, user_git
from codeflow.sessions.worktrees.submodules import submodules

_BRANCHES = "codeflow"
_MOST_NAMES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a worktree of a folder would start from. `branch` None: it is named after the session.

    `missing` are the paths whose uncommitted changes would not be in it.
    """

    origin: Path
    top: Path
    base: str
    target: str | None
    branch: str | None
    missing: tuple[str, ...]
    submodules: tuple[str, ...]


def survey(origin: Path, branch: str | None, flag: str = "--worktree") -> Survey:
    """Looks at the repository of a folder; nothing is changed. `flag` is the one that asked for a worktree.

    Raises:
        UsageError: when there can be no worktree of it, or no branch of that name.
    """
    top = _repository(origin, flag)
    try:
        git = inert_git(top)
        base = git.text("rev-parse", "--quiet", "--verify", "HEAD^{commit}", accept=(0, 1, 128))
    except SessionError as error:
        raise UsageError(f"{top}: {error}", hint="`git status` there should work first.") from error
    if not base:
        raise UsageError(
            f"{top} has no commit yet: a worktree starts from one",
            hint=f"Commit first, or leave {flag} out.",
        )
    place = origin.relative_to(top).as_posix()
    if git.run("ls-tree", "-d", "-z", base, "--", place) == b"" and origin != top:
        raise UsageError(
            f"{place} is not in the last commit of {top}, so it would be missing in a worktree",
            hint=f"Commit it first, or leave {flag} out.",
        )
    if branch is not None:
        _check_branch(git, branch)
    has_submodules = git.run("ls-files", "-z", "--full-name", "--", ":/.gitmodules")
    return Survey(
        origin=origin,
        top=top,
        base=base,
        target=current_branch(git),
        branch=branch,
        missing=tuple(dirty_paths(git)),
        submodules=tuple(submodules(git)) if has_submodules else (),
    )


def check_identity(found: Survey) -> None:
    """Whether git would let the user commit, as a merge will have to.

    Raises:
        UsageError: when git does not know who the user is.
    """
    git = user_git(found.top)
    try:
        for who in ("AUTHOR", "COMMITTER"):
            git.run("var", f"GIT_{who}_IDENT")
    except SessionError as error:
        raise UsageError(
            "git does not know who you are, so what is made could not be merged",
            hint='`git config --global user.name "Your Name"`, the same with user.email, then try again.',
        ) from error


def add(found: Survey, session_id: str, worktrees: Worktrees, wanted: WorktreeSettings) -> Worktree:
    """Makes the worktree, and takes along what the settings want of what git ignores.

    Raises:
        FileExistsError: when the session has one.
        SessionError: when git, or the disk, refuses; nothing is left of it then.
    """
    place = worktrees.reserve(session_id)
    path = place / (found.top.name or "root")
    worktree = Worktree(
        session_id=session_id,
        origin=found.origin,
        path=path,
        folder=path / found.origin.relative_to(found.top),
        branch=found.branch or f"{_BRANCHES}/{session_id}",
        base=found.base,
        target=found.target,
    )
    git = inert_git(found.top)
    try:
        worktrees.write(Record(worktree=worktree))
        git.run("worktree", "add", "--quiet", "--no-track", "-b", worktree.branch, str(path), found.base)
        furnish(git, found.top, worktree, wanted)
    except (SessionError, OSError) as error:
        git.run("worktree", "remove", "--force", str(path), accept=range(256))
        worktrees.forget(session_id)
        if isinstance(error, SessionError):
            raise
        raise SessionError(
            f"{path}: the worktree cannot be made: {error}", hint="Is the disk full?"
        ) from error
    return worktree


def notes(found: Survey, worktree: Worktree, others: int) -> tuple[str, ...]:
    """What the user should know before the run; `others` are the folder's worktrees that wait to be ended."""
    return tuple(_notes(found, worktree, others))


def _notes(found: Survey, worktree: Worktree, others: int) -> Iterator[str]:
    start = f"{found.target or 'a detached HEAD'} at {found.base[:10]}"
    yield f"works in the worktree {worktree.folder}, on the branch {worktree.branch}, from {start}"
    if found.missing:
        yield (
            f"your uncommitted changes are NOT in the worktree: {listed(found.missing, _MOST_NAMES)}; "
            "commit them first if the task needs them"
        )
    if found.submodules:
        yield (
            f"submodules are empty in the worktree: {listed(found.submodules, _MOST_NAMES)}; "
            "`git submodule update --init` there fills them"
        )
    if others:
        yield f"other worktrees of this folder wait to be merged or dropped: {others} (`codeflow worktrees list`)"


def _repository(origin: Path, flag: str) -> Path:
    if program_outside("git", origin) is None:
        raise UsageError(f"{flag} needs git, which is not installed", hint=f"Leave {flag} out.")
    try:
        top = top_of(origin)
    except SessionError as error:
        raise UsageError(f"no worktree here: {error}", hint="Use a checkout of it.") from error
    if top is None:
        raise UsageError(
            f"{origin} is in no git repository, so it can have no worktree",
            hint=f"Leave {flag} out: checkpoints and `codeflow undo` work without git.",
        )
    return top


def _check_branch(git: Git, branch: str) -> None:
    if not git.run("check-ref-format", "--branch", branch, accept=range(256)).strip():
        raise UsageError(f"--worktree={branch}: not a branch name", hint="For example --worktree=fix-login.")
    if git.run("rev-parse", "--quiet", "--verify", f"refs/heads/{branch}", accept=range(256)):
        raise UsageError(
            f"--worktree={branch}: the branch exists",
            hint="Choose another name; `codeflow worktrees list` shows which sessions can be resumed.",
        )
