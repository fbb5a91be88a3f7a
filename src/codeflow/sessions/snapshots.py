"""The state of a work tree, as a mapping from path to what stands there."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from codeflow.core.errors import SessionError
from codeflow.core.places import cache_home, state_home
from codeflow.sessions.repository import Repository

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or symbolic link: its `st_mode` (a link's permission bits are 0) and its blob."""

    mode: int
    blob: str

    @property
    def git_mode(self) -> int:
        """What a git tree can say: a link, a file, or an executable file."""
        if stat.S_ISLNK(self.mode):
            return stat.S_IFLNK
        return 0o100755 if self.mode & stat.S_IXUSR else 0o100644


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A work tree. `skipped` are nested repositories and unreadable files, `ignored` what git ignores."""

    entries: Mapping[str, Entry]
    skipped: tuple[str, ...]
    ignored: tuple[str, ...]


def capture(repository: Repository, also: Iterable[str]) -> Snapshot:
    """Stores every file of the work tree as it is on disk; `also` names paths to hold even when ignored.

    Raises:
        SessionError: when git cannot read or store a file, or files keep coming and going.
    """
    paths = list(also)
    for _ in range(_TRIES - 1):
        with contextlib.suppress(SessionError, FileNotFoundError):  # a file may vanish between look and read
            return _capture(repository, paths)
    try:
        return _capture(repository, paths)
    except FileNotFoundError as error:
        raise SessionError(
            f"the work tree changes while it is being saved: {error}", hint="Try again."
        ) from error


def _capture(repository: Repository, also: Iterable[str]) -> Snapshot:
    listed = repository.names("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    own_folders = [
        folder for folder in (state_home(), cache_home()) if folder.is_relative_to(repository.workspace)
    ]
    modes: dict[str, int] = {}
    skipped: list[str] = []
    real_folders: dict[Path, bool] = {}
    for path in sorted({*listed, *also}):
        file = repository.workspace / path
        if any(file.is_relative_to(folder) for folder in own_folders):
            continue
        if not _in_real_folder(file.parent, repository.workspace, real_folders):
            continue
        mode = _mode(file)
        if mode is not None and _holdable(file, mode):
            modes[path] = mode
        elif mode is not None and (not stat.S_ISDIR(mode) or (file / ".git").exists()):
            skipped.append(path.rstrip("/"))
    blobs = _store(repository, modes)
    return Snapshot(
        entries={path: Entry(mode, blob) for (path, mode), blob in zip(modes.items(), blobs, strict=True)},
        skipped=tuple(skipped),
        ignored=_ignored(repository),
    )


def write_tree(repository: Repository, entries: Mapping[str, Entry]) -> str:
    """The git tree of the entries, rooted at the workspace."""
    lines = [f"{entry.git_mode:o} {entry.blob}\t{path}\0" for path, entry in entries.items()]
    with tempfile.TemporaryDirectory(prefix="codeflow-") as folder:
        index = Path(folder) / "index"
        repository.run("update-index", "-z", "--index-info", stdin=os.fsencode("".join(lines)), index=index)
        return repository.run("write-tree", index=index).decode().strip()


def read_tree(repository: Repository, tree: str, modes: Mapping[str, int]) -> dict[str, Entry]:
    """The entries of a tree; `modes` holds the permissions that a git tree cannot say."""
    entries = {}
    for line in repository.names("ls-tree", "-r", "-z", "--full-tree", tree):
        facts, path = line.split("\t", 1)
        mode, _, blob = facts.split(" ")
        entries[path] = Entry(modes.get(path, int(mode, 8)), blob)
    return entries


def _in_real_folder(folder: Path, workspace: Path, known: dict[Path, bool]) -> bool:
    """Whether no symbolic link stands between the workspace and a folder."""
    if folder == workspace:
        return True
    if folder not in known:
        known[folder] = not folder.is_symlink() and _in_real_folder(folder.parent, workspace, known)
    return known[folder]


def _mode(file: Path) -> int | None:
    try:
        mode = file.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stat.S_IFLNK if stat.S_ISLNK(mode) else mode


def _holdable(file: Path, mode: int) -> bool:
    """Whether git can hold a file; no tree may contain a name like .GIT."""
    if any(part.lower() == ".git" for part in file.parts):
        return False
    return stat.S_ISLNK(mode) or (stat.S_ISREG(mode) and os.access(file, os.R_OK))


def _store(repository: Repository, modes: Mapping[str, int]) -> list[str]:
    """Writes each file's bytes, or link's target, as a blob; git's filters and line endings stay out."""
    with tempfile.TemporaryDirectory(prefix="codeflow-") as folder:
        sources = []
        for number, (path, mode) in enumerate(modes.items()):
            file = repository.workspace / path
            if stat.S_ISLNK(mode):
                target = Path(folder) / str(number)
                target.write_bytes(os.fsencode(file.readlink()))
                file = target
            sources.append(_quoted(os.fsencode(file)))
        output = repository.run(
            "hash-object", "-w", "--no-filters", "--stdin-paths", stdin=b"\n".join([*sources, b""])
        )
    blobs = output.decode().split()
    if len(blobs) != len(modes):
        raise SessionError("the work tree changed while it was being saved", hint="Try again.")
    return blobs


def _quoted(path: bytes) -> bytes:
    """A path in git's C quoting, which survives line breaks in names."""
    plain = range(0x20, 0x7F)
    escaped = (chr(byte) if byte in plain and byte not in b'"\\' else f"\\{byte:03o}" for byte in path)
    return f'"{"".join(escaped)}"'.encode()


def _ignored(repository: Repository) -> tuple[str, ...]:
    """Ignored files, and folders (with a final slash) in which everything is ignored."""
    names = sorted(
        repository.names("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    )
    # git also lists a folder that only happens to hold nothing but ignored files, followed by these
    return tuple(
        name
        for name, following in pairwise([*names, ""])
        if not (name.endswith("/") and following.startswith(name))
    )
