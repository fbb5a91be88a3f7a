"""What every model call of every run has cost: one SQLite file for all of a user's repositories."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from codeflow.core.cascade import Expense, Lesson
from codeflow.core.errors import CodeflowError
from codeflow.core.places import private_file, private_folder
from codeflow.core.values import Usage
from codeflow.telemetry.bill import By, Call, Row, Selection, rows
from codeflow.telemetry.lessons import expenses, lessons
from codeflow.telemetry.recorder import Recorder, as_text, storable
from codeflow.telemetry.schema import prepare

_PATIENCE_S = 2.0
_CALLS = """
SELECT calls.at, runs.session, runs.repository, runs.workspace, runs.complexity, calls.agent, calls.model, calls.outcome,
    calls.cost, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens
FROM calls JOIN runs ON runs.id = calls.run
WHERE calls.at >= :since AND calls.at < :until
    AND (:session IS NULL OR runs.session = :session)
    AND (:repository IS NULL OR runs.repository = :repository)
    AND (:folder IS NULL OR runs.project = :folder OR runs.workspace = :folder
        OR substr(runs.workspace, 1, length(:folder) + 1) = :folder || '/')
ORDER BY calls.at, calls.rowid
"""
_FOREVER = "9999"  # after every time as text


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

    def calls(self, chosen: Selection = Selection()) -> Iterator[Call]:  # noqa: B008 - a value
        """The calls in the order they were made.

        Raises:
            CodeflowError: when the file cannot be read.
        """
        wanted = {
            "since": "" if chosen.since is None else as_text(chosen.since),
            "until": _FOREVER if chosen.until is None else as_text(chosen.until),
            "session": chosen.session,
            "repository": chosen.repository,
            "folder": None if chosen.folder is None else storable(str(chosen.folder)),
        }
        with _readable():
            for found in self._database.execute(_CALLS, wanted):
                yield _call(found)

    def report(self, by: By, since: datetime | None = None) -> list[Row]:
        """Sums of all calls, or of those since an aware time: periods in order, all else the dearest first."""
        return rows(self.calls(Selection(since=since)), by)

    def repositories(self) -> list[str]:
        """The names that runs have gone by."""
        with _readable():
            found = self._database.execute("SELECT DISTINCT repository FROM runs ORDER BY repository")
            return [name for (name,) in found]

    def sessions(self, beginning: str) -> list[str]:
        """The ids that begin so, of sessions that may be deleted long since."""
        with _readable():
            found = self._database.execute(
                "SELECT DISTINCT session FROM runs WHERE substr(session, 1, length(:text)) = :text ORDER BY session",
                {"text": beginning},
            )
            return [session for (session,) in found]

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


def _call(found: tuple[Any, ...]) -> Call:
    """The call of a row of _CALLS."""
    at, session, repository, workspace, complexity, agent, model, outcome, cost, *tokens = found
    return Call(
        at=datetime.fromisoformat(at),
        session=session,
        repository=repository,
        workspace=workspace,
        complexity=complexity or "",
        agent=agent,
        model=model,
        outcome=outcome,
        usage=None if tokens[0] is None else _usage(*tokens),
        cost=None if cost is None else Decimal(cost),
    )


def _usage(input_: int, output: int, read: int, write: int, write_1h: int) -> Usage:
    return Usage(
        input_tokens=input_,
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_tokens=write,
        cache_write_1h_tokens=write_1h,
    )
