"""Carries the lines of one session to a shared store, in order and off the event loop."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

from codeflow.core.errors import SessionError
from codeflow.sessions.stores.owner import Owner
from codeflow.sessions.stores.port import (
    LEASE_S,
    ConflictError,
    Lease,
    LogStore,
    UnreachableError,
    acquire,
    release,
    renew,
)
from codeflow.sessions.summary import Head

_RENEW_S = LEASE_S / 3
_BATCH_BYTES = 8_000_000
_PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_CLOSE_S = 10.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the log, and the session in short as of that line."""

    line: bytes
    head: Head


class Replicator:
    """One session's way to a shared store. The local file has every line already, so nothing here is lost.

    A store that cannot be reached does not stop the run: `behind` says so, and the worker keeps trying. A second
    writer, or a store that refuses from the beginning, does stop it: `flushed` raises.
    """

    def __init__(
        self, store: LogStore, owner: Owner, session_id: str, lease: Lease | None, *, now: Callable[[], float]
    ) -> None:
        """Starts the worker; without a lease it gets one first."""
        self._store = store
        self._owner = owner
        self._session_id = session_id
        self._lease = lease
        self._now = now
        self._renew_at = time.monotonic() + _RENEW_S
        self._unsent: deque[Entry] = deque()
        self._waiting: deque[Future[None]] = deque()
        self._wake = threading.Event()
        self._ended = False
        self._accepted = False
        self._failures, self._next_try = 0, 0.0
        self._refusal: SessionError | None = None
        self.behind: str | None = None
        """Why lines have not reached the store yet, or None."""
        self._worker = threading.Thread(target=self._work, name=f"session {session_id}", daemon=True)
        self._worker.start()

    def put(self, entry: Entry) -> None:
        """Takes a line; never blocks."""
        self._unsent.append(entry)
        self._wake.set()

    async def flushed(self) -> None:
        """Returns when the store has every line so far, or at once while it cannot be reached.

        Raises:
            ConflictError: another process writes the session.
            SessionError: the store refused the very first line, with its hint.
        """
        if self.behind:
            return
        done: Future[None] = Future()
        self._waiting.append(done)
        self._wake.set()
        await asyncio.wrap_future(done)

    def close(self) -> None:
        """Tries once more to send what is left, for a few seconds, and gives the lease back."""
        self._ended = True
        self._wake.set()
        self._worker.join(_CLOSE_S)

    @property
    def problem(self) -> str | None:
        """What a person should know, or None."""
        if self._refusal:
            return str(self._refusal)
        if not self.behind:
            return None
        return f"not everything has reached {self._store.name}: {self.behind} (`codeflow sessions sync` sends the rest)"

    def _work(self) -> None:
        while not self._ended:
            self._wake.wait(max(0.0, self._next_try - time.monotonic()) if self.behind else _RENEW_S)
            self._wake.clear()
            waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if time.monotonic() >= self._next_try:
                self._try()
            self._answer(waiting)
        self._try()
        self._answer(self._waiting)
        if self._lease and not self._refusal:
            with suppress(SessionError):  # it will run out
                release(self._store, self._lease)

    def _try(self) -> None:
        if self._refusal:
            return
        try:
            self._hold_lease()
            self._send()
        except SessionError as error:
            retry = isinstance(error, UnreachableError)
            if isinstance(error, ConflictError) or not (retry or self._accepted):
                self._refusal = error
                return
            self.behind = str(error)
            self._next_try = time.monotonic() + _PAUSES_S[min(self._failures, len(_PAUSES_S) - 1)]
            self._failures += 1
        else:
            self._failures, self._next_try, self.behind = 0, 0.0, None

    def _hold_lease(self) -> None:
        if self._lease is None:
            self._lease = acquire(self._store, self._session_id, self._owner, self._now())
        elif time.monotonic() >= self._renew_at:
            self._lease = renew(self._store, self._lease, self._now())
        else:
            return
        self._renew_at = time.monotonic() + _RENEW_S

    def _send(self) -> None:
        while self._unsent and self._lease:
            batch: list[Entry] = []
            size = 0
            for entry in list(self._unsent):
                if batch and size + len(entry.line) > _BATCH_BYTES:
                    break
                batch.append(entry)
                size += len(entry.line)
            add(self._store, self._lease, [entry.line for entry in batch], batch[-1].head)
            self._accepted = True
            for _ in batch:
                self._unsent.popleft()

    def _answer(self, waiting: Iterable[Future[None]]) -> None:
        for done in waiting:
            if not done.set_running_or_notify_cancel():
                continue
            if self._refusal:
                done.set_exception(self._refusal)
            else:
                done.set_result(None)


def add(store: LogStore, lease: Lease, lines: Sequence[bytes], head: Head) -> None:
    """Appends lines that end at `head`; those that the store has from a try whose answer got lost count.

    Raises:
        ConflictError: when it has others.
    """
    first = head.lines - len(lines) + 1
    try:
        store.append(lease, first, lines, head)
    except ConflictError:
        there = list(store.read(lease.session_id, after=first - 1))
        if not there or there != list(lines[: len(there)]):
            raise
        if rest := lines[len(there) :]:
            store.append(lease, first + len(there), rest, head)
