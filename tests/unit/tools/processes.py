"""Which processes are at work, seen from outside their sandbox: their own ids say nothing out here."""

import contextlib
import time
from pathlib import Path


def at_work_in(folder: Path) -> list[int]:
    """Processes with this current folder that have not ended."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink() == folder:
                found.append(int(process.name))
    return found


def nothing_is_left_in(folder: Path) -> bool:
    """Whether the processes there end; killed ones disappear when their new parent gets to it."""
    for _ in range(500):
        if not at_work_in(folder):
            return True
        time.sleep(0.01)
    return False
