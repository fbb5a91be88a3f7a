"""All sessions of a user: on this machine, and in a shared store if the settings name one."""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path

from codeflow.core.errors import SessionError, UsageError, remedy
from codeflow.core.events import Event
from codeflow.core.places import private_folder
from codeflow.core.session_events import SessionNamed
from codeflow.core.values import Cost
from codeflow.sessions.ids import id_after, is_id, moment_of
from codeflow.sessions.past import recall
from codeflow.sessions.records import decode, read_file, whole_lines, written_at
from codeflow.sessions.sharing import catch_up, replace_by_shared
from codeflow.sessions.stores.owner import this_process
from codeflow.sessions.stores.port import LogStore, UnreachableError, acquire, release
from codeflow.sessions.stores.replicator import Replicator
from codeflow.sessions.summary import UNFINISHED, Head, summarize
from codeflow.sessions.writer import SessionLog, is_locked, remove_files, unwritten

RUNNING = "running"
_SUFFIX = ".jsonl"
_NAME_CHARS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """One session of a list. `started` and `updated` are UTC; `files_changed` counts paths.

    `status` is that of the last run, or "running", or "unfinished" when it was killed. `stored` says where it
    is: "here", "shared" or "both"; `unsent` counts the lines that the shared store lacks. `problem` says what is
    missing or cannot be read; the other fields then tell what is known.
    """

    id: str
    name: str
    started: datetime
    updated: datetime
    workspace: str
    task: str
    status: str
    cost: Cost
    files_changed: int
    stored: str
    unsent: int
    problem: str | None


class SessionStore:
    """All session logs of a user: FOLDER/WORKSPACE/ID.jsonl, readable by nobody else, and a shared store.

    The file of a session comes first: it has every line before the shared store, and the whole session while
    this machine writes it. `unreachable` says why the last list lacks the shared store's sessions, or is None.
    """

    def __init__(
        self, folder: Path, shared: LogStore | None = None, *, now: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._shared = shared
        self._now = now
        self.unreachable: str | None = None

    @property
    def shared(self) -> LogStore | None:
        return self._shared

    def create(self, workspace: Path, session_id: str | None = None) -> SessionLog:
        """A new, locked session of a workspace, with an id of its own or one that `new_id` gave.

        Raises:
            SessionError: when its log cannot be written.
        """
        folder = self._folder_of(workspace)
        newest = self._newest(workspace)
        try:
            log = self.install(session_id, workspace) if session_id else self._fresh(folder, newest)
        except OSError as error:
            raise SessionError(
                f"{folder}: session logs cannot be written: {error.strerror}",
                hint=f"{remedy(error)} Or set XDG_STATE_HOME to a folder that you can write.",
            ) from error
        if self._shared:
            log.replicator = Replicator(self._shared, log.owner, log.session_id, None, now=self._now)
        return log

    def resume(self, session_id: str, workspace: Path | None = None) -> SessionLog:
        """An existing session, locked, with every line of the shared store; its new events follow the old ones.

        A session from another machine is kept with those of `workspace`, by default of the folder it worked in.

        Raises:
            UsageError: when it is unknown.
            LockedError: when another process writes it, here or elsewhere.
            SessionError: when it cannot be written, is damaged, or went on in two places.
        """
        session_id = self.find(session_id)
        path = self._paths(None).get(session_id)
        try:
            log = SessionLog(path) if path else self._copied(session_id, workspace)
        except OSError as error:
            raise SessionError(
                f"{path or session_id}: cannot be written: {error.strerror}", hint=remedy(error)
            ) from error
        if self._shared:
            try:
                self._join(log, self._shared)
            except BaseException:
                log.close()
                raise
        return log

    def list(self, workspace: Path | None = None) -> list[SessionInfo]:
        """The sessions of a workspace, or of all, newest first; damaged ones too, with their `problem`."""
        here = self._paths(workspace)
        folder = None if workspace is None else str(workspace.resolve())
        shared = {
            head.session_id: head
            for head in self._heads()
            if folder in (None, head.workspace) or head.session_id in here
        }
        names = sorted({*here, *shared}, reverse=True)
        return [self._info(name, here.get(name), shared.get(name)) for name in names]

    def running(self, workspace: Path) -> Sequence[str]:
        """The ids of the workspace's sessions that another process of this machine is writing now."""
        return [name for name, path in self._paths(workspace).items() if is_locked(path)]

    def is_running(self, session_id: str) -> bool:
        """Whether a process of this machine is writing the session now."""
        path = self._paths(None).get(session_id)
        return path is not None and is_locked(path)

    def cut_at(self, session_id: str) -> float | None:
        """When the process that made a session's last changes was alive last, in seconds since 1970, if that is known."""
        path = self._paths(None).get(session_id)
        if path is None:
            return None
        with suppress(SessionError):  # a damaged log still has a time stamp
            if (known := recall(self.events(session_id)).cut_at) is not None:
                return known
        return path.stat().st_mtime

    def latest(self, workspace: Path) -> str | None:
        """The id of the workspace's newest session."""
        folder = str(workspace.resolve())
        shared = [head.session_id for head in self._heads() if head.workspace == folder]
        return max([*self._paths(workspace), *shared], default=None)

    def find(self, text: str) -> str:
        """The full id for an id, the beginning of one, or a name.

        Raises:
            UsageError: when it is unknown or ambiguous, with the ids that come near.
        """
        here = self._paths(None)
        if text in here:
            return text
        known = {*here, *(head.session_id for head in self._heads())}
        matching = sorted(name for name in known if text and name.startswith(text))
        matching = matching or [info.id for info in self.list() if text and info.name == text]
        if len(matching) == 1:
            return matching[0]
        near = matching[-3:] or get_close_matches(text, known, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`codeflow sessions --all` lists them."
        if self.unreachable:
            hint = f"{self.unreachable}. {hint}"
        raise UsageError(
            f"{text!r} means {len(matching)} sessions" if matching else f"no session {text!r}", hint=hint
        )

    def events(self, session_id: str) -> Iterator[Event]:
        """The events of a session, in order; all but the streamed text.

        Raises:
            UsageError: when it is unknown.
            SessionError: naming the line that cannot be read, after the events before it.
        """
        name, lines = self.lines(session_id)
        return (decode(line, place) for place, line in whole_lines(lines, name))

    def timed_events(self, session_id: str) -> Iterator[tuple[str, Event]]:
        """Like `events`, each with the time it was written, in ISO form."""
        name, lines = self.lines(session_id)
        return ((written_at(line), decode(line, place)) for place, line in whole_lines(lines, name))

    def lines(self, session_id: str) -> tuple[str, Iterator[bytes]]:
        """The log's place, for messages, and its raw lines, from wherever more of them are."""
        session_id = self.find(session_id)
        path = self._paths(None).get(session_id)
        if self._shared and not (path and is_locked(path)):
            try:
                head = self._shared.head(session_id)
            except UnreachableError:
                head = None
                if path is None:
                    raise
            if head and (path is None or head.lines > sum(1 for _ in read_file(path))):
                return f"{self._shared.name}/{session_id}", self._shared.read(session_id)
        if path is None:
            raise SessionError(f"session {session_id} is gone", hint="`codeflow sessions` lists the others.")
        return str(path), read_file(path)

    def rename(self, session_id: str, name: str) -> str | None:
        """Gives a session a name, or takes it away when empty; returns what did not work out, or None.

        Raises:
            UsageError: for a name that is taken, too long, or could be an id.
            LockedError: while the session runs.
        """
        session_id = self.find(session_id)
        if len(name) > _NAME_CHARS or not name.isprintable() or re.match(r"\d{8}", name):
            raise UsageError(
                f"{name!r} cannot be a session's name",
                hint=f"A name has up to {_NAME_CHARS} printable characters and does not look like an id.",
            )
        taken = next((info.id for info in self.list() if name and info.name == name), session_id)
        if taken != session_id:
            raise UsageError(f"{name!r} is the name of session {taken}", hint="Choose another one.")
        log = self.resume(session_id)
        log(SessionNamed(name=name))
        log.close()
        if log.ended_at is not None:  # a new name is no sign of life of the run
            os.utime(log.path, (log.ended_at, log.ended_at))
        return log.problem

    def delete(self, session_id: str) -> None:
        """Removes a session here and from the shared store.

        Raises:
            LockedError: while a process writes it.
        """
        session_id = self.find(session_id)
        path = self._paths(None).get(session_id)
        try:
            if path is None:
                self._delete_shared(session_id)
                return
            with unwritten(path):
                self._delete_shared(session_id)
                remove_files(path)
        except OSError as error:
            raise SessionError(f"{path}: cannot be removed: {error.strerror}", hint=remedy(error)) from error

    def rehome(self, session_id: str, workspace: Path) -> None:
        """Keep a session with those of another folder from now on, since its own was moved there.

        Raises:
            SessionError: when its log cannot be moved.
        """
        path = self._paths(None).get(session_id)
        folder = self._folder_of(workspace)
        if path is None or path.parent == folder or is_locked(path):
            return
        try:
            path.rename(private_folder(folder) / path.name)
        except OSError as error:
            raise SessionError(f"{path}: cannot be moved: {error.strerror}", hint=remedy(error)) from error

    def install(self, session_id: str, workspace: Path) -> SessionLog:
        """A new, empty session with a given id, for lines from elsewhere.

        Raises:
            SessionError: when it exists, or cannot be written.
        """
        folder = self._folder_of(workspace)
        try:
            private_folder(folder)
            return SessionLog(folder / (session_id + _SUFFIX), fresh=True)
        except OSError as error:
            raise SessionError(
                f"{folder}: session logs cannot be written: {error.strerror}", hint=remedy(error)
            ) from error

    def new_id(self, workspace: Path) -> str:
        return id_after(self._newest(workspace), datetime.fromtimestamp(self._now(), UTC))

    def _newest(self, workspace: Path) -> str | None:
        return max(self._paths(workspace), default=None)

    def _fresh(self, folder: Path, newest: str | None) -> SessionLog:
        private_folder(folder)
        while True:
            newest = id_after(newest, datetime.fromtimestamp(self._now(), UTC))
            try:
                return SessionLog(folder / (newest + _SUFFIX), fresh=True)
            except FileExistsError:  # another process began a session in this very microsecond
                continue

    def _copied(self, session_id: str, workspace: Path | None) -> SessionLog:
        head = self._shared.head(session_id) if self._shared else None
        home = workspace or Path(head.workspace if head and head.workspace else "/")
        return self.install(session_id, home)

    def _join(self, log: SessionLog, shared: LogStore) -> None:
        """Takes the lease, levels both copies, and begins to send.

        Raises:
            SessionError: when both went on by themselves; this machine's part is then a session of its own.
        """
        lease = acquire(shared, log.session_id, log.owner, self._now())
        try:
            if not catch_up(log, shared, lease):
                self._part(log, shared)
        except BaseException:
            release(shared, lease)
            raise
        log.replicator = Replicator(shared, log.owner, log.session_id, lease, now=self._now)

    def _part(self, log: SessionLog, shared: LogStore) -> None:
        folder = log.path.parent
        apart = self._fresh(folder, max(self._paths(None)))
        apart.close()
        shutil.copyfile(log.path, apart.path)
        replace_by_shared(log, shared)
        raise SessionError(
            f"session {log.session_id} went on in two places; what was done here is now session {apart.session_id}",
            hint=f"Resume {apart.session_id} to go on from here, {log.session_id} from what {shared.name} has.",
        )

    def _delete_shared(self, session_id: str) -> None:
        if self._shared is None:
            return
        acquire(self._shared, session_id, this_process(), self._now())
        self._shared.delete(session_id)

    def _heads(self) -> Sequence[Head]:
        self.unreachable = None
        try:
            return self._shared.heads() if self._shared else []
        except SessionError as error:
            self.unreachable = str(error)
            return []

    def _info(self, session_id: str, path: Path | None, shared: Head | None) -> SessionInfo:
        tally = summarize(read_file(path), str(path)) if path else None
        head = tally.head(session_id) if tally else shared or Head(session_id=session_id)
        problem = tally.problem if tally else None
        busy = path is not None and is_locked(path)
        unsent = 0
        if self._shared and path and not (busy or self.unreachable):
            unsent = max(0, head.lines - (shared.lines if shared else 0))
            head = shared if shared and shared.lines > head.lines else head
        if unsent and self._shared and not problem:
            cure = f"`codeflow sessions sync {session_id}` sends them"
            problem = f"{unsent} of its lines are not in {self._shared.name}; {cure}"
        if shared and self._shared and not busy and head.status == UNFINISHED:
            lease = self._shared.lease(session_id)
            busy = lease is not None and not lease.is_free(self._now())
        return SessionInfo(
            id=session_id,
            name=head.name,
            started=moment_of(session_id).replace(microsecond=0),
            updated=datetime.fromisoformat(head.updated) if head.updated else moment_of(session_id),
            workspace=head.workspace,
            task=head.task,
            status=RUNNING if busy else head.status,
            cost=head.cost,
            files_changed=head.files_changed,
            stored="both" if path and shared else "here" if path else "shared",
            unsent=unsent,
            problem=problem,
        )

    def _folder_of(self, workspace: Path) -> Path:
        whole = str(workspace.resolve())
        name = re.sub(r"[^\w.-]", "_", workspace.resolve().name, flags=re.ASCII)[:40]
        return self._folder / f"{name}-{sha256(os.fsencode(whole)).hexdigest()[:12]}"

    def _paths(self, workspace: Path | None) -> dict[str, Path]:
        """The logs of this machine by id."""
        found = self._folder_of(workspace).glob("*") if workspace else self._folder.glob("*/*")
        return {path.stem: path for path in found if path.suffix == _SUFFIX and is_id(path.stem)}
