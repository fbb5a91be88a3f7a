"""What a run came to, with its bill."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from codeflow.core.cascade import Escalated
from codeflow.core.messages import MessageSent
from codeflow.core.values import (
    Complexity,
    Cost,
    FileChange,
    GateResult,
    Pattern,
    Plan,
    Question,
    Route,
    Status,
    Usage,
    Worktree,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One row of the bill: an agent's or a model's part of a run."""

    name: str
    calls: int
    usage: Usage
    cost: Cost
    known_cost: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One of several tries at a task, each a session and a worktree of its own."""

    number: int
    """From 1 on."""
    by: str
    """The agent, model or pattern that it began with."""
    session_id: str
    status: Status
    gates: tuple[GateResult, ...]
    files_changed: int
    cost: Cost
    known_cost: Decimal
    by_model: tuple[Share, ...]
    error: str | None = None
    chosen: str = ""
    """Why it was chosen; empty when it was not."""
    worktree: Worktree | None = None
    """Where its work still is; None when it was merged or dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended. `cost` is None when a call could not be priced; `known_cost` is then a lower bound."""

    status: Status
    session_id: str
    answer: str
    complexity: Complexity | None
    pattern: Pattern | None
    route: Route | None
    plan: Plan | None
    files_changed: tuple[FileChange, ...]
    diff: str
    gates: tuple[GateResult, ...]
    usage: Usage
    cost: Cost
    known_cost: Decimal
    unpriced_calls: int
    by_agent: tuple[Share, ...]
    by_model: tuple[Share, ...]
    model_calls: int
    duration_s: float
    error: str | None = None
    hint: str | None = None
    denied: tuple[str, ...] = ()
    """Actions the policy refused, one line each."""
    question: Question | None = None
    """What a paused run waits for."""
    outputs: dict[str, Any] | None = None
    """What a workflow gives in the end, by name."""
    worktree: Worktree | None = None
    """Where it worked, when not in the session's own folder."""
    escalations: tuple[Escalated, ...] = ()
    """Hand-overs to other specialists after red gates or a visit without an answer."""
    attempts: tuple[Attempt, ...] = ()
    """The tries that this is the result of, when there was more than one; the bill is that of all, and of the judge."""
    unread_messages: tuple[MessageSent, ...] = ()
    """What agents told others who were not visited after that."""
    warnings: tuple[str, ...] = ()
    """What a person should know of how the run went, such as commands that it stopped at its end."""
