import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from tests.unit.telemetry.test_telemetry_ledger import STARTED, called

from codeflow.core.cascade import Escalated
from codeflow.core.events import AgentStarted, PatternChosen, Routed, RunFinished
from codeflow.core.results import RunResult
from codeflow.core.values import (
    Complexity,
    GateResult,
    GateStatus,
    Pattern,
    Route,
    Status,
    TaskKind,
    Usage,
)
from codeflow.telemetry.ledger import Ledger

OLD = """
CREATE TABLE runs (id INTEGER PRIMARY KEY, session TEXT NOT NULL, workspace TEXT NOT NULL, repository TEXT NOT NULL,
    started TEXT NOT NULL, complexity TEXT, status TEXT, duration_s REAL);
CREATE TABLE calls (run INTEGER NOT NULL REFERENCES runs, at TEXT NOT NULL, agent TEXT NOT NULL, model TEXT NOT NULL,
    outcome TEXT NOT NULL, input_tokens INTEGER, output_tokens INTEGER, cache_read_tokens INTEGER,
    cache_write_tokens INTEGER, cache_write_1h_tokens INTEGER, cost TEXT);
CREATE INDEX calls_at ON calls (at);
INSERT INTO runs VALUES (1, 's', '/w', 'w', '2026-11-20T00:00:00.000000+00:00', 'SIMPLE', 'done', 1.0);
INSERT INTO calls VALUES (1, '2026-11-20T00:00:00.000000+00:00', 'coder', 'm', 'ok', 1, 1, 0, 0, 0, '0.5');
PRAGMA user_version = 1;
"""
"""A ledger as it was before 2026-11-22."""
GREEN, RED, SKIPPED, ALREADY = GateStatus.GREEN, GateStatus.RED, GateStatus.SKIPPED, GateStatus.ALREADY_RED


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger.sqlite3")
    yield opened
    opened.close()


def result(
    *gates: GateStatus, status: Status, escalations: int = 0, denied: tuple[str, ...] = ()
) -> RunResult:
    shown = [
        GateResult(name="tests", command="t", status=gate, exit_code=0, duration_s=0.0, output="")
        for gate in gates
    ]
    handed = Escalated(from_agent="coder", to_agent="debugger", reason="red gates: tests")
    return RunResult(
        status=status, session_id="s", answer="", complexity=None, pattern=None, route=None, plan=None,
        files_changed=(), diff="", gates=tuple(shown), usage=Usage(), cost=None, known_cost=Decimal(0),
        unpriced_calls=0, by_agent=(), by_model=(), model_calls=0, duration_s=1.0, denied=denied,
        escalations=(handed,) * escalations,
    )  # fmt: skip


def run(
    ledger: Ledger,
    *gates: GateStatus,
    status: Status = Status.DONE,
    kind: TaskKind = TaskKind.BUGFIX,
    folder: str = "/w",
    costs: tuple[str | None, ...] = ("0.1",),
    **more,
) -> None:
    """One run that began with `coder`."""
    route = Route(complexity=Complexity.SIMPLE, kind=kind, confidence=1.0, reason="", source="flag")
    record = ledger.recorder("s", Path(folder), Path("/w"))
    begun = PatternChosen(pattern=Pattern.CASCADE, complexity=Complexity.SIMPLE, reason="", agent="coder")
    for event in (STARTED, Routed(route=route), begun):
        record(event)
    record(AgentStarted(agent="coder", node="coder", visit=1, model="m"))
    for cost in costs:
        record(called(cost=cost))
    record(RunFinished(result=result(*gates, status=status, **more)))
    assert record.problem is None


def taught(ledger: Ledger) -> list[tuple[str, int, int]]:
    return [(one.task_kind, one.green, one.red) for one in ledger.lessons(Path("/w"))]


@pytest.mark.parametrize(
    ("gates", "more", "lesson"),
    [
        ([GREEN], {}, [("bugfix", 1, 0)]),
        ([GREEN, SKIPPED, ALREADY], {}, [("bugfix", 1, 0)]),
        ([GREEN], {"escalations": 1}, [("bugfix", 0, 1)]),
        ([RED], {"escalations": 2, "status": Status.STOPPED}, [("bugfix", 0, 1)]),
        ([RED], {"status": Status.FAILED}, [("bugfix", 0, 1)]),
        ([RED], {"status": Status.STOPPED}, [("bugfix", 0, 1)]),
        ([SKIPPED], {}, []),
        ([ALREADY], {}, []),
        ([], {}, []),
        ([SKIPPED], {"escalations": 1}, []),
        ([GREEN], {"kind": TaskKind.QUESTION}, []),
        ([RED], {"status": Status.FAILED, "denied": ("run_command x",)}, []),
        ([RED], {"status": Status.INTERRUPTED}, []),
        ([GREEN], {"status": Status.FAILED}, []),
        ([], {"status": Status.PAUSED}, []),
    ],
)
def test_only_a_gate_that_decided_teaches(ledger, gates, more, lesson):
    run(ledger, *gates, **more)
    assert taught(ledger) == lesson


def test_lessons_are_kept_by_kind_and_project_and_add_up_over_work_trees(ledger):
    run(ledger, GREEN)
    run(ledger, GREEN, folder="/elsewhere/tree")
    run(ledger, RED, status=Status.FAILED)
    run(ledger, GREEN, kind=TaskKind.FEATURE)
    assert taught(ledger) == [("bugfix", 2, 1), ("feature", 1, 0)]
    assert [(one.agent, one.model) for one in ledger.lessons(Path("/w"))] == [("coder", "m")] * 2
    assert ledger.lessons(Path("/other")) == []


def test_what_a_specialist_takes_leaves_out_runs_of_unknown_cost(ledger):
    run(ledger, GREEN, costs=("0.1", "0.3"))
    run(ledger, GREEN, costs=("0.2",))
    run(ledger, GREEN, costs=("0.2", None))
    (expense,) = ledger.expenses(Path("/w"))
    assert (expense.agent, expense.model, expense.runs, expense.cost) == ("coder", "m", 2, Decimal("0.6"))


def test_a_ledger_of_before_opens_keeps_its_costs_and_learns_from_now_on(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    with sqlite3.connect(path) as database:
        database.executescript(OLD)
    database.close()
    ledger = Ledger(path)
    assert [(row.name, row.known_cost) for row in ledger.report("agent")] == [("coder", Decimal("0.5"))]
    assert taught(ledger) == []
    run(ledger, GREEN)
    assert taught(ledger) == [("bugfix", 1, 0)]
    ledger.close()
    again = Ledger(path)
    assert taught(again) == [("bugfix", 1, 0)]
    again.close()


def test_an_old_ledger_is_brought_up_to_date_by_many_at_once(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    with sqlite3.connect(path) as database:
        database.executescript(OLD)
    database.close()
    code = (
        "import sys\nfrom pathlib import Path\nfrom codeflow.telemetry.ledger import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1]))\nprint(len(ledger.report('agent')))\nledger.close()\n"
    )
    many = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate()[0] for process in many] == ["1\n"] * 3
