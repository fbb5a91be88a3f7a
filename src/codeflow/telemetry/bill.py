"""Model calls as the ledger has them, and what they add up to by whatever they have in common."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

from codeflow.core.values import Cost, Usage
from codeflow.telemetry.meter import Sum

By = Literal["day", "week", "month", "agent", "model", "repository", "complexity", "session"]

UNNAMED = "-"
"""The group of what has no value, such as an unknown complexity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One attempt at a model call. `at` is aware; texts are "" and `usage` and `cost` None where they are not known."""

    at: datetime
    session: str
    repository: str
    workspace: str
    complexity: str
    agent: str
    model: str
    outcome: str
    usage: Usage | None
    cost: Cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which calls: made from `since` on and before `until`, both aware; `folder` also stands for what lies in it."""

    since: datetime | None = None
    until: datetime | None = None
    session: str | None = None
    repository: str | None = None
    folder: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a report; `known_cost` is a lower bound when `unpriced_calls` is not 0."""

    name: str
    calls: int
    usage: Usage
    known_cost: Decimal
    unpriced_calls: int

    @property
    def cost(self) -> Cost:
        return None if self.unpriced_calls else self.known_cost

    @property
    def cache_read_share(self) -> float:
        """How much of what the models read came from the cache, from 0 to 1."""
        read = self.usage.prompt_tokens
        return self.usage.cache_read_tokens / read if read else 0.0


_NAMES: Mapping[By, Callable[[Call], str]] = {
    "day": lambda call: f"{call.at.astimezone():%Y-%m-%d}",
    "week": lambda call: f"{call.at.astimezone():%G-W%V}",
    "month": lambda call: f"{call.at.astimezone():%Y-%m}",
    "agent": lambda call: call.agent,
    "model": lambda call: call.model,
    "repository": lambda call: call.repository,
    "complexity": lambda call: call.complexity,
    "session": lambda call: call.session,
}
PERIODS: frozenset[By] = frozenset({"day", "week", "month"})
"""Those of the local time zone; weeks are ISO 8601's."""


def summed(name: str, calls: Iterable[Call]) -> Row:
    """All of the calls as one row."""
    part = Sum()
    for call in calls:
        part = part.add(call.usage, call.cost)
    return Row(
        name=name,
        calls=part.calls,
        usage=part.usage,
        known_cost=part.spend.known,
        unpriced_calls=part.spend.unpriced_calls,
    )


def grouped(calls: Iterable[Call], by: By) -> list[tuple[Row, list[Call]]]:
    """A row for each group with its calls: periods in order, all else the dearest first."""
    groups: defaultdict[str, list[Call]] = defaultdict(list)
    for call in calls:
        groups[_NAMES[by](call) or UNNAMED].append(call)
    rows = [(summed(name, group), group) for name, group in sorted(groups.items())]
    return rows if by in PERIODS else sorted(rows, key=lambda pair: -pair[0].known_cost)


def rows(calls: Iterable[Call], by: By) -> list[Row]:
    """The rows of `grouped` alone."""
    return [row for row, _ in grouped(calls, by)]
