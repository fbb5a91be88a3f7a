"""The append-only logs of sessions: each event is written before the next one happens."""

import fcntl
import os
import re
import string
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from hashlib import sha256
from io import FileIO
from pathlib import Path

from codeflow.core.errors import SessionError
from codeflow.core.events import Event, TextDelta
from codeflow.core.values import Cost
from codeflow.sessions.records import encode, read_events, summarize

_TIME = "%Y%m%d-%H%M%S"
_ID = re.compile(r"\d{8}-\d{6}-[a-z0-9]{4}")
_SUFFIX = ".jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """One session of a list. `started` is UTC; `files_changed` counts paths.

    `status` is that of the last run, or "running", or "unfinished" when it was killed.
    `problem` says what of its log cannot be read; the other fields then tell what is known.
    """

    id: str
    started: datetime
    workspace: str
    task: str
    status: str
    cost: Cost
    files_changed: int
    problem: str | None


class SessionLog:
    """Appends events to one session's file, which no other process can write meanwhile."""

    def __init__(self, path: Path) -> None:
        """Opens and locks the file, and drops a last line that a killed process left unfinished.

        Raises:
            SessionError: when another process writes this session.
            OSError: when the file cannot be opened.
        """
        self.session_id = path.stem
        self.problem: str | None = None
        """Why events are missing, or None."""
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._file = os.fdopen(file, "ab", buffering=0)
        if not _lock(self._file):
            self._file.close()
            raise SessionError(
                f"session {self.session_id} is being written by another codeflow",
                hint="Wait until it has finished, or start a new session.",
            )
        content = path.read_bytes()
        self._file.truncate(content.rfind(b"\n") + 1)
        self._sequence = content.count(b"\n")
        self._broken = False

    def __call__(self, event: Event) -> None:
        """Hands the event to the operating system before it returns; never raises, see `problem`."""
        if self._broken or isinstance(event, TextDelta):
            return
        try:
            line = encode(event, self._sequence + 1)
            while line:
                line = line[self._file.write(line) :]
        except ValueError as error:
            self.problem = f"an event could not be logged: {error}"
        except OSError as error:
            self._broken = True
            self.problem = f"the session log cannot be written: {error.strerror}"
        else:
            self._sequence += 1

    def close(self) -> None:
        """Lets other processes write the session."""
        self._file.close()


class SessionStore:
    """All session logs of a user: FOLDER/WORKSPACE/ID.jsonl, readable by nobody else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, workspace: Path) -> SessionLog:
        """A new, locked session of a workspace.

        Raises:
            SessionError: when its log cannot be written.
        """
        folder = self._folder_of(workspace)
        try:
            for parent in (self._folder, folder):
                parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return SessionLog(folder / (_new_id() + _SUFFIX))
        except OSError as error:
            raise SessionError(
                f"{folder}: session logs cannot be written: {error.strerror}",
                hint="Set XDG_STATE_HOME to a folder that you can write.",
            ) from error

    def resume(self, session_id: str) -> SessionLog:
        """An existing session, locked; its new events follow the old ones.

        Raises:
            SessionError: when it is unknown, or being written by another process.
        """
        path = self._path(session_id)
        try:
            return SessionLog(path)
        except OSError as error:
            raise SessionError(f"{path}: cannot be written: {error.strerror}") from error

    def list(self, workspace: Path | None = None) -> list[SessionInfo]:
        """The sessions of a workspace, or of all, newest first; damaged ones too, with their `problem`."""
        return [_info(path) for path in reversed(self._paths(workspace))]

    def running(self, workspace: Path) -> Sequence[str]:
        """The ids of the workspace's sessions that another process is writing now."""
        return [path.stem for path in self._paths(workspace) if _is_locked(path)]

    def latest(self, workspace: Path) -> str | None:
        """The id of the workspace's newest session."""
        paths = self._paths(workspace)
        return paths[-1].stem if paths else None

    def find(self, session_id: str) -> str:
        """The full id for the beginning of one.

        Raises:
            SessionError: when it is unknown or ambiguous, with the ids that come near.
        """
        return self._path(session_id).stem

    def events(self, session_id: str) -> Iterator[Event]:
        """The events of a session, in order; all but the streamed text.

        Raises:
            SessionError: when it is unknown, or naming the line that cannot be read.
        """
        return read_events(self._path(session_id))

    def _folder_of(self, workspace: Path) -> Path:
        whole = str(workspace.resolve())
        name = re.sub(r"[^\w.-]", "_", workspace.resolve().name, flags=re.ASCII)[:40]
        return self._folder / f"{name}-{sha256(os.fsencode(whole)).hexdigest()[:12]}"

    def _paths(self, workspace: Path | None) -> Sequence[Path]:
        found = self._folder_of(workspace).glob("*") if workspace else self._folder.glob("*/*")
        logs = (path for path in found if path.suffix == _SUFFIX and _ID.fullmatch(path.stem))
        return sorted(logs, key=lambda path: path.stem)

    def _path(self, session_id: str) -> Path:
        known = {path.stem: path for path in self._paths(None)}
        matching = [name for name in known if session_id and name.startswith(session_id)]
        if len(matching) == 1:
            return known[matching[0]]
        near = matching[-3:] or get_close_matches(session_id, known, cutoff=0.5)
        raise SessionError(
            f"{session_id!r} begins {len(matching)} sessions" if matching else f"no session {session_id!r}",
            hint=f"Did you mean {' or '.join(near)}?" if near else "`codeflow sessions --all` lists them.",
        )


def _new_id() -> str:
    """Date, time, and the microseconds in base 36: sorts like the time it was made at."""
    now = datetime.now(UTC)
    suffix, rest = "", now.microsecond
    for _ in range(4):
        rest, digit = divmod(rest, 36)
        suffix = (string.digits + string.ascii_lowercase)[digit] + suffix
    return f"{now:{_TIME}}-{suffix}"


def _info(path: Path) -> SessionInfo:
    tally = summarize(path)
    return SessionInfo(
        id=path.stem,
        started=datetime.strptime(path.stem[:-5], _TIME).replace(tzinfo=UTC),
        workspace=tally.workspace,
        task=tally.task,
        status="running" if _is_locked(path) else tally.status,
        cost=tally.spend.total,
        files_changed=len(tally.changed),
        problem=tally.problem,
    )


def _lock(file: FileIO) -> bool:
    for pause_s in (0.05, 0.0):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause_s)  # a list of sessions holds the lock for a moment to see whether it is free
        else:
            return True
    return False


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # unreadable: `problem` says so
        return False
    return False
