"""Writes one session's log: into its file before anything else happens, and from there to a shared store."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from codeflow.core.errors import SessionError
from codeflow.core.events import Event, TextDelta
from codeflow.core.places import private_file
from codeflow.sessions.records import encode, written_at
from codeflow.sessions.stores.owner import Owner, this_process
from codeflow.sessions.stores.port import locked
from codeflow.sessions.stores.replicator import Entry, Replicator
from codeflow.sessions.summary import Tally


class SessionLog:
    """Appends events to one session's file, which no other process can write meanwhile.

    An event that the disk has no room for is kept in memory and written before the next one; until then
    `flushed` raises, so that no step begins that could not be logged.
    """

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        """Opens and locks the file, and drops a last line that a killed process left unfinished.

        Raises:
            LockedError: when another process writes this session.
            SessionError: when a line is damaged, naming it.
            FileExistsError: when a `fresh` one exists.
            OSError: when the file cannot be opened.
        """
        self.path = path
        self.session_id = path.stem
        self.owner = this_process()
        self.notes: tuple[str, ...] = ()
        """What a person should know about the log as it was found."""
        self.replicator: Replicator | None = None
        self._defect: str | None = None
        self._unlogged: str | None = None
        self._pending = b""
        self.ended_at = path.stat().st_mtime if path.exists() else None
        """When the process that wrote it last was alive last, in seconds since 1970."""
        new = os.O_CREAT | os.O_EXCL if fresh else 0
        file = os.open(path, os.O_RDWR | os.O_APPEND | new, 0o600)
        self._file = os.fdopen(file, "ab", buffering=0)
        if not _lock(self._file):
            self._file.close()
            raise locked(self.session_id, owner_of(path))
        try:
            self._tally = self._read()
        except BaseException:
            self._file.close()
            raise
        with suppress(OSError):  # only for the message that another process gives
            private_file(_owner_file(path)).write_text(json.dumps(self.owner.to_json()), encoding="utf-8")

    @property
    def problem(self) -> str | None:
        """Why events are missing, here or in the shared store, or None."""
        return self._defect or self._unlogged or (self.replicator.problem if self.replicator else None)

    @property
    def tally(self) -> Tally:
        """What the log adds up to so far."""
        return self._tally

    def __call__(self, event: Event) -> None:
        """Hands the event to the operating system before it returns; never raises, see `problem`."""
        if isinstance(event, TextDelta):
            return
        try:
            line = encode(event, self._tally.chain)
        except ValueError as error:
            self._unlogged = f"an event could not be logged: {error}"
            return
        self._tally.chain.extend(line)
        self._tally.add(event)
        self._tally.updated = written_at(line)
        self._append(line)

    def take(self, line: bytes) -> None:
        """Appends a line as another copy of this log has it.

        Raises:
            DamagedLineError: when it does not follow the last one.
        """
        self._tally.follow(line, str(self.path))
        self._append(line)

    def beat(self) -> None:
        """A sign of life, so that a later process knows when this one was killed."""
        with suppress(OSError):
            os.utime(self._file.fileno())

    def restart(self) -> None:
        """Empties the file, to take the lines of another copy."""
        self._file.truncate(0)
        self._tally = Tally()

    async def flushed(self) -> None:
        """Awaited before each step: every event so far is in the file, and in the shared store if it answers.

        Raises:
            SessionError: when the file cannot be written, the store refuses, or another process writes there.
        """
        self._write()
        if self._pending:
            on_disk = self.path.stat().st_size > 0
            again = f"`codeflow resume {self.session_id}`" if on_disk else "run it again"
            raise SessionError(
                f"session {self.session_id}: {self._defect}", hint=f"Make room for {self.path}, then {again}."
            )
        if self.replicator:
            await self.replicator.flushed()

    def close(self) -> None:
        """Sends what is left to the shared store, and lets other processes write the session."""
        if self._file.closed:
            return
        self._write()
        if self.replicator:
            self.replicator.close()
        with suppress(OSError):
            _owner_file(self.path).unlink(missing_ok=True)
        self._file.close()

    def _read(self) -> Tally:
        content = self.path.read_bytes()
        tally = Tally()
        tally.read(content.splitlines(keepends=True), str(self.path))
        if tally.chain.torn:
            self._file.truncate(content.rfind(b"\n") + 1)
            tally.chain.torn = False
            self.notes = ("the last line of the session's log was cut off and has been dropped",)
        return tally

    def _append(self, line: bytes) -> None:
        self._pending += line
        self._write()
        if self.replicator:
            self.replicator.put(Entry(line, self._tally.head(self.session_id)))

    def _write(self) -> None:
        try:
            while self._pending:
                self._pending = self._pending[self._file.write(self._pending) :]
        except OSError as error:
            self._defect = f"the session log cannot be written: {error.strerror}"
        else:
            self._defect = None


def owner_of(log: Path) -> Owner | None:
    """The process that last opened a log, while it writes it."""
    try:
        return Owner(**json.loads(_owner_file(log).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def is_locked(log: Path) -> bool:
    """Whether a process is writing the log now."""
    try:
        with log.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # unreadable: `problem` says so
        return False
    return False


@contextmanager
def unwritten(log: Path) -> Iterator[None]:
    """Keeps every process from writing a log, whatever is in it.

    Raises:
        LockedError: when one is writing it.
        OSError: when it cannot be opened.
    """
    with log.open("rb") as file:
        if not _lock(file):
            raise locked(log.stem, owner_of(log))
        yield


def remove_files(log: Path) -> None:
    """Deletes a log and what stands beside it."""
    _owner_file(log).unlink(missing_ok=True)
    log.unlink(missing_ok=True)


def _owner_file(log: Path) -> Path:
    return log.with_suffix(".owner")


def _lock(file: IO[bytes]) -> bool:
    for pause_s in (0.05, 0.0):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause_s)  # a list of sessions holds the lock for a moment to see whether it is free
        else:
            return True
    return False
