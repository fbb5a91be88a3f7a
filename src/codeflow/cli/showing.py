"""`codeflow sessions show`: what happened in a session, on the terminal, for programs, or as a page."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeflow.cli.listing import ListOutput, show
from codeflow.cli.options import Which
from codeflow.core.errors import SessionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codeflow.core.events import Event


def show_session(
    session: Which,
    output: Annotated[ListOutput, typer.Option(help="How to print the events.")] = ListOutput.TEXT,
    *,
    short: Annotated[
        bool, typer.Option("--summary", help="Only what was asked, what came of it and what it cost.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="[FILE]", help="A page to read in a browser; without FILE to stdout."),
    ] = None,
) -> None:
    """Show what happened in a session, step by step; of a damaged one, what stands before the damage."""
    from codeflow.cli.render.console import console
    from codeflow.cli.render.progress import StatusLine
    from codeflow.cli.render.text import TextRenderer
    from codeflow.cli.request import open_store

    if html is not None:
        _write_page(session, html, alone=not short and output is ListOutput.TEXT)
        return
    events = open_store(None)[0].events(session)
    if short:
        _print_summary(events, output)
        return
    if output is ListOutput.JSON:
        from codeflow.core.codec import to_json

        shown: list[dict[str, Any]] = []
        try:
            shown.extend(map(to_json, events))
        finally:
            show(shown, [], output=output, empty="")
        return
    paper = console()
    renderer = TextRenderer(paper, paper, StatusLine(paper, enabled=False))
    for event in events:
        renderer(event)


def _print_summary(events: "Iterable[Event]", output: ListOutput) -> None:
    from codeflow.cli.render.summary import summary

    lines = list(summary(events))
    print(
        json.dumps({"summary": lines}, ensure_ascii=False) if output is ListOutput.JSON else "\n".join(lines)
    )


def _write_page(session: str, place: Path, *, alone: bool) -> None:
    """Of a damaged log, what stands before the damage."""
    from codeflow.cli.render.session_page import Timed, session_page
    from codeflow.cli.reports import check_place, write_report
    from codeflow.cli.request import open_store

    if not alone:
        raise UsageError("--html excludes --summary and --output json", hint="Give one of them.")
    check_place(place, is_page=True)
    store, _ = open_store(None)
    session_id = store.find(session)
    entries: list[Timed] = []
    problem: SessionError | None = None
    try:
        entries.extend(store.timed_events(session_id))
    except SessionError as damaged:
        problem = damaged
    write_report(place, session_page(session_id, entries, str(problem or "")))
    if problem:
        raise problem
