"""What a cascade tells and learns: hand-overs to stronger specialists, and how runs that began with each one ended."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from codeflow.core.values import Complexity, TaskKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalated:
    """The gates were red, or a specialist gave no answer: the task goes to another one, with diff and output."""

    from_agent: str
    to_agent: str
    reason: str
    kind: Literal["escalated"] = "escalated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """How runs of one kind went in a project that began with `agent`, played by `model`.

    `green` were done, their gates green, without a hand-over; `red` were not. Runs without a gate that decides teach
    nothing.
    """

    task_kind: TaskKind
    complexity: Complexity
    agent: str
    model: str
    green: int
    red: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expense:
    """What `agent`, played by `model`, took in runs of one kind in a project; `cost` is the sum of those `runs`.

    Runs with a call of unknown cost are left out.
    """

    task_kind: TaskKind
    complexity: Complexity
    agent: str
    model: str
    runs: int
    cost: Decimal
