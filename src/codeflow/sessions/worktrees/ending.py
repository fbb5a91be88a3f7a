"""How a worktree stands, and its ends: merged into the user's branch, or dropped."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from codeflow.core.errors import SessionError
from codeflow.core.text import listed
from codeflow.core.values import Worktree
from codeflow.sessions.repository import Git
from codeflow.sessions.worktrees.ignored import check_copying, copy_ignored, ignored_work, top_of_origin
from codeflow.sessions.worktrees.moved import Moved, keep_on_branch, moved_from_elsewhere
from codeflow.sessions.worktrees.records import Fate, Record, Worktrees
from codeflow.sessions.worktrees.repository import current_branch, dirty_paths, inert_git, is_merged, user_git
from codeflow.sessions.worktrees.submodules import check_submodules, submodule_work

_UNFINISHED = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")
_ANY_CODE = range(256)
_MOST_NAMES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a worktree stands.

    `changed` are the paths that differ from where it began, committed or not, and submodules with work of their own.
    `is_merged`: the user's branch holds all of them, and so does the user's folder. `moved`: that branch was moved from
    outside of it. `ignored` are files that git ignores and that are not so in the
    user's folder. `exists` is False when somebody removed it by hand.
    """

    exists: bool
    changed: tuple[str, ...] = ()
    is_merged: bool = False
    ignored: tuple[str, ...] = ()
    moved: Moved | None = None

    @property
    def work(self) -> tuple[str, ...]:
        """What would be lost with it."""
        return (*(() if self.is_merged else self.changed), *self.ignored)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a merge did: where it took the user's branch, None with a detached HEAD, and what could not be removed."""

    target: str | None
    commit: str
    left: str | None


def standing(worktree: Worktree) -> Standing:
    """Looks at a worktree and at the branch that is checked out in its origin.

    Raises:
        SessionError: when git cannot read one of them.
    """
    if not (worktree.path / ".git").exists():
        return Standing(exists=False)
    git = inert_git(worktree.path)
    dirty = [*dirty_paths(git), *submodule_work(worktree)]
    head = git.text("rev-parse", "HEAD")
    committed = git.names("diff-tree", "-r", "-z", "--name-only", "--no-renames", worktree.base, head)
    user = _origin_git(worktree, inert_git)
    moved = moved_from_elsewhere(worktree)
    merged = not dirty and moved is None and user is not None and is_merged(user, head)
    return Standing(
        exists=True,
        changed=tuple(sorted({*committed, *dirty})),
        is_merged=merged,
        ignored=tuple(ignored_work(worktree)),
        moved=moved,
    )


def merge(record: Record, worktrees: Worktrees, message: str, *, with_ignored: bool) -> Merged:
    """Commits what is in the worktree, merges its branch into the user's, and removes both.

    The user's folder is changed by one `git merge`, which does all or nothing. `message` is that of the commit.
    `with_ignored`: new files that git ignores are copied; else they are lost.

    Raises:
        SessionError: when the branches conflict, the user's folder is in the way, or git refuses; nothing was merged.
    """
    worktree = record.worktree
    if not (worktree.path / ".git").exists():
        raise SessionError(
            f"{worktree.path} is gone",
            hint=f"`codeflow worktrees restore {worktree.session_id}` makes it again from its last checkpoint.",
        )
    git = _origin_git(worktree, user_git)
    if git is None:
        raise SessionError(f"{worktree.origin}: the folder to merge into is gone", hint="Merge by hand.")
    _check_origin(git, worktree)
    ignored = ignored_work(worktree) if with_ignored else []
    check_copying(worktree, ignored)
    commit = _commit(worktree, message)
    before = git.text("rev-parse", "HEAD")
    _check_paths(git, worktree, commit)
    if not is_merged(user_git(worktree.path), before):
        _check_conflicts(git, worktree, commit)
        _check_staged(git, worktree, commit)
    _merge(git, worktree, commit, message)
    after = git.text("rev-parse", "HEAD")
    copy_ignored(worktree, ignored)
    left = _remove(worktree, git)
    worktrees.write(replace(record, fate=Fate.MERGED, before=before, after=after))
    return Merged(target=worktree.target, commit=after, left=left)


def drop(record: Record, worktrees: Worktrees) -> str | None:
    """Removes a worktree and its branch, with all that is in them; returns what could not be removed.

    Raises:
        SessionError: when the worktree cannot be removed.
    """
    left = _remove(record.worktree, _origin_git(record.worktree, inert_git), force=True)
    worktrees.write(replace(record, fate=Fate.DROPPED))
    return left


def is_merge(record: Record) -> bool:
    """Whether a merged record made a merge commit, rather than moving the branch forward."""
    git = _origin_git(record.worktree, inert_git)
    second = ("rev-parse", "--quiet", "--verify", f"{record.after}^2")
    return git is not None and bool(git.text(*second, accept=(0, 1)))


def _origin_git(worktree: Worktree, opened: Callable[[Path], Git]) -> Git | None:
    top = top_of_origin(worktree)
    return opened(top) if (top / ".git").exists() else None


def _check_origin(git: Git, worktree: Worktree) -> None:
    """Whether the user's folder is ready for a merge."""
    for name in _UNFINISHED:
        if Path(git.text("rev-parse", "--path-format=absolute", "--git-path", name)).exists():
            raise SessionError(
                f"{worktree.origin}: a merge, rebase or the like is under way there", hint="Finish it first."
            )
    now = current_branch(git)
    if now != worktree.target:
        there = f"on {now}" if now else "on no branch"
        began = worktree.target or "a detached HEAD"
        cure = f"`git switch {worktree.target}` first, or " if worktree.target else ""
        raise SessionError(
            f"{worktree.origin} is {there} now, and the session began on {began}",
            hint=f"{cure}merge by hand: git merge {worktree.branch}",
        )
    if moved := moved_from_elsewhere(worktree):
        raise SessionError(moved.what, hint=f"{moved.way_back} Then merge again.")
    if now and current_branch(inert_git(worktree.path)) == now:
        raise SessionError(
            f"the worktree has {now} checked out, which is your folder's branch: a commit there would move it",
            hint=f"`{keep_on_branch(worktree)}` takes its work to the session's branch; then merge again.",
        )


def _commit(worktree: Worktree, message: str) -> str:
    """The worktree's newest commit, with everything in it that git does not ignore."""
    git = user_git(worktree.path)
    if git.run("ls-files", "--unmerged"):
        raise SessionError(
            "the worktree has conflicts that are not solved",
            hint=f"Solve them in {worktree.path} and `git add` the files, then merge again.",
        )
    dirty = dirty_paths(git)
    with _index_as_before(git):
        try:
            if dirty:
                git.run("add", "--all")  # makes submodules of nested repositories
        except SessionError as error:
            raise _not_committed(worktree, error) from error
        check_submodules(worktree)
    if dirty:
        try:
            git.run("commit", "--quiet", "--file=-", stdin=message.encode())
        except SessionError as error:
            raise _not_committed(worktree, error) from error
    return git.text("rev-parse", "HEAD")


@contextmanager
def _index_as_before(git: Git) -> Iterator[None]:
    """Takes back what is staged here when it turns out that there is no merge."""
    index = Path(git.text("rev-parse", "--path-format=absolute", "--git-path", "index"))
    before = index.read_bytes() if index.exists() else None
    try:
        yield
    except SessionError:
        if before is None:
            index.unlink(missing_ok=True)
        else:
            draft = index.with_name("index.codeflow")
            draft.write_bytes(before)
            draft.replace(index)
        raise


def _not_committed(worktree: Worktree, error: SessionError) -> SessionError:
    return SessionError(
        f"the session's work could not be committed: {error}",
        hint=f"Commit it yourself in {worktree.path}, then merge again.",
    )


def _check_paths(git: Git, worktree: Worktree, commit: str) -> None:
    """Whether the merge touches what the user has changed, or would put a file where an untracked one stands."""
    changes = ("diff", "--name-only", "--no-renames", "-z")
    dirty = {*dirty_paths(git)}
    mine = {path for path in git.names(*changes, f"HEAD...{commit}") if path in dirty}
    top = Path(git.text("rev-parse", "--show-toplevel"))
    added = git.names(*changes, "--diff-filter=A", f"HEAD...{commit}")
    if standing_here := {path for path in added if _stands(top, path)}:
        mine |= standing_here - {*git.names("ls-files", "-z", "--full-name", ":/")}
    if mine:
        raise SessionError(
            f"uncommitted changes of yours are in files that the session changed: {listed(sorted(mine), _MOST_NAMES)}",
            hint=f"Commit or stash them, then `codeflow worktrees merge {worktree.session_id}`.",
        )
    if hidden := [
        path for path in _overlooked(git, top) if path in {*git.names(*changes, f"HEAD...{commit}")}
    ]:
        names = listed(hidden, _MOST_NAMES)
        raise SessionError(
            f"changes of yours that git was told to overlook are in files that the session changed: {names}",
            hint="`git update-index --no-assume-unchanged --no-skip-worktree FILE` shows them again; "
            f"commit or stash them, then `codeflow worktrees merge {worktree.session_id}`.",
        )


def _overlooked(git: Git, top: Path) -> list[str]:
    """Files marked assume-unchanged or skip-worktree that are there and are not as in the index."""
    marked = [line[2:] for line in git.names("ls-files", "-v", "-z", "--full-name", ":/") if line[0] != "H"]
    here = [path for path in marked if (top / path).is_file() or (top / path).is_symlink()]
    found = []
    for path in here:
        staged = git.text("rev-parse", "--quiet", "--verify", f":{path}", accept=(0, 1))
        if staged != git.text("hash-object", f"--path={path}", "--", str(top / path)):
            found.append(path)
    return found


def _stands(top: Path, path: str) -> bool:
    """Whether something is at a path, or a file where a folder above it would have to be."""
    place = top / path
    folders = (top / parent for parent in PurePosixPath(path).parents)
    return place.exists() or place.is_symlink() or any(f.exists() and not f.is_dir() for f in folders)


def _check_conflicts(git: Git, worktree: Worktree, commit: str) -> None:
    """Merges in memory; the user's folder and index are not touched."""
    merging = ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", "HEAD", commit)
    _tree, *conflicts = [
        name for name in git.run(*merging, accept=(0, 1)).decode(errors="replace").split("\0") if name
    ]
    if conflicts:
        raise SessionError(
            f"{worktree.target or 'HEAD'} has moved and conflicts with the session's work: {listed(conflicts, _MOST_NAMES)}",
            hint=f"`git -C {worktree.path} merge {worktree.target or 'COMMIT'}`, solve the conflicts there, then merge again.",
        )


def _check_staged(git: Git, worktree: Worktree, commit: str) -> None:
    """A merge commit takes what is staged along, so that git makes none while something is."""
    staged = git.names("diff", "--cached", "--name-only", "--no-renames", "-z")
    if staged and not is_merged(git, commit):
        raise SessionError(
            f"{worktree.target or 'HEAD'} has moved, and git makes no merge commit while something is staged: "
            f"{listed(sorted(staged), _MOST_NAMES)}",
            hint="Commit it, or `git restore --staged` it, which leaves the files as they are; then "
            f"`codeflow worktrees merge {worktree.session_id}`.",
        )


def _merge(git: Git, worktree: Worktree, commit: str, message: str) -> None:
    title = f"Merge {worktree.branch}: {message.splitlines()[0]}"
    try:
        git.run("merge", "--ff", "--no-edit", "--quiet", "-m", title, commit)
    except SessionError as error:
        git.run(
            "merge", "--abort", accept=_ANY_CODE
        )  # there is one only when a hook refused the merge commit
        raise SessionError(
            f"git would not merge: {error}", hint=f"Try it by hand: git merge {worktree.branch}"
        ) from error


def _remove(worktree: Worktree, git: Git | None, *, force: bool = False) -> str | None:
    """Removes the worktree, and the branch when it is merged or there is `force`; returns what is left of them."""
    if git is not None:
        git.run("worktree", "remove", "--force", "--force", str(worktree.path), accept=_ANY_CODE)
    if worktree.path.exists():
        try:
            shutil.rmtree(worktree.path)
        except OSError as error:
            raise SessionError(
                f"{worktree.path}: cannot be removed: {error.strerror}", hint="Remove it by hand."
            ) from error
    if git is None:
        return None
    git.run("worktree", "prune")
    return f"the branch {worktree.branch}" if not _removed(git, worktree, force=force) else None


def _removed(git: Git, worktree: Worktree, *, force: bool) -> bool:
    ref = f"refs/heads/{worktree.branch}"
    tip = git.text("rev-parse", "--quiet", "--verify", ref, accept=(0, 1))
    if not tip:
        return True
    if not force and (worktree.target is None or not is_merged(git, tip)):
        return False
    git.run("branch", "--quiet", "-D", worktree.branch, accept=_ANY_CODE)
    return not git.text("rev-parse", "--quiet", "--verify", ref, accept=(0, 1))
