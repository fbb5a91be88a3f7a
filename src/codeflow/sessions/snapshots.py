"""The state of a work tree, as a mapping from path to what stands there."""

import contextlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.errors import SessionError
from codeflow.sessions.repository import Project, Store
from codeflow.sessions.scanning import Scan, lies_in, scan

_TRIES = 5
_RACY_NS = 2_000_000_000
"""A file that changed so shortly before it was read may change again without another time stamp."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, link or folder: its `st_mode` (a link's permission bits are 0) and its blob, "" for a folder."""

    mode: int
    blob: str

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def git_mode(self) -> int:
        """What a git tree can say: a link, a file, or an executable file."""
        if stat.S_ISLNK(self.mode):
            return stat.S_IFLNK
        return 0o100755 if self.mode & stat.S_IXUSR else 0o100644


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A work tree. `private` are those entries that git ignores; `skipped` and `ignored` as in `Scan`."""

    entries: Mapping[str, Entry]
    private: frozenset[str]
    skipped: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def state(self, path: str) -> str:
        """A file as `MODE:BLOB`, with git's mode, the same on every machine; "" where there is none."""
        entry = self.entries.get(path)
        return f"{entry.git_mode:o}:{entry.blob}" if entry and not entry.is_folder else ""

    def surfaced_in(self, later: "Snapshot") -> frozenset[str]:
        """The files that git ignores here and does not ignore later: they are new to git, and not new."""
        public = (path for path in later.entries.keys() - later.private if later.state(path))
        return frozenset(
            path
            for path in public
            if path in self.private or (path not in self.entries and lies_in(path, self.ignored))
        )


class Camera:
    """Takes snapshots of one workspace; files that stayed as they were since its last one are not read again."""

    def __init__(self, store: Store, project: Project) -> None:
        self._store = store
        self._project = project
        self._seen: dict[str, tuple[tuple[int, ...], str]] = {}

    def take(self, also: Iterable[str], public: AbstractSet[str] = frozenset()) -> Snapshot:
        """Store every covered file as it is on disk.

        `also` names paths to cover in any case; `public` those that are not private, even when git ignores them now.

        Raises:
            SessionError: when git cannot read or store a file, or files keep coming and going.
        """
        paths = list(also)
        for _ in range(_TRIES - 1):
            with contextlib.suppress(SessionError, OSError):  # a file may vanish between look and read
                return self._take(paths, public)
        try:
            return self._take(paths, public)
        except OSError as error:
            raise SessionError(f"the work tree could not be saved: {error}", hint="Try again.") from error

    def _take(self, also: Sequence[str], public: AbstractSet[str]) -> Snapshot:
        seen = scan(self._store.workspace, self._project, also)
        blobs = self._blobs(seen)
        return Snapshot(
            entries={path: Entry(_mode(status), blobs[path]) for path, status in sorted(seen.found.items())},
            private=frozenset(seen.private - public),
            skipped=tuple(sorted(seen.skipped)),
            ignored=tuple(sorted(seen.ignored)),
        )

    def _blobs(self, seen: Scan) -> dict[str, str]:
        """Each path's blob; "" for a folder."""
        blobs: dict[str, str] = {}
        unread: dict[str, os.stat_result] = {}
        for path, status in seen.found.items():
            known = self._seen.get(path)
            if stat.S_ISDIR(status.st_mode):
                blobs[path] = ""
            elif known is not None and known[0] == _identity(status):
                blobs[path] = known[1]
            else:
                unread[path] = status
        limit = time.time_ns() - _RACY_NS
        stored = _store(self._store, unread)
        blobs |= stored
        self._seen = {path: known for path, known in self._seen.items() if path in blobs} | {
            path: (_identity(status), stored[path])
            for path, status in unread.items()
            if max(status.st_mtime_ns, status.st_ctime_ns) < limit
        }
        return blobs


def write_tree(store: Store, snapshot: Snapshot) -> str:
    """The git tree of a snapshot: `files`, `private` (what git ignores) and `facts` (what a git tree cannot say)."""
    files = {path: entry for path, entry in snapshot.entries.items() if not entry.is_folder}
    odd_modes = {path: entry.mode for path, entry in files.items() if entry.mode != entry.git_mode}
    folders = {path: entry.mode for path, entry in snapshot.entries.items() if entry.is_folder}
    facts = json.dumps({"modes": odd_modes, "folders": folders}).encode()
    parts = {
        "files": _tree(store, {path: entry for path, entry in files.items() if path not in snapshot.private}),
        "private": _tree(store, {path: entry for path, entry in files.items() if path in snapshot.private}),
    }
    blob = store.run("hash-object", "-w", "--stdin", stdin=facts).decode().strip()
    lines = [f"040000 tree {tree}\t{name}\n" for name, tree in parts.items()]
    return (
        store.run("mktree", stdin="".join([f"100644 blob {blob}\tfacts\n", *lines]).encode()).decode().strip()
    )


def read_tree(store: Store, tree: str) -> Snapshot:
    """The snapshot that `write_tree` wrote, without what was not covered."""
    (content,) = store.contents([f"{tree}:facts"])
    facts: dict[str, dict[str, int]] = json.loads(content)
    entries = {path: Entry(mode, "") for path, mode in facts["folders"].items()}
    private: set[str] = set()
    for line in store.names("ls-tree", "-r", "-z", "--full-tree", tree):
        about, place = line.split("\t", 1)
        part, _, path = place.partition("/")
        if not path:
            continue
        mode, _, blob = about.split(" ")
        entries[path] = Entry(facts["modes"].get(path, int(mode, 8)), blob)
        if part == "private":
            private.add(path)
    return Snapshot(dict(sorted(entries.items())), frozenset(private))


def _tree(store: Store, entries: Mapping[str, Entry]) -> str:
    lines = [f"{entry.git_mode:o} {entry.blob}\t{path}\0" for path, entry in entries.items()]
    with tempfile.TemporaryDirectory(prefix="codeflow-") as folder:
        git = store.with_index(Path(folder) / "index")
        git.run("update-index", "-z", "--index-info", stdin=os.fsencode("".join(lines)))
        return git.run("write-tree").decode().strip()


def _mode(status: os.stat_result) -> int:
    return stat.S_IFLNK if stat.S_ISLNK(status.st_mode) else status.st_mode


def _identity(status: os.stat_result) -> tuple[int, ...]:
    """What changes whenever a file does, as git's own index has it."""
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_mode)


def _store(store: Store, files: Mapping[str, os.stat_result]) -> dict[str, str]:
    """Writes each file's bytes, or link's target, as a blob; git's filters and line endings stay out."""
    if not files:
        return {}
    with tempfile.TemporaryDirectory(prefix="codeflow-") as folder:
        sources = []
        for number, (path, status) in enumerate(files.items()):
            file = store.workspace / path
            if stat.S_ISLNK(status.st_mode):
                target = Path(folder) / str(number)
                target.write_bytes(os.fsencode(file.readlink()))
                file = target
            sources.append(_quoted(os.fsencode(file)))
        output = store.run(
            "hash-object", "-w", "--no-filters", "--stdin-paths", stdin=b"\n".join([*sources, b""])
        )
    blobs = output.decode().split()
    if len(blobs) != len(files):
        raise SessionError("the work tree changed while it was being saved", hint="Try again.")
    return dict(zip(files, blobs, strict=True))


def _quoted(path: bytes) -> bytes:
    """A path in git's C quoting, which survives line breaks in names."""
    plain = range(0x20, 0x7F)
    escaped = (chr(byte) if byte in plain and byte not in b'"\\' else f"\\{byte:03o}" for byte in path)
    return f'"{"".join(escaped)}"'.encode()
