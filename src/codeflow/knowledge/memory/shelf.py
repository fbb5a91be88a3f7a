"""Notes on disk: a file of JSON lines for each session, project and user, whole after every change.

The first line is a header with the version of the format. A line that cannot be read stays in its file as it is.
"""

import fcntl
import json
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from codeflow.core.errors import CodeflowError
from codeflow.core.notes import Note
from codeflow.core.places import private_folder

VERSION = 1
_HEADER = "codeflow_memory"
_SUFFIX = ".jsonl"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds: its notes, the lines that nobody can read, and the folder that it is about."""

    notes: tuple[Note, ...] = ()
    unreadable: tuple[bytes, ...] = ()
    place: str = ""


class Shelf:
    """One file of notes; several processes may change it at once."""

    def __init__(self, path: Path, lock: Path, place: str = "") -> None:
        """`place` is written into the header of a new file; `lock` is held while a file is changed."""
        self.path = path
        self._lock = lock
        self._place = place

    def read(self) -> Contents:
        """What the file holds; nothing when there is none.

        Raises:
            CodeflowError: when it cannot be read, or was written by a newer codeflow.
        """
        try:
            return self._parsed(self.path.read_bytes().splitlines())
        except FileNotFoundError:
            return Contents(place=self._place)
        except OSError as error:
            raise self._fault("cannot be read", error) from error

    def change(self, edit: Callable[[Sequence[Note]], Sequence[Note]]) -> None:
        """Put what `edit` makes of the notes in their place; a file without notes is removed.

        Raises:
            CodeflowError: when the file cannot be read or written; it is then as it was.
        """
        try:
            with self._locked():
                before = self.read()
                after = edit(before.notes)
                if tuple(after) != before.notes:
                    self._write(before, after)
        except OSError as error:
            raise self._fault("cannot be written", error) from error

    def remove(self) -> None:
        """Remove the file with all that is in it.

        Raises:
            CodeflowError: when that cannot be done.
        """
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise self._fault("cannot be removed", error) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        for folder in (self._lock.parent, self.path.parent):
            private_folder(folder)
        with os.fdopen(os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, before: Contents, notes: Sequence[Note]) -> None:
        if not notes and not before.unreadable:
            self.path.unlink(missing_ok=True)
            return
        header = {_HEADER: VERSION, "place": before.place or self._place}
        records = [header, *(_adapter().dump_python(note, mode="json") for note in notes)]
        lines = [*(json.dumps(record).encode() for record in records), *before.unreadable]
        temporary = self.path.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(b"\n".join([*lines, b""]))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)

    def _parsed(self, lines: Sequence[bytes]) -> Contents:
        notes: list[Note] = []
        unreadable: list[bytes] = []
        place = self._place
        for line in filter(bytes.strip, lines):
            record = _record(line)
            if record is not None and _HEADER in record:
                self._check_version(record[_HEADER])
                place = str(record.get("place", place))
            elif (note := _note(record)) is not None:
                notes.append(note)
            else:
                unreadable.append(line)
        return Contents(tuple(notes), tuple(unreadable), place)

    def _check_version(self, version: object) -> None:
        if not isinstance(version, int) or version > VERSION:
            raise CodeflowError(
                f"{self.path}: these notes were written by a newer codeflow",
                hint="Update codeflow to use them.",
            )

    def _fault(self, problem: str, error: OSError) -> CodeflowError:
        return CodeflowError(
            f"{self.path}: notes {problem}: {error.strerror or error}",
            hint="Correct its permissions, or move it away; runs go on without it.",
        )


class Shelves:
    """Every file of notes of a user, below one folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._lock = home / "lock"

    def of_user(self) -> Shelf:
        return Shelf(self.home / f"user{_SUFFIX}", self._lock)

    def of_project(self, home: Path) -> Shelf:
        """The notes of a project, by its `identity.project_home`."""
        key = sha256(os.fsencode(home)).hexdigest()[:16]
        place = os.fsencode(home).decode("utf-8", "backslashreplace")
        return Shelf(self.home / "projects" / (key + _SUFFIX), self._lock, place)

    def of_session(self, session_id: str) -> Shelf:
        return Shelf(self.home / "sessions" / (session_id + _SUFFIX), self._lock)

    def all(self) -> list[Shelf]:
        """Those that there are, the user's own first."""
        found = [*self.home.glob(f"projects/*{_SUFFIX}"), *self.home.glob(f"sessions/*{_SUFFIX}")]
        return [self.of_user(), *(Shelf(path, self._lock) for path in sorted(found))]


@cache
def _adapter() -> TypeAdapter[Note]:
    return TypeAdapter(Note)


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _note(record: dict[str, Any] | None) -> Note | None:
    try:
        return None if record is None else _adapter().validate_python(record)
    except ValidationError:
        return None
