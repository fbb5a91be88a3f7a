"""Undoing: which paths go back, and putting them there."""

import os
import secrets
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.errors import SessionError
from codeflow.sessions.repository import Repository
from codeflow.sessions.snapshots import Entry


@dataclass(frozen=True, slots=True)
class Step:
    """Two states of the work tree in a row, and who made the difference."""

    before: Mapping[str, Entry]
    after: Mapping[str, Entry]
    by_user: bool

    @property
    def changed(self) -> set[str]:
        return {
            path
            for path in self.before.keys() | self.after.keys()
            if self.before.get(path) != self.after.get(path)
        }


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What to write and what to delete; `conflicts` forbid both."""

    restore: Mapping[str, Entry]
    remove: tuple[str, ...]
    conflicts: tuple[str, ...]


def plan_undo(workspace: Path, steps: Sequence[Step], *, kept: Collection[str], force: bool) -> UndoPlan:
    """The way from the last state back to the first, for the paths that a run changed.

    `kept` files, and all in `kept` folders, were there before the first state without being part of it: they stay.
    """
    first, now = steps[0].before, steps[-1].after
    by_run = {path for step in steps if not step.by_user for path in step.changed}
    by_user = {path for step in steps if step.by_user for path in step.changed}
    changed = sorted(path for path in by_run if first.get(path) != now.get(path))
    restored = {path: first[path] for path in changed if path in first}
    removed = {path for path in changed if path not in first and not _lies_in(path, kept)}
    obstacles = set(_obstacles(workspace, restored, removed))
    if force:
        # an obstacle outside `now` is in no checkpoint, so that not even force may delete it
        removed |= obstacles & now.keys()
        conflicts = obstacles - now.keys()
    else:
        conflicts = obstacles | (by_user & set(changed))
    return UndoPlan(restored, tuple(sorted(removed)), tuple(sorted(conflicts)))


def restore(repository: Repository, plan: UndoPlan) -> None:
    """Carries out a plan; one that was interrupted can be made and carried out again.

    Raises:
        SessionError: naming the file that could not be written.
    """
    path = ""
    try:
        for path in plan.remove:
            _remove(repository.workspace, repository.workspace / path)
        contents = repository.contents(entry.blob for entry in plan.restore.values())
        for (path, entry), content in zip(plan.restore.items(), contents, strict=True):
            _write(repository.workspace / path, entry, content)
    except OSError as error:
        raise SessionError(
            f"undo stopped at {path}: {error.strerror}",
            hint="Make the file writable, then run undo again; it continues where it stopped.",
        ) from error


def _lies_in(path: str, kept: Collection[str]) -> bool:
    return any(path == name.rstrip("/") or path.startswith(name.rstrip("/") + "/") for name in kept)


def _obstacles(workspace: Path, restored: Collection[str], removed: Collection[str]) -> Iterator[str]:
    """Paths that stand where a restored file, or a folder above it, has to be."""
    for path in restored:
        file = workspace / path
        for parent in file.relative_to(workspace).parents:
            here = workspace / parent
            if here.is_symlink() or (here.exists() and not here.is_dir()):
                yield from {parent.as_posix()} - set(removed)
        if file.is_dir() and not file.is_symlink():
            inside = (found for found in file.rglob("*") if found.is_symlink() or not found.is_dir())
            yield from {found.relative_to(workspace).as_posix() for found in inside} - set(removed)


def _remove(workspace: Path, file: Path) -> None:
    """Deletes a file and the folders that are empty without it."""
    file.unlink(missing_ok=True)
    for folder in file.parents:
        if folder == workspace or any(folder.iterdir()):
            return
        folder.rmdir()


def _write(file: Path, entry: Entry, content: bytes) -> None:
    """Puts a file or link in place in one step, so that no reader sees half of it."""
    if file.is_dir() and not file.is_symlink():
        for folder, _, _ in os.walk(file, topdown=False):
            Path(folder).rmdir()
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".codeflow-{secrets.token_hex(8)}")
    if stat.S_ISLNK(entry.mode):
        temporary.symlink_to(os.fsdecode(content))
    else:
        temporary.touch(mode=0o600, exist_ok=False)
        temporary.write_bytes(content)
        temporary.chmod(stat.S_IMODE(entry.mode))
    temporary.replace(file)
