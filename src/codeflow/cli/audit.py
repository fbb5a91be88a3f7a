"""`codeflow audit`: what a session's agents wanted to do, and who or which rule decided."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeflow.cli import completing
from codeflow.cli.listing import ListOutput, show
from codeflow.cli.render.clean import one_line

if TYPE_CHECKING:
    from codeflow.core.events import CallJudged
    from codeflow.sessions.log import SessionStore

_WHAT = 80


def audit(
    session: Annotated[
        str,
        typer.Argument(
            help="A session's id, the beginning of it, or its name.", autocompletion=completing.sessions
        ),
    ],
    output: Annotated[ListOutput, typer.Option(help="How to print it.")] = ListOutput.TEXT,
    *,
    denied: Annotated[
        bool, typer.Option("--denied", help="Only what was refused or left unanswered.")
    ] = False,
) -> None:
    """List who allowed what in a session.

    Every call that was judged, with its verdict and why; of a damaged session, what stands before the damage.
    """
    from codeflow.cli.request import open_store
    from codeflow.core.errors import SessionError

    rows: list[dict[str, Any]] = []
    problem: SessionError | None = None
    try:
        rows.extend(_rows(open_store(None)[0], session, denied=denied))
    except SessionError as damaged:
        problem = damaged
    empty = "nothing was denied" if denied else "no call was judged, or the log is older than the audit"
    show(rows, ["time", "agent", "tool", "what", "verdict", "why"], output=output, empty=empty)
    if problem:
        raise problem


def _rows(store: "SessionStore", session: str, *, denied: bool) -> Iterator[dict[str, Any]]:
    from codeflow.core.events import CallJudged

    for at, event in store.timed_events(session):
        if isinstance(event, CallJudged) and not (denied and event.outcome == "allowed"):
            yield _row(at, event)


def _row(at: str, event: "CallJudged") -> dict[str, Any]:
    by = {"person": "you", "nobody": "nobody was here", "rules": ""}[event.answered_by]
    source = f"{event.layer} rule {event.rule}" if event.rule else "the mode"
    verdict = f"{event.outcome} by you" if event.answered_by == "person" else event.outcome
    return {
        "time": at[:19].replace("T", " "),
        "agent": one_line(event.agent),
        "tool": one_line(event.tool),
        "what": one_line(event.summary, _WHAT),
        "verdict": verdict,
        "why": one_line("; ".join(filter(None, (event.reason, source, by if by != "you" else "")))),
        "at": at,
        "call_id": event.call_id,
        "summary": event.summary,
        "outcome": event.outcome,
        "answered_by": event.answered_by,
        "reason": event.reason,
        "rule": event.rule or None,
        "layer": event.layer.value,
    }
