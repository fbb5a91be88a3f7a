"""Opens files folder by folder from a root: nothing that becomes a link after it was looked at leads elsewhere.

A command in the background may swap a folder for a link between the moment when a path is judged and when it is used.
"""

import contextlib
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY


def read(root: Path, file: Path, *, at_most: int) -> tuple[os.stat_result, bytes]:
    """What a resolved path in the root is, and the content of a regular file that is not larger; b"" for all else.

    Raises:
        OSError: when it cannot be read; ELOOP or ENOTDIR where a link is on the way.
    """
    with _folder(root, file.parent) as folder:
        opened = os.open(file.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(opened, "rb") as stream:
        about = os.fstat(opened)
        fits = stat.S_ISREG(about.st_mode) and about.st_size <= at_most
        return about, stream.read(at_most) if fits else b""


def replace(root: Path, file: Path, data: bytes, mode: int | None = None) -> None:
    """Puts content in a file's place in one step and makes missing folders. `mode`: its permissions; by default those of
    the file that was there.

    Raises:
        OSError: as for `read`.
    """
    temporary = f".{uuid.uuid4().hex}.tmp"
    with _folder(root, file.parent, make=True) as folder:
        permissions = _mode(file.name, folder) if mode is None else mode
        try:
            _make(temporary, folder, data, permissions)
            os.replace(temporary, file.name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)


def remove(root: Path, file: Path) -> None:
    """Removes a file that may be gone already.

    Raises:
        OSError: as for `read`.
    """
    with contextlib.suppress(FileNotFoundError), _folder(root, file.parent) as folder:
        os.unlink(file.name, dir_fd=folder)


def _make(name: str, folder: int, data: bytes, mode: int | None) -> None:
    opened = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder)
    with os.fdopen(opened, "wb") as stream:
        stream.write(data)
        if mode is not None:
            os.fchmod(opened, mode)


def _mode(name: str, folder: int) -> int | None:
    try:
        return stat.S_IMODE(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return None


@contextmanager
def _folder(root: Path, path: Path, *, make: bool = False) -> Iterator[int]:
    """A descriptor of a folder in the root, with no link on the way."""
    current = os.open(root, _FOLDER)
    try:
        for part in path.relative_to(root).parts:
            following = _entered(part, current, make=make)
            os.close(current)
            current = following
        yield current
    finally:
        os.close(current)


def _entered(name: str, folder: int, *, make: bool) -> int:
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, dir_fd=folder)
    return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
