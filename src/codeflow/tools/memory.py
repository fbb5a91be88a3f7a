"""How much memory commands may have."""

import os
from functools import cache
from pathlib import Path
from typing import Literal

_CONTAINER_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def command_memory_bytes(setting_mb: int | Literal["auto"]) -> int:
    """The setting in bytes; "auto" is half of the machine's memory."""
    return half_of_memory() if setting_mb == "auto" else setting_mb * 1_000_000


@cache
def half_of_memory() -> int:
    """Half of the bytes that this machine, or the container, has; the other half is for everything else."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *(limit for path in _CONTAINER_LIMITS if (limit := _number(path)))]) // 2


def _number(path: Path) -> int:
    """0 when there is no limit, which is no file or the word max."""
    text = path.read_text().strip() if path.exists() else ""
    return int(text) if text.isdigit() else 0
