"""What commands leave in places that they can write, where a link or a pipe may stand instead of the file awaited."""

import stat
from pathlib import Path, PurePath

from codeflow.tools import beneath

LARGEST_BYTES = 50_000_000


def left_file(root: Path, name: str | PurePath) -> bytes | None:
    """The content of the regular file `name` below `root`; None where there is none, or one of more than 50 MB.

    No link below `root` is followed: it could lead to any file of the user's. `root` itself is no command's to replace.
    """
    try:
        about, data = beneath.read(root, root / name, at_most=LARGEST_BYTES)
    except (OSError, ValueError):  # ValueError: a path that is not below, or with a NUL in it
        return None
    return data if stat.S_ISREG(about.st_mode) and about.st_size <= LARGEST_BYTES else None


def left_text(root: Path, name: str | PurePath) -> str | None:
    """The same as text; what is not UTF-8 in it is replaced."""
    data = left_file(root, name)
    return None if data is None else data.decode("utf-8", errors="replace")
