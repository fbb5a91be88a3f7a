"""What the runs in the ledger teach about who should begin a task, and what each specialist takes."""

import sqlite3
from collections import Counter, defaultdict
from decimal import Decimal

from codeflow.core.cascade import Expense, Lesson
from codeflow.core.values import Complexity, TaskKind

_LESSONS = """
SELECT kind, complexity, begun_by, begun_model, status = 'done' AND gates = 'green' AND escalations = 0
FROM runs
WHERE project = ? AND gates IS NOT NULL AND begun_model IS NOT NULL AND kind <> 'question'
  AND (escalations > 0 OR (status = 'done' AND gates = 'green') OR (status IN ('failed', 'stopped') AND gates = 'red'))
"""
_EXPENSES = """
SELECT runs.id, runs.kind, runs.complexity, calls.agent, calls.model, calls.cost
FROM runs JOIN calls ON calls.run = runs.id
WHERE runs.project = ? AND runs.gates IS NOT NULL AND runs.status IN ('done', 'failed') AND runs.kind <> 'question'
  AND runs.begun_by IS NOT NULL
"""
_Key = tuple[str, str, str, str]


def lessons(database: sqlite3.Connection, project: str) -> list[Lesson]:
    """One for each kind, complexity, first specialist and model that the project has had."""
    seen: defaultdict[_Key, Counter[bool]] = defaultdict(Counter)
    for *key, green in database.execute(_LESSONS, (project,)):
        seen[_key(*key)][bool(green)] += 1
    return [
        Lesson(
            task_kind=TaskKind(kind),
            complexity=Complexity(complexity),
            agent=agent,
            model=model,
            green=counts[True],
            red=counts[False],
        )
        for (kind, complexity, agent, model), counts in sorted(seen.items())
    ]


def expenses(database: sqlite3.Connection, project: str) -> list[Expense]:
    """One for each kind, complexity, specialist and model whose calls in the project's runs are priced."""
    runs: defaultdict[tuple[int, _Key], Decimal | None] = defaultdict(Decimal)
    for run, *key, cost in database.execute(_EXPENSES, (project,)):
        place = (run, _key(*key))
        before = runs[place]
        runs[place] = None if cost is None or before is None else before + Decimal(cost)
    known: defaultdict[_Key, list[Decimal]] = defaultdict(list)
    for (_, found), total in runs.items():
        if total is not None:
            known[found].append(total)
    return [
        Expense(
            task_kind=TaskKind(kind),
            complexity=Complexity(complexity),
            agent=agent,
            model=model,
            runs=len(totals),
            cost=sum(totals, Decimal(0)),
        )
        for (kind, complexity, agent, model), totals in sorted(known.items())
    ]


def _key(kind: str, complexity: str, agent: str, model: str) -> _Key:
    return kind, complexity, agent, model
