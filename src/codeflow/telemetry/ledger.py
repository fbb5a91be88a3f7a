"""What every model call of every run has cost: one SQLite file for all of a user's repositories."""

import os
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from codeflow.core.cascade import Expense, Lesson
from codeflow.core.errors import CodeflowError
from codeflow.core.places import private_file, private_folder
from codeflow.core.values import Usage
from codeflow.telemetry.lessons import expenses, lessons
from codeflow.telemetry.meter import Sum
from codeflow.telemetry.recorder import Recorder, as_text, storable
from codeflow.telemetry.schema import prepare

By = Literal["day", "agent", "model", "repository", "complexity", "session"]

_PATIENCE_S = 2.0
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
            prepare(self._database)
        except (OSError, sqlite3.Error) as error:
            raise CodeflowError(
                f"{path}: the cost ledger cannot be opened: {error}",
                hint="Make it writable, or move it away; runs go on without it.",
            ) from error

    def lessons(self, project: Path) -> list[Lesson]:
        """What the runs of a project have taught about who should begin."""
        with _readable():
            return lessons(self._database, storable(str(project)))

    def expenses(self, project: Path) -> list[Expense]:
        """What each specialist took in the runs of a project."""
        with _readable():
            return expenses(self._database, storable(str(project)))

    def recorder(self, session_id: str, workspace: Path, project: Path | None = None) -> Recorder:
        """The event consumer that writes a session's runs; `project` is what all work trees share, if there are more."""
        return Recorder(self._database, session_id, workspace, project or workspace)

    def report(self, by: By, since: datetime | None = None) -> list[Row]:
        """Sums of all calls, or of those since an aware time: days in order, all else the dearest first.

        Days are those of the local time zone. What has no value, such as an unknown complexity, is named "-".
        """
        found = self._database.execute(
            f"SELECT {_COLUMNS[by]}, cost, input_tokens, output_tokens, cache_read_tokens,"  # noqa: S608 - from _COLUMNS
            " cache_write_tokens, cache_write_1h_tokens"
            " FROM calls JOIN runs ON runs.id = calls.run WHERE calls.at >= ?",
            ("" if since is None else as_text(since),),
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
def _readable() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise CodeflowError(f"the cost ledger cannot be read: {error}") from error


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


def _usage(input_: int, output: int, read: int, write: int, write_1h: int) -> Usage:
    return Usage(
        input_tokens=input_,
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_tokens=write,
        cache_write_1h_tokens=write_1h,
    )


def _local_day(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().date().isoformat()
