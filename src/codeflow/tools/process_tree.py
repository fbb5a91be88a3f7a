"""Finds and signals everything that a command started, also what left its process group or its parents."""

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_ROUNDS = 10
"""A process may fork between being listed and being killed; each round catches those."""


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    session: int
    marked: bool


def signal_tree(leader: int, marker: str, number: signal.Signals) -> None:
    """Signals the session of `leader`, all with `marker` in their environment, and all their descendants.

    Without /proc (macOS) only the leader's process group is reached.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
    signalled: set[int] = set()
    for _ in range(_ROUNDS):
        fresh = _members(leader, marker) - signalled
        if not fresh:
            return
        for pid in fresh:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        signalled |= fresh


def _members(leader: int, marker: str) -> set[int]:
    running = [process for entry in _PROC.glob("[0-9]*") if (process := _look(entry, marker))]
    members = {process.pid for process in running if process.marked or process.session == leader}
    while children := {p.pid for p in running if p.parent in members} - members:
        members |= children
    return members


def _look(entry: Path, marker: str) -> _Process | None:
    """A running process; None when it has ended."""
    try:
        state, parent, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
    except OSError:
        return None
    if state in "ZX":
        return None
    return _Process(int(entry.name), int(parent), int(session), marker.encode() in _environment(entry))


def _environment(entry: Path) -> bytes:
    """Empty for a process that hides it; its session and parent may still give it away."""
    try:
        return (entry / "environ").read_bytes()
    except OSError:
        return b""
