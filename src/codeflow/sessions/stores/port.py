"""The port of a shared store of session logs: numbered lines, a head, and one lease per session."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from codeflow.core.errors import SessionError
from codeflow.sessions.stores.owner import Owner
from codeflow.sessions.summary import Head

LEASE_S = 90.0
"""How long a lease holds without being renewed: what another machine waits for after a crash."""


class ConflictError(SessionError):
    """Somebody else wrote these lines, or took the lease: two processes were writing one session."""


class LockedError(SessionError):
    """Another process is writing the session."""


class UnreachableError(SessionError):
    """The store did not answer; trying again later can help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to write a session, until `expires` (seconds since the epoch) or a renewal.

    `version` is the store's own mark of this state of the lease.
    """

    session_id: str
    owner: Owner
    expires: float
    version: str = ""

    def is_free(self, now: float) -> bool:
        """Whether it has been given back, or its owner is gone or, on another machine, silent for too long."""
        if self.expires == 0 or self.owner.is_gone():
            return True
        return self.expires <= now and not self.owner.is_here()

    def to_json(self) -> dict[str, Any]:
        return {"session_id": self.session_id, "expires": self.expires, "owner": self.owner.to_json()}

    @staticmethod
    def from_json(data: dict[str, Any], version: str = "") -> "Lease":
        return Lease(
            session_id=data["session_id"],
            expires=float(data["expires"]),
            owner=Owner(**data["owner"]),
            version=version,
        )


class LogStore(Protocol):
    """Keeps the lines of many sessions, for many machines. Safe to use from several threads.

    Every method raises UnreachableError when the store does not answer, and SessionError, with a hint, when it
    refuses: no credentials, no such bucket or table, no permission.
    """

    name: str
    """As the user wrote it in the settings."""

    def set_up(self) -> Sequence[str]:
        """Makes what is missing of the store itself; one line for each part, made or found."""

    def heads(self) -> Sequence[Head]:
        """Every session in short; the head of one that was killed may lag behind its lines."""

    def head(self, session_id: str) -> Head | None:
        """One session in short, with exact `lines` and `tip`; None when the store does not know it."""

    def read(self, session_id: str, after: int = 0) -> Iterator[bytes]:
        """The lines of a session from number `after` + 1, in order; none when it is unknown."""

    def append(self, lease: Lease, first: int, lines: Sequence[bytes], head: Head) -> None:
        """Adds lines, the first of them with number `first`, and replaces the head.

        Raises:
            ConflictError: when one of the numbers is taken, or the lease is somebody else's; a part of the
                lines before that one may have been added.
        """

    def delete(self, session_id: str) -> None:
        """Removes lines, head and lease, with every older version that the store keeps."""

    def lease(self, session_id: str) -> Lease | None:
        """The lease of a session, also one that is free."""

    def swap_lease(self, old: Lease | None, new: Lease) -> Lease:
        """Replaces a lease that is still exactly `old`; returns `new` with its version.

        Raises:
            ConflictError: when it is not.
        """


def acquire(store: LogStore, session_id: str, owner: Owner, now: float) -> Lease:
    """The lease of a session, for this process.

    Raises:
        LockedError: naming the process that has it.
    """
    current = store.lease(session_id)
    if current and not current.is_free(now):
        raise locked(session_id, current.owner, current.expires - now)
    try:
        return store.swap_lease(current, Lease(session_id=session_id, owner=owner, expires=now + LEASE_S))
    except ConflictError as error:
        taken = store.lease(session_id)
        if taken and taken.owner == owner:  # the answer to a first try got lost
            return taken
        raise locked(session_id, taken.owner if taken else None) from error


def renew(store: LogStore, lease: Lease, now: float) -> Lease:
    """The lease with a new end.

    Raises:
        ConflictError: naming the process that took it meanwhile.
    """
    try:
        return store.swap_lease(lease, replace(lease, expires=now + LEASE_S))
    except ConflictError as error:
        taken = store.lease(lease.session_id)
        if taken and taken.owner == lease.owner:
            return taken
        raise taken_over(lease.session_id, taken.owner if taken else None) from error


def release(store: LogStore, lease: Lease) -> None:
    """Gives the lease back at once."""
    store.swap_lease(lease, replace(lease, expires=0.0))


def locked(session_id: str, owner: Owner | None, lease_s: float = 0.0) -> LockedError:
    """What to tell when another process, which may be unknown, is writing a session."""
    end = f", or {lease_s:.0f} s if it has crashed" if lease_s > 0 else ""
    return LockedError(
        f"session {session_id} is being written by {owner or 'another codeflow'}",
        hint=f"Wait until it has finished{end}, or start a new session.",
    )


def taken_over(session_id: str, owner: Owner | None = None) -> ConflictError:
    """What to tell when a session was continued elsewhere while this process was writing it."""
    return ConflictError(
        f"session {session_id} was continued by {owner or 'another process'} while this one was writing it",
        hint="What was done here is kept: `codeflow resume` of this session tells how to go on with either.",
    )
