"""The tags of a repository's files, kept on disk so that only what changed is parsed again."""

import hashlib
import json
import os
import sqlite3
import stat
import time
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.places import private_file, private_folder
from codeflow.core.redaction import Redactor
from codeflow.syntax.language import QUERIES
from codeflow.syntax.tags import Definition, Tags, tags

MAX_FILE_BYTES = 500_000
MAX_NEW_BYTES = 20_000_000
"""Read in one call, some six seconds of work; the next call goes on from there."""
MAX_S = 20.0
"""For files that are slow to parse; a map of other repositories does not depend on the clock."""

_FORMAT = 2
_CREDENTIALS = Redactor({})
"""A constant's signature may show its value, and the map of it lies on the disk."""
_BUSY_TIMEOUT_S = 5.0
_FILES_A_COMMIT = 200
_FUNCTIONS = {"function", "method", "constructor"}


@dataclass(frozen=True, slots=True)
class FileTags:
    """What a file defines for others (no locals of functions), and how often it refers to which name.

    A dot before the name means that it is reached through an object or module.
    """

    definitions: tuple[Definition, ...]
    references: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Index:
    files: Mapping[str, FileTags]
    unread: int
    """Files for which this call had no time."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One file as stored: its state on disk, and its tags as JSON."""

    path: str
    mtime_ns: int
    size: int
    digest: bytes
    tags: str


def index(root: Path, paths: Sequence[str], database: Path) -> Index:
    """The tags of regular files below the root, those that come first being read first.

    Several processes may share the database. A broken one is made anew; one that cannot be used is done without.
    """
    for _ in range(2):
        try:
            private_folder(database.parent)
            return _indexed(root, paths, str(private_file(database)))
        except (sqlite3.OperationalError, OSError):  # locked for long, read-only, no space
            break
        except sqlite3.DatabaseError:  # damaged
            for ending in ("", "-wal", "-shm"):
                database.with_name(database.name + ending).unlink(missing_ok=True)
    return _indexed(root, paths, ":memory:")


def _indexed(root: Path, paths: Sequence[str], database: str) -> Index:
    found: dict[str, FileTags] = {}
    unread = 0
    room, deadline = MAX_NEW_BYTES, time.monotonic() + MAX_S
    with closing(sqlite3.connect(database, timeout=_BUSY_TIMEOUT_S)) as connection:
        _prepare(connection)
        for path, state in _regular_files(root, paths):
            row = _stored(connection, path)
            current = row is not None and (row.mtime_ns, row.size) == (state.st_mtime_ns, state.st_size)
            if not current and (state.st_size > room or time.monotonic() > deadline):
                unread += 1
                continue
            if row is None or not current:
                room -= state.st_size
                row = _read(root, path, state, row)
                _store(connection, row)
            found[path] = _decoded(row)
        _forget_deleted(connection, root, found)
        connection.commit()
    return Index(found, unread)


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    version = _version()
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] != version:
            connection.execute("DROP TABLE IF EXISTS files")
            connection.execute(f"PRAGMA user_version = {version}")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS files"
            " (path TEXT PRIMARY KEY, mtime_ns INTEGER, size INTEGER, digest BLOB, tags TEXT) WITHOUT ROWID"
        )


def _version() -> int:
    """Differs when the stored tags would differ: with the queries, or with the code by hand."""
    checksum = _FORMAT
    for file in sorted(QUERIES.glob("*.scm")):
        checksum = zlib.crc32(file.read_bytes(), checksum)
    return checksum & 0x7FFFFFFF


def _regular_files(root: Path, paths: Sequence[str]) -> Iterator[tuple[str, os.stat_result]]:
    """Those that exist, are not too large, and do not lead out of the root by a linked folder."""
    top = os.path.realpath(root)
    inside: dict[str, bool] = {}
    for path in paths:
        folder = os.path.dirname(path)  # noqa: PTH120 - a hundred thousand paths: strings are ten times faster
        if folder not in inside:
            inside[folder] = Path(os.path.realpath(f"{top}/{folder}")).is_relative_to(top)
        try:
            state = os.lstat(f"{top}/{path}")
        except OSError:  # deleted meanwhile: a map without it is still a map
            continue
        if inside[folder] and stat.S_ISREG(state.st_mode) and state.st_size <= MAX_FILE_BYTES:
            yield path, state


def _stored(connection: sqlite3.Connection, path: str) -> _Row | None:
    row = connection.execute("SELECT * FROM files WHERE path = ?", (_key(path),)).fetchone()
    return _Row(path, *row[1:]) if row else None


def _read(root: Path, path: str, state: os.stat_result, old: _Row | None) -> _Row:
    """The file's row; parsed only when its content is new. A file that cannot be read has no tags."""
    try:
        data = (root / path).read_bytes()
    except OSError:
        data = b""
    digest = hashlib.blake2b(data, digest_size=16).digest()
    if old is not None and old.digest == digest:
        encoded = old.tags
    else:
        encoded = _encoded(tags(path, data.decode("utf-8", "replace")))
    return _Row(path, state.st_mtime_ns, state.st_size, digest, encoded)


def _encoded(found: Tags) -> str:
    kinds = {item.qualified: item.kind for item in found.definitions}
    definitions = [
        [item.kind, item.name, item.qualified, item.line, item.end_line, _CREDENTIALS.redact(item.signature)]
        for item in found.definitions
        if kinds.get(item.qualified.rpartition(".")[0]) not in _FUNCTIONS
    ]
    references = Counter("." * reference.member + reference.name for reference in found.references)
    return json.dumps([definitions, references])


def _decoded(row: _Row) -> FileTags:
    definitions, references = json.loads(row.tags)
    return FileTags(tuple(Definition(*values) for values in definitions), references)


def _store(connection: sqlite3.Connection, row: _Row) -> None:
    """Commits now and then: a process that is killed loses little, and others get their turn."""
    values = (_key(row.path), row.mtime_ns, row.size, row.digest, row.tags)
    connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", values)
    if connection.total_changes % _FILES_A_COMMIT == 0:
        connection.commit()


def _forget_deleted(connection: sqlite3.Connection, root: Path, found: Collection[str]) -> None:
    stored = {_path(key) for (key,) in connection.execute("SELECT path FROM files")}
    gone = [(_key(path),) for path in stored - set(found) if not os.path.lexists(root / path)]
    connection.executemany("DELETE FROM files WHERE path = ?", gone)


def _key(path: str) -> str:
    """SQLite takes no lone surrogates, which stand for bytes of a name that is not UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("latin-1")


def _path(key: str) -> str:
    return key.encode("latin-1").decode("utf-8", "surrogateescape")
