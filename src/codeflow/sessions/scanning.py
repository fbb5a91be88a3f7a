"""Which files and folders of a work tree a checkpoint covers, and what the file system says of them."""

import os
import stat
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from codeflow.core.places import cache_home, state_home
from codeflow.sessions.repository import EXCLUDED, LARGEST_FILE_BYTES, Project

IGNORED_FILE_BYTES = 1_000_000
IGNORED_TOTAL_BYTES = 50_000_000
IGNORED_FILES = 5_000
"""How much of what git ignores is saved all the same: `.env` and small outputs, not the packages."""


@dataclass(slots=True)
class Scan:
    """A look at a work tree.

    `found` has a stat result for each covered file, link and folder. `private` are covered files that git ignores.
    Not covered are `ignored` (too much of what git ignores) and `skipped` (nested repositories and submodules, special,
    unreadable and very large files); a name with a final slash stands for everything in a folder.
    """

    found: dict[str, os.stat_result] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    ignored: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def scan(workspace: Path, project: Project, also: Iterable[str]) -> Scan:
    """Look at a work tree; `also` names paths that are covered wherever they are, if they exist.

    Raises:
        SessionError: when git cannot say what is ignored.
    """
    ignored = project.ignored()
    result = Scan()
    own = {
        f"{folder.relative_to(workspace).as_posix()}/"
        for folder in (state_home(), cache_home())
        if folder.is_relative_to(workspace)
    }
    result.found.update(_walk(workspace, "", {*ignored, *own}, frozenset(), result.skipped))
    for path in [path for path, status in result.found.items() if _size(status) > LARGEST_FILE_BYTES]:
        del result.found[path]
        result.skipped.append(path)
    _add_ignored(workspace, [path for path in ignored if path not in own], result)
    _add_named(workspace, also, result)
    return result


def lies_in(path: str, uncovered: Container[str]) -> bool:
    """Whether a path is one of those names, or in a folder that is."""
    if path in uncovered or f"{path}/" in uncovered:
        return True
    return any(path[: end + 1] in uncovered for end, letter in enumerate(path) if letter == "/")


def _walk(
    workspace: Path, start: str, leave: Container[str], names: Container[str], skipped: list[str]
) -> Iterator[tuple[str, os.stat_result]]:
    """Everything below a folder, but for the paths of `leave` and folders with one of these names."""
    folders = [start]
    while folders:
        prefix = folders.pop()
        for entry in _listing(workspace / prefix, prefix, skipped):
            path = prefix + entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name == ".git" or path in leave or (is_folder and f"{path}/" in leave):
                continue
            status = _look(entry)
            if status is None:
                continue
            if (is_folder and entry.name in names) or not _holdable(entry.name, entry.path, status):
                skipped.append(path + "/" * is_folder)
                continue
            yield path, status
            if is_folder:
                folders.append(f"{path}/")


def _listing(folder: Path, prefix: str, skipped: list[str]) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing when it cannot be read, or is a nested repository or a submodule."""
    try:
        with os.scandir(folder) as listing:
            entries = list(listing)
    except FileNotFoundError:
        return []
    except PermissionError:
        skipped.append(prefix)
        return []
    if prefix and any(entry.name == ".git" for entry in entries):
        skipped.append(prefix)
        return []
    return entries


def _look(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def _holdable(name: str, file: str | Path, status: os.stat_result) -> bool:
    """Whether a tree of git can hold it; none may contain a name like .GIT."""
    if name.lower() == ".git":
        return False
    if stat.S_ISREG(status.st_mode):
        return os.access(file, os.R_OK)
    return stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode)


def _size(status: os.stat_result) -> int:
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def _add_ignored(workspace: Path, names: Iterable[str], result: Scan) -> None:
    """Cover what git ignores, single files first, while it is little; a folder is covered whole or not at all."""
    total = files = 0
    for name in sorted(names, key=lambda name: (name.endswith("/"), name)):
        left: list[str] = []
        inside = list(_ignored_files(workspace, name, left))
        size = sum(_size(status) for _, status in inside)
        if files + len(inside) > IGNORED_FILES or total + size > IGNORED_TOTAL_BYTES:
            result.ignored.append(name)
            continue
        files, total = files + len(inside), total + size
        result.ignored += left
        result.found.update(inside)
        result.private.update(path for path, status in inside if not stat.S_ISDIR(status.st_mode))


def _ignored_files(workspace: Path, name: str, left: list[str]) -> Iterator[tuple[str, os.stat_result]]:
    """Small files of an ignored file or folder, at most one more than may be saved; `left` takes the others."""
    path = name.rstrip("/")
    if path.rpartition("/")[2] in EXCLUDED:
        left.append(name)
        return
    try:
        status = (workspace / path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    if not _holdable(path.rpartition("/")[2], workspace / path, status):
        left.append(name)
        return
    everything = [(path, status)]
    if name.endswith("/"):
        for number, found in enumerate(_walk(workspace, name, frozenset(), EXCLUDED, left)):
            everything.append(found)
            if number > IGNORED_FILES:
                break
    for path, status in everything:
        if _size(status) > IGNORED_FILE_BYTES:
            left.append(path)
        else:
            yield path, status


def _add_named(workspace: Path, paths: Iterable[str], result: Scan) -> None:
    listings: dict[Path, frozenset[str]] = {}
    for path in sorted(paths):
        if path in result.found or not _stands(workspace, path, listings):
            continue
        status = (workspace / path).lstat()
        if _holdable(path.rpartition("/")[2], workspace / path, status):
            result.found[path] = status
            if lies_in(path, result.ignored):
                result.private.add(path)


def _stands(workspace: Path, path: str, listings: dict[Path, frozenset[str]]) -> bool:
    """Whether a path exists under exactly this name and through no link.

    A file system that takes `A` for `a` would else answer for a file that was renamed from one to the other.
    """
    folder = workspace
    for name in path.split("/"):
        if folder not in listings:
            try:
                real = folder == workspace or stat.S_ISDIR(folder.lstat().st_mode)
                listings[folder] = frozenset(path.name for path in folder.iterdir()) if real else frozenset()
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                listings[folder] = frozenset()
        if name not in listings[folder]:
            return False
        folder /= name
    return True
