"""Which process writes a session, said so that another one can tell whether it still lives."""

import os
import socket
import subprocess
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_STATE, _START_TIME = 0, 19
"""Of /proc/PID/stat, counted from the field behind the program's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A writer. `machine` tells hosts, reboots and containers apart, where `host` is a name for people.

    `born` is the process's start in the system's own terms: a process id is used again, the pair is not.
    `since` is the ISO time at which it began to write; `token` is new for every session that it opens.
    """

    token: str
    pid: int
    host: str
    machine: str
    born: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} (since {self.since})"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def is_gone(self) -> bool:
        """Whether the process certainly has ended; one on another machine may always be alive."""
        return self.machine == _machine() and _born(self.pid) != self.born

    def is_here(self) -> bool:
        """Whether the process is known to live, on this machine."""
        return self.machine == _machine() and _born(self.pid) == self.born


def this_process() -> Owner:
    return Owner(
        token=uuid.uuid4().hex,
        pid=os.getpid(),
        host=socket.gethostname(),
        machine=_machine(),
        born=_born(os.getpid()),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{socket.gethostname()}/{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # no Linux
        return socket.gethostname()


def _born(pid: int) -> str:
    """When a process started; empty when there is none."""
    if not Path("/proc/self/stat").exists():
        found = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return found.stdout.strip()
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[_STATE] in "ZX" else fields[_START_TIME]
