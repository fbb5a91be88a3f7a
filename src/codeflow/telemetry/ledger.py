"""What every model call of every run has cost: one SQLite file for all of a user's repositories."""

import os
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from codeflow.core.errors import CodeflowError
from codeflow.core.events import (
    Event,
    ModelCalled,
    PatternChosen,
    Routed,
    RunFinished,
    RunResumed,
    RunStarted,
)
from codeflow.core.places import private_file, private_folder
from codeflow.core.values import Complexity, Usage
from codeflow.telemetry.meter import Sum

By = Literal["day", "agent", "model", "repository", "complexity", "session"]

_VERSION = 1
_PATIENCE_S = 2.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY,
    session TEXT NOT NULL,
    workspace TEXT NOT NULL,
    repository TEXT NOT NULL,
    started TEXT NOT NULL,      -- ISO 8601, UTC; as is calls.at
    complexity TEXT,
    status TEXT,                -- NULL while running, and for ever after a kill
    duration_s REAL
);
CREATE TABLE IF NOT EXISTS calls (
    run INTEGER NOT NULL REFERENCES runs,
    at TEXT NOT NULL,
    agent TEXT NOT NULL,
    model TEXT NOT NULL,
    outcome TEXT NOT NULL,
    input_tokens INTEGER,       -- all five NULL when the service did not report them
    output_tokens INTEGER,
    cache_read_tokens INTEGER,
    cache_write_tokens INTEGER,
    cache_write_1h_tokens INTEGER,
    cost TEXT                   -- US dollars as a decimal; NULL when unknown
);
CREATE INDEX IF NOT EXISTS calls_at ON calls (at);
"""
_COLUMNS: dict[By, str] = {
    "day": "calls.at",
    "agent": "calls.agent",
    "model": "calls.model",
    "repository": "runs.repository",
    "complexity": "runs.complexity",
    "session": "runs.session",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a report; `known_cost` is a lower bound when `unpriced_calls` is not 0."""

    name: str
    calls: int
    usage: Usage
    known_cost: Decimal
    unpriced_calls: int

    @property
    def cache_read_share(self) -> float:
        """How much of what the models read came from the cache, from 0 to 1."""
        read = self.usage.prompt_tokens
        return self.usage.cache_read_tokens / read if read else 0.0


class Ledger:
    """The open file; several processes may use it at once."""

    def __init__(self, path: Path) -> None:
        """Opens the ledger, which is created if need be, for its owner only.

        Raises:
            CodeflowError: when it cannot be opened or is no ledger.
        """
        try:
            private_folder(path.parent)
            self._database = sqlite3.connect(private_file(path), timeout=_PATIENCE_S, check_same_thread=False)
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise CodeflowError(
                f"{path}: the cost ledger cannot be opened: {error}",
                hint="Make it writable, or move it away; runs go on without it.",
            ) from error

    def _prepare(self) -> None:
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise sqlite3.DatabaseError("it was written by a newer codeflow")
        self._database.execute("PRAGMA synchronous = NORMAL")
        if version == _VERSION:
            return
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")

    def recorder(self, session_id: str, workspace: Path) -> "Recorder":
        """The event consumer that writes a session's runs."""
        return Recorder(self._database, session_id, workspace)

    def report(self, by: By, since: datetime | None = None) -> list[Row]:
        """Sums of all calls, or of those since an aware time: days in order, all else the dearest first.

        Days are those of the local time zone. What has no value, such as an unknown complexity, is named "-".
        """
        found = self._database.execute(
            f"SELECT {_COLUMNS[by]}, cost, input_tokens, output_tokens, cache_read_tokens,"  # noqa: S608 - from _COLUMNS
            " cache_write_tokens, cache_write_1h_tokens"
            " FROM calls JOIN runs ON runs.id = calls.run WHERE calls.at >= ?",
            ("" if since is None else _text(since),),
        )
        sums: defaultdict[str, Sum] = defaultdict(Sum)
        for value, cost, *tokens in found:
            name = _local_day(value) if by == "day" else value or "-"
            usage = None if tokens[0] is None else _usage(*tokens)
            sums[name] = sums[name].add(usage, None if cost is None else Decimal(cost))
        rows = [
            Row(
                name=name,
                calls=part.calls,
                usage=part.usage,
                known_cost=part.spend.known,
                unpriced_calls=part.spend.unpriced_calls,
            )
            for name, part in sorted(sums.items())
        ]
        return rows if by == "day" else sorted(rows, key=lambda row: -row.known_cost)

    def close(self) -> None:
        self._database.close()


@contextmanager
def ledger_to_read(path: Path) -> Iterator[Ledger]:
    """The ledger; a copy of it where SQLite could not make its own files beside it, as on a read-only disk."""
    if os.access(path if path.exists() else path.parent, os.W_OK) or not path.parent.exists():
        with closing(Ledger(path)) as ledger:
            yield ledger
        return
    with TemporaryDirectory(prefix="codeflow-") as folder:
        for file in (path, path.with_name(f"{path.name}-wal")):
            if file.exists():
                shutil.copyfile(file, Path(folder) / file.name)
        with closing(Ledger(Path(folder) / path.name)) as ledger:
            yield ledger


class Recorder:
    """Writes the runs and calls of one session; never raises, see `problem`."""

    def __init__(self, database: sqlite3.Connection, session_id: str, workspace: Path) -> None:
        self.problem: str | None = None
        """Why rows are missing, or None."""
        self._database = database
        self._session_id = session_id
        self._workspace = workspace.resolve()
        self._run: int | None = None

    def __call__(self, event: Event) -> None:
        try:
            with self._database:
                self._write(event)
        except sqlite3.Error as error:
            self.problem = f"the cost ledger misses calls of this run: {error}"

    def catch_up(self, calls: Sequence[ModelCalled], begun_as: str) -> None:
        """Add what a killed process logged and could not enter here: `calls` are all of the session's last run.

        `begun_as` is the session that made them: another one where this is a copy of it.
        """
        try:
            with self._database:
                mine = self._latest(self._session_id)
                known = mine or self._latest(begun_as)
                self._run = mine or self._begin()
                entered = self._database.execute("SELECT count(*) FROM calls WHERE run = ?", (known,))
                for call in calls[entered.fetchone()[0] :]:
                    self._add(call)
        except sqlite3.Error as error:
            self.problem = f"the cost ledger misses calls of this run: {error}"

    def _write(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._run = self._begin()
            case RunResumed():
                self._run = self._latest(self._session_id) or self._begin()
            case Routed():
                self._set_complexity(event.route.complexity)
            case PatternChosen():
                self._set_complexity(event.complexity)
            case ModelCalled():
                self._add(event)
            case RunFinished():
                self._database.execute(
                    "UPDATE runs SET status = ?, duration_s = ? WHERE id = ?",
                    (event.result.status, event.result.duration_s, self._run),
                )
            case _:
                pass

    def _latest(self, session_id: str) -> int | None:
        found = self._database.execute("SELECT max(id) FROM runs WHERE session = ?", (session_id,)).fetchone()
        run: int | None = found[0]
        return run

    def _begin(self) -> int | None:
        cursor = self._database.execute(
            "INSERT INTO runs (session, workspace, repository, started) VALUES (?, ?, ?, ?)",
            (
                self._session_id,
                _storable(str(self._workspace)),
                _storable(_repository(self._workspace)),
                _text(datetime.now(UTC)),
            ),
        )
        return cursor.lastrowid

    def _set_complexity(self, complexity: Complexity) -> None:
        self._database.execute("UPDATE runs SET complexity = ? WHERE id = ?", (complexity, self._run))

    def _add(self, call: ModelCalled) -> None:
        usage = call.usage
        self._database.execute(
            "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._run,
                _text(datetime.now(UTC)),
                call.agent,
                call.model,
                call.outcome,
                usage and usage.input_tokens,
                usage and usage.output_tokens,
                usage and usage.cache_read_tokens,
                usage and usage.cache_write_tokens,
                usage and usage.cache_write_1h_tokens,
                None if call.cost is None else str(call.cost),
            ),
        )


def _usage(input_: int, output: int, read: int, write: int, write_1h: int) -> Usage:
    return Usage(
        input_tokens=input_,
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_tokens=write,
        cache_write_1h_tokens=write_1h,
    )


def _text(moment: datetime) -> str:
    """A form in which the order of texts is the order of times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _local_day(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().date().isoformat()


def _storable(text: str) -> str:
    """SQLite refuses the surrogates that stand for bytes outside UTF-8 in a path."""
    return os.fsencode(text).decode(errors="replace")


def _repository(workspace: Path) -> str:
    """The name of the folder that holds `.git`, else of the workspace."""
    homes = (folder for folder in (workspace, *workspace.parents) if (folder / ".git").exists())
    return next(homes, workspace).name
