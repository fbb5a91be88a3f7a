"""Sessions in one SQLite file, such as one on a drive that several machines mount."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from codeflow.core.errors import SessionError
from codeflow.core.places import private_file, private_folder
from codeflow.sessions.stores.port import Lease, UnreachableError, taken_over
from codeflow.sessions.summary import Head

_BUSY_S = 10.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS lines (
    session_id TEXT NOT NULL, number INTEGER NOT NULL, line BLOB NOT NULL, PRIMARY KEY (session_id, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heads (session_id TEXT PRIMARY KEY, head TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leases (session_id TEXT PRIMARY KEY, lease TEXT NOT NULL) WITHOUT ROWID;
"""


class SQLiteStore:
    """A `LogStore` in a file, readable by its owner only; every change is one transaction."""

    def __init__(self, path: Path) -> None:
        self.name = f"sqlite:{path}"
        self._path = path

    def set_up(self) -> Sequence[str]:
        found = self._path.exists()
        try:
            private_folder(self._path.parent)
            private_file(self._path)
        except OSError as error:
            raise _unusable(self._path, error.strerror or str(error)) from error
        with self._transaction():
            pass
        return [f"{self._path}: {'found' if found else 'made'}"]

    def heads(self) -> Sequence[Head]:
        with self._transaction() as database:
            rows = database.execute("SELECT head FROM heads ORDER BY session_id").fetchall()
        return [Head.from_json(json.loads(text)) for (text,) in rows]

    def head(self, session_id: str) -> Head | None:
        with self._transaction() as database:
            row = database.execute("SELECT head FROM heads WHERE session_id = ?", [session_id]).fetchone()
        return Head.from_json(json.loads(row[0])) if row else None

    def read(self, session_id: str, after: int = 0) -> Iterator[bytes]:
        query = "SELECT line FROM lines WHERE session_id = ? AND number > ? ORDER BY number"
        with self._transaction() as database:
            rows = database.execute(query, [session_id, after]).fetchall()
        return (bytes(line) for (line,) in rows)

    def append(self, lease: Lease, first: int, lines: Sequence[bytes], head: Head) -> None:
        session_id = lease.session_id
        with self._transaction() as database:
            current = _lease(database, session_id)
            if current is None or current.owner != lease.owner:
                raise taken_over(session_id, current.owner if current else None)
            (count,) = database.execute(
                "SELECT count(*) FROM lines WHERE session_id = ?", [session_id]
            ).fetchone()
            if count != first - 1:
                raise taken_over(session_id)
            rows = [(session_id, number, line) for number, line in enumerate(lines, start=first)]
            database.executemany("INSERT INTO lines VALUES (?, ?, ?)", rows)
            text = json.dumps(head.to_json())
            database.execute("INSERT OR REPLACE INTO heads VALUES (?, ?)", [session_id, text])

    def delete(self, session_id: str) -> None:
        with self._transaction() as database:
            for table in ("lines", "heads", "leases"):
                database.execute(f"DELETE FROM {table} WHERE session_id = ?", [session_id])  # noqa: S608 - our own names

    def lease(self, session_id: str) -> Lease | None:
        with self._transaction() as database:
            return _lease(database, session_id)

    def swap_lease(self, old: Lease | None, new: Lease) -> Lease:
        with self._transaction() as database:
            current = _lease(database, new.session_id)
            if current != old:
                raise taken_over(new.session_id, current.owner if current else None)
            text = json.dumps(new.to_json())
            database.execute("INSERT OR REPLACE INTO leases VALUES (?, ?)", [new.session_id, text])
        return replace(new, version="")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction, which takes the write lock at once."""
        try:
            self._path.stat()  # a drive that is not mounted must not become an empty store
            database = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)
            try:
                database.executescript(_SCHEMA)
                database.execute("BEGIN IMMEDIATE")
                yield database
                database.execute("COMMIT")
            finally:
                database.close()
        except FileNotFoundError as error:
            raise SessionError(
                f"{self.name}: the file is not there",
                hint="Mount its drive; where there was none yet, `codeflow sessions setup` makes it.",
            ) from error
        except OSError as error:
            raise _unusable(self._path, error.strerror or str(error)) from error
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise UnreachableError(
                    f"{self.name}: busy", hint="Another process holds the file."
                ) from error
            raise _unusable(self._path, str(error)) from error
        except sqlite3.DatabaseError as error:
            raise _unusable(self._path, str(error)) from error


def _lease(database: sqlite3.Connection, session_id: str) -> Lease | None:
    row = database.execute("SELECT lease FROM leases WHERE session_id = ?", [session_id]).fetchone()
    return Lease.from_json(json.loads(row[0])) if row else None


def _unusable(path: Path, reason: str) -> SessionError:
    return SessionError(
        f"sqlite:{path}: sessions cannot be kept there: {reason}",
        hint="Set sessions.store to a file that you can write, or to another store.",
    )
