"""The result object of a run: `--output json` prints it alone, `stream-json` as its last line."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from codeflow.core.events import Event, RunFinished
from codeflow.core.ports import Emit
from codeflow.core.results import Attempt, RunResult, Share
from codeflow.core.values import EXIT_CODES, Cost, Usage, Worktree


def json_renderer(out: TextIO) -> Emit:
    """A consumer that prints nothing but the result object, when the run has finished."""

    def show(event: Event) -> None:
        if isinstance(event, RunFinished):
            print(json.dumps(result_object(event.result)), file=out, flush=True)

    return show


def result_object(result: RunResult) -> dict[str, Any]:
    """The documented fields in their order; unknown money is null, never 0."""
    error = {"message": result.error, "hint": result.hint or ""} if result.error else None
    return {
        "status": result.status,
        "exit_code": EXIT_CODES[result.status],
        "session_id": result.session_id,
        "answer": result.answer,
        "complexity": result.complexity,
        "pattern": result.pattern,
        "router": asdict(result.route) if result.route else None,
        "plan": asdict(result.plan) if result.plan else None,
        "files_changed": [asdict(change) for change in result.files_changed],
        "diff": result.diff,
        "gates": [asdict(gate) for gate in result.gates],
        "escalations": [
            {"from": one.from_agent, "to": one.to_agent, "reason": one.reason} for one in result.escalations
        ],
        "unread_messages": [
            {"from": one.sender, "to": one.to, "kind": one.purpose, "content": one.content}
            for one in result.unread_messages
        ],
        "warnings": list(result.warnings),
        "usage": asdict(result.usage),
        "cost_usd": _number(result.cost),
        "cost_known_usd": float(result.known_cost),
        "unpriced_calls": result.unpriced_calls,
        "by_agent": _shares(result.by_agent),
        "by_model": _shares(result.by_model),
        "model_calls": result.model_calls,
        "duration_s": result.duration_s,
        "denied": list(result.denied),
        "question": asdict(result.question) if result.question else None,
        "outputs": result.outputs,
        "worktree": _worktree(result.worktree) if result.worktree else None,
        "attempts": [_attempt(attempt) for attempt in result.attempts],
        "error": error,
    }


def fault_object(status: str, exit_code: int, message: str, hint: str) -> dict[str, Any]:
    """The same fields for a run without a result; only a usage fault is known to have cost nothing."""
    return {
        "status": status,
        "exit_code": exit_code,
        "session_id": None,
        "answer": "",
        "complexity": None,
        "pattern": None,
        "router": None,
        "plan": None,
        "files_changed": [],
        "diff": "",
        "gates": [],
        "escalations": [],
        "unread_messages": [],
        "warnings": [],
        "usage": asdict(Usage()),
        "cost_usd": 0.0 if status == "usage" else None,
        "cost_known_usd": 0.0,
        "unpriced_calls": 0,
        "by_agent": [],
        "by_model": [],
        "model_calls": 0,
        "duration_s": 0.0,
        "denied": [],
        "question": None,
        "outputs": None,
        "worktree": None,
        "attempts": [],
        "error": {"message": message, "hint": hint},
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "by": attempt.by,
        "session_id": attempt.session_id,
        "status": attempt.status,
        "chosen": bool(attempt.chosen),
        "reason": attempt.chosen or None,
        "gates": [asdict(gate) for gate in attempt.gates],
        "files_changed": attempt.files_changed,
        "cost_usd": _number(attempt.cost),
        "cost_known_usd": float(attempt.known_cost),
        "by_model": _shares(attempt.by_model),
        "error": attempt.error,
        "worktree": _worktree(attempt.worktree) if attempt.worktree else None,
    }


def _worktree(worktree: Worktree) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value, Path) else value for name, value in asdict(worktree).items()
    }


def _shares(shares: Iterable[Share]) -> list[dict[str, Any]]:
    return [
        {
            "name": share.name,
            "calls": share.calls,
            "usage": asdict(share.usage),
            "cost_usd": _number(share.cost),
            "cost_known_usd": float(share.known_cost),
        }
        for share in shares
    ]


def _number(cost: Cost) -> float | None:
    return None if cost is None else float(cost)
