"""Going back: which paths, and putting them there."""

import contextlib
import os
import secrets
import stat
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath

from codeflow.core.errors import SessionError, remedy
from codeflow.sessions.history import Checkpoint, claims
from codeflow.sessions.repository import Store
from codeflow.sessions.scanning import lies_in
from codeflow.sessions.snapshots import Entry, Snapshot

Entries = Mapping[str, Entry]
_SLACK_S = 2.0
"""A killed command may write for as long after the last sign of life of the run."""


@dataclass(frozen=True, slots=True)
class Step:
    """Two states of the work tree in a row. `claimed` are the paths that a run changed; None: it may be all."""

    before: Entries
    after: Entries
    claimed: Collection[str] | None

    def changed(self) -> set[str]:
        return {
            path
            for path in self.before.keys() | self.after.keys()
            if self.before.get(path) != self.after.get(path)
        }


@dataclass(frozen=True, slots=True)
class Goal:
    """A state to go back to. What is in `kept` it did not cover: that stays, but for paths `known` since."""

    entries: dict[str, Entry]
    kept: Collection[str]
    known: set[str] = field(default_factory=set)

    def discover(
        self, before: Entries, after: Entries, *, uncovered: Collection[str], held: Collection[str]
    ) -> Entries:
        """`before` with the paths that are first seen in `after`; the goal is to leave these as they are there.

        These are `held` paths, and those that lay in `uncovered`.
        """
        seen = {path for path in after.keys() - before.keys() if path in held or lies_in(path, uncovered)}
        new = {path: after[path] for path in seen}
        for path in {*held, *seen} - self.known - self.entries.keys():
            self.known.add(path)
            if path in new:
                self.entries[path] = new[path]
        return {**before, **new} if new else before


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write and what to delete; `conflicts` forbid both."""

    restore: Entries
    remove: tuple[str, ...]
    conflicts: tuple[str, ...] = ()

    @property
    def told_restored(self) -> list[str]:
        return _without_filled_folders(self.restore)

    @property
    def told_removed(self) -> list[str]:
        return _without_filled_folders(self.remove)


@dataclass(slots=True)
class Account:
    """Who changed what since a state, added up step by step so that a long session fits in memory."""

    by_run: set[str] = field(default_factory=set)
    _mixed: set[str] = field(default_factory=set)
    """Paths that the run changed after the user had."""
    _since: set[str] = field(default_factory=set)
    """Paths that the user has changed since the run did, if it ever did."""
    _left: dict[str, Entry | None] = field(default_factory=dict)
    """How the run left the paths that it changed."""

    @property
    def by_user(self) -> set[str]:
        """What is the user's, in whole or in part; a change that was taken back is not."""
        return self._mixed | self._since

    def add(self, step: Step) -> None:
        changed = step.changed()
        ours = changed if step.claimed is None else changed & _with_folders(step.claimed)
        self._mixed |= ours & self._since
        self._since -= ours
        self.by_run |= ours
        self._left.update((path, step.after.get(path)) for path in ours)
        for path in changed - ours:
            taken_back = path in self._left and step.after.get(path) == self._left[path]
            (self._since.discard if taken_back else self._since.add)(path)


def account_of(steps: Sequence[Checkpoint], snapshot: Callable[[Checkpoint], Snapshot]) -> Account:
    """Who changed what from the first of these checkpoints to the last."""
    account = Account()
    after = snapshot(steps[0]).entries
    for earlier, later in pairwise(steps):
        if earlier.tree != later.tree:
            before, after = after, snapshot(later).entries
            account.add(Step(before, after, claims(earlier, later)))
    return account


def plan_undo(workspace: Path, goal: Goal, now: Entries, account: Account, *, force: bool) -> Plan:
    """The way from now back to a goal, for the paths that a run changed."""
    changed = sorted(path for path in account.by_run if goal.entries.get(path) != now.get(path))
    plan = _plan(goal, changed)
    obstacles = set(_obstacles(workspace, plan))
    # two hands in one folder are no conflict: it is only removed when it is empty
    contested = {path for path in account.by_user & set(changed) if not is_folder(path, goal.entries, now)}
    if not force:
        return Plan(plan.restore, plan.remove, tuple(sorted(obstacles | contested)))
    # an obstacle outside `now` is in no checkpoint, so that not even force may delete it
    remove = sorted({*plan.remove, *(obstacles & now.keys())})
    return Plan(plan.restore, tuple(remove), tuple(sorted(obstacles - now.keys())))


def plan_exact(workspace: Path, goal: Goal, now: Entries) -> Plan:
    """The way from now to exactly a goal, whoever changed what."""
    everything = sorted(goal.entries.keys() | now.keys())
    plan = _plan(goal, [path for path in everything if goal.entries.get(path) != now.get(path)])
    return Plan(plan.restore, plan.remove, tuple(sorted(_obstacles(workspace, plan))))


def changed_until(workspace: Path, step: Step, moment: float) -> frozenset[str]:
    """What of a step's claimed changes may have been made by a moment; a deletion may always."""
    changed = step.changed() if step.claimed is None else step.changed() & {*step.claimed}
    return frozenset(path for path in changed if not _changed_after(workspace / path, moment))


def _changed_after(file: Path, moment: float) -> bool:
    with contextlib.suppress(OSError):
        status = file.lstat()
        return not stat.S_ISDIR(status.st_mode) and status.st_ctime > moment + _SLACK_S
    return False


def carry_out(store: Store, plan: Plan) -> None:
    """Write and delete; a plan that was interrupted can be made and carried out again.

    Raises:
        SessionError: naming the file that could not be written.
    """
    path = ""
    folders = {path: entry for path, entry in plan.restore.items() if entry.is_folder}
    files = {path: entry for path, entry in plan.restore.items() if not entry.is_folder}
    try:
        for path in sorted(plan.remove, reverse=True):  # what is in a folder before the folder
            _remove(store.workspace / path)
        for path in sorted(folders):
            _make_folder(store.workspace / path)
        contents = store.contents(entry.blob for entry in files.values())
        for (path, entry), content in zip(files.items(), contents, strict=True):
            _write(store.workspace / path, entry, content)
        for path in sorted(folders, reverse=True):
            (store.workspace / path).chmod(stat.S_IMODE(folders[path].mode))
    except OSError as error:
        raise SessionError(
            f"undo stopped at {path}: {error.strerror}",
            hint=f"{remedy(error)} Then run undo again; it continues where it stopped.",
        ) from error


def _with_folders(paths: Collection[str]) -> set[str]:
    """The paths and every folder above them."""
    return {*paths} | {parent.as_posix() for path in paths for parent in PurePosixPath(path).parents}


def _plan(goal: Goal, changed: Sequence[str]) -> Plan:
    new = (path for path in changed if path not in goal.entries)
    return Plan(
        {path: goal.entries[path] for path in changed if path in goal.entries},
        tuple(path for path in new if path in goal.known or not lies_in(path, goal.kept)),
    )


def _without_filled_folders(paths: Collection[str]) -> list[str]:
    """The paths, but for folders of which something inside is among them."""
    folders = {parent.as_posix() for path in paths for parent in PurePosixPath(path).parents}
    return [path for path in paths if path not in folders]


def is_folder(path: str, target: Entries, now: Entries) -> bool:
    """Whether a path is a folder in both states, or in the one that has it."""
    known = [entry for entry in (target.get(path), now.get(path)) if entry is not None]
    return all(entry.is_folder for entry in known)


def _obstacles(workspace: Path, plan: Plan) -> Iterator[str]:
    """Paths that stand where a restored file, or a folder above it, has to be, and are to stay."""
    leaving = set(plan.remove)
    blocked: dict[PurePosixPath, bool] = {}
    for path, entry in plan.restore.items():
        parents = PurePosixPath(path).parents
        blocked.update((folder, _blocks(workspace / folder)) for folder in parents if folder not in blocked)
        barriers = [folder for folder in parents if blocked[folder]]
        yield from {
            parent.as_posix() for parent in barriers if parent.as_posix() not in plan.restore
        } - leaving
        file = workspace / path
        # behind a barrier there is nothing of the workspace, but perhaps what a link leads to
        if not barriers and not entry.is_folder and file.is_dir() and not file.is_symlink():
            inside = (found for found in file.rglob("*") if found.is_symlink() or not found.is_dir())
            yield from {found.relative_to(workspace).as_posix() for found in inside} - leaving


def _blocks(folder: Path) -> bool:
    """Whether something else stands where a folder has to be."""
    return folder.is_symlink() or (folder.exists() and not folder.is_dir())


def _remove(file: Path) -> None:
    """Deletes a file, or a folder that is empty."""
    if file.is_dir() and not file.is_symlink():
        with contextlib.suppress(OSError):  # what stays in it is not ours
            file.rmdir()
        return
    with contextlib.suppress(NotADirectoryError):
        file.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    """Makes a folder that can be written for now, in the place of a file or link."""
    if _blocks(folder):
        folder.unlink()
    folder.mkdir(mode=0o700, exist_ok=True, parents=True)
    folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o700)


def _write(file: Path, entry: Entry, content: bytes) -> None:
    """Puts a file or link in place in one step, so that no reader sees half of it."""
    if file.is_dir() and not file.is_symlink():
        for folder, _, _ in os.walk(file, topdown=False):
            Path(folder).rmdir()
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".codeflow-{secrets.token_hex(8)}")
    try:
        if stat.S_ISLNK(entry.mode):
            temporary.symlink_to(os.fsdecode(content))
        else:
            temporary.touch(mode=0o600, exist_ok=False)
            temporary.write_bytes(content)
            temporary.chmod(stat.S_IMODE(entry.mode))
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
