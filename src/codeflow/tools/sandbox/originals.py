"""Copies of protected files, for a sandbox that cannot make them read-only: what a command changed is put back."""

import contextlib
import filecmp
import os
import shutil
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

LOOK, CHANGE = 0o500, 0o700
"""What a folder's owner may do there."""

Copies = tuple[tuple[Path, Path, Path], ...]
"""Of each: the writable folder that it is in, its path, and its copy, which no command can reach."""


def copied(paths: Iterable[Path], roots: Iterable[Path], folder: Path) -> Copies:
    """Copies what is protected in the roots into a folder that exists."""
    roots = tuple(roots)
    held = [(root, path) for path in paths for root in roots if path.is_relative_to(root)]
    copies = tuple((root, path, folder / str(number)) for number, (root, path) in enumerate(held))
    for _, path, copy in copies:
        copy_plain(path, copy)
    return copies


def put_back(root: Path, path: Path, copy: Path, move: Callable[[Path], Path]) -> str:
    """Makes a file as it was again, where it is not; returns what to tell of that. `move` takes away what is there.

    Raises:
        OSError: when it cannot.
    """
    open_way(root, path, LOOK)
    if not is_changed(root, path, copy):
        return ""
    open_way(root, path, CHANGE)
    in_the_way = (folder for folder in _between(root, path) if not _is_folder(folder))
    moved = [move(there) for there in (*in_the_way, path) if os.path.lexists(there)]
    for folder in _between(root, path):
        folder.mkdir(exist_ok=True)
    copy_plain(copy, path)
    now = f"; what was there is now {moved[-1]}" if moved else ""
    return f"{path} is protected and was changed during the command; it is as before{now}"


def open_way(root: Path, path: Path, rights: int) -> None:
    """Lets the user into the folders that lead from one to a path in it, to LOOK or to CHANGE: a command may have closed
    them.
    """
    for folder in (root, *_between(root, path)):
        if folder.is_symlink() or not folder.is_dir():
            return
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & rights != rights:
            with contextlib.suppress(OSError):  # another user's: what comes next says so
                folder.chmod(mode | rights)


def is_changed(root: Path, path: Path, copy: Path) -> bool:
    """Whether a file differs from its copy, or is only reached by a link."""
    return not all(map(_is_folder, _between(root, path))) or not _is_same(path, copy)


def _between(root: Path, path: Path) -> list[Path]:
    """The folders between a folder and a path in it, outer ones first."""
    return [folder for folder in reversed(path.parents) if folder.is_relative_to(root) and folder != root]


def _is_folder(path: Path) -> bool:
    """Whether it is one itself, and can be looked into."""
    return path.is_dir() and not path.is_symlink() and os.access(path, os.R_OK | os.X_OK)


def copy_plain(path: Path, to: Path) -> None:
    """Copies a file, link or folder; pipes, sockets and devices hold nothing, and are left out."""
    if path.is_dir() and not path.is_symlink():
        shutil.copytree(path, to, symlinks=True, ignore=_special)
    elif _is_kept(path):
        shutil.copy2(path, to, follow_symlinks=False)


def _special(folder: str, names: list[str]) -> set[str]:
    """Pipes, sockets and devices, which nothing obeys and which cannot be copied."""
    return {name for name in names if not _is_kept(Path(folder, name))}


def _is_kept(path: Path) -> bool:
    return stat.S_IFMT(path.lstat().st_mode) in {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}


def _is_same(one: Path, other: Path) -> bool:
    try:
        mode, before = one.lstat().st_mode, other.lstat().st_mode
    except OSError:
        return False
    if stat.S_ISLNK(mode) or mode != before:
        return mode == before and one.readlink() == other.readlink()
    if stat.S_ISREG(mode):
        return filecmp.cmp(one, other, shallow=False)
    try:
        names = {path.name for path in one.iterdir() if _is_kept(path)}
    except PermissionError:
        return False
    same_names = names == {path.name for path in other.iterdir()}
    return same_names and all(_is_same(one / name, other / name) for name in names)
