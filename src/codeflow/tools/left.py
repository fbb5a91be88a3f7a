"""What commands leave in places that they can write, where a link or a pipe may stand instead of the file awaited."""

import os
import stat
from contextlib import ExitStack
from pathlib import Path, PurePath

LARGEST_BYTES = 50_000_000


def left_file(root: Path, name: str | PurePath) -> bytes | None:
    """The content of the regular file `name` below `root`; None where there is none, or one of more than 50 MB.

    No link below `root` is followed: it could lead to any file of the user's. `root` itself is no command's to replace.
    """
    *folders, last = PurePath(name).parts
    with ExitStack() as opened:
        try:
            folder = _open(str(root), os.O_DIRECTORY, None, opened)
            for part in folders:
                folder = _open(part, os.O_DIRECTORY | os.O_NOFOLLOW, folder, opened)
            file = _open(last, os.O_NOFOLLOW | os.O_NONBLOCK, folder, opened)
            if not stat.S_ISREG(os.fstat(file).st_mode):
                return None
            with os.fdopen(os.dup(file), "rb") as stream:
                data = stream.read(LARGEST_BYTES + 1)
        except OSError:
            return None
    return data if len(data) <= LARGEST_BYTES else None


def left_text(root: Path, name: str | PurePath) -> str | None:
    """The same as text; what is not UTF-8 in it is replaced."""
    data = left_file(root, name)
    return None if data is None else data.decode("utf-8", errors="replace")


def _open(name: str, flags: int, folder: int | None, opened: ExitStack) -> int:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | flags, dir_fd=folder)
    opened.callback(os.close, descriptor)
    return descriptor
