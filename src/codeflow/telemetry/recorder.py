"""Writes the runs of a session into the ledger, event by event."""

import os
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from codeflow.core.events import (
    AgentStarted,
    Event,
    ModelCalled,
    PatternChosen,
    Routed,
    RunFinished,
    RunResumed,
    RunStarted,
)
from codeflow.core.results import RunResult
from codeflow.core.values import GateStatus


class Recorder:
    """Writes the runs and calls of one session; never raises, see `problem`."""

    def __init__(self, database: sqlite3.Connection, session_id: str, workspace: Path, project: Path) -> None:
        self.problem: str | None = None
        """Why rows are missing, or None."""
        self._database = database
        self._session_id = session_id
        self._workspace = workspace.resolve()
        self._project = project.resolve()
        self._begun_by = ""
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
            case Routed(route=route):
                self._set(complexity=route.complexity, kind=route.kind)
            case PatternChosen():
                self._begun_by = event.agent
                self._set(complexity=event.complexity, begun_by=event.agent or None)
            case AgentStarted() if event.agent == self._begun_by:
                self._database.execute(
                    "UPDATE runs SET begun_model = coalesce(begun_model, ?) WHERE id = ?",
                    (event.model, self._run),
                )
            case ModelCalled():
                self._add(event)
            case RunFinished(result=result):
                self._set(
                    status=result.status,
                    duration_s=result.duration_s,
                    escalations=len(result.escalations),
                    gates=_decided(result),
                )
            case _:
                pass

    def _latest(self, session_id: str) -> int | None:
        found = self._database.execute("SELECT max(id) FROM runs WHERE session = ?", (session_id,)).fetchone()
        run: int | None = found[0]
        return run

    def _begin(self) -> int | None:
        cursor = self._database.execute(
            "INSERT INTO runs (session, workspace, repository, project, started) VALUES (?, ?, ?, ?, ?)",
            (
                self._session_id,
                storable(str(self._workspace)),
                storable(_repository(self._workspace)),
                storable(str(self._project)),
                as_text(datetime.now(UTC)),
            ),
        )
        return cursor.lastrowid

    def _set(self, **values: str | float | None) -> None:
        """Columns of the run; their names are written here, never read from anywhere."""
        names = ", ".join(f"{name} = ?" for name in values)
        self._database.execute(f"UPDATE runs SET {names} WHERE id = ?", (*values.values(), self._run))  # noqa: S608

    def _add(self, call: ModelCalled) -> None:
        usage = call.usage
        self._database.execute(
            "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._run,
                as_text(datetime.now(UTC)),
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


def _decided(result: RunResult) -> str | None:
    """What the gates made of the work; None where none decided, or where the policy kept the work from being done."""
    statuses = {gate.status for gate in result.gates}
    if result.denied or not statuses & {GateStatus.GREEN, GateStatus.RED}:
        return None
    return "red" if GateStatus.RED in statuses else "green"


def as_text(moment: datetime) -> str:
    """A form in which the order of texts is the order of times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def storable(text: str) -> str:
    """SQLite refuses the surrogates that stand for bytes outside UTF-8 in a path."""
    return os.fsencode(text).decode(errors="replace")


def _repository(workspace: Path) -> str:
    """The name of the folder that holds `.git`, else of the workspace."""
    homes = (folder for folder in (workspace, *workspace.parents) if (folder / ".git").exists())
    return next(homes, workspace).name
