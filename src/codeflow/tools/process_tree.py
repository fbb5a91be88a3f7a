"""Finds and signals everything that a command started, also what left its process group or its parents."""

import contextlib
import os
import signal
from pathlib import Path

from codeflow.tools.guard import running

_ROUNDS = 10
"""A process may fork between being listed and being killed; each round catches those."""


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
    processes = list(running())
    members = {
        pid
        for pid, _, session in processes
        if session == leader or marker.encode() in _environment(Path(f"/proc/{pid}"))
    }
    while children := {pid for pid, parent, _ in processes if parent in members} - members:
        members |= children
    return members


def _environment(entry: Path) -> bytes:
    """Empty for a process that hides it; its session and parent may still give it away."""
    try:
        return (entry / "environ").read_bytes()
    except OSError:
        return b""
