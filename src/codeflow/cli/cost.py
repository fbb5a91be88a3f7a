"""`codeflow cost`: what was spent, by period, agent, model, repository, complexity or session."""

import os
from collections.abc import Iterator
from dataclasses import asdict
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeflow.cli.listing import ListOutput, show
from codeflow.core.errors import UsageError

if TYPE_CHECKING:
    from codeflow.models.catalogue import ModelSpec
    from codeflow.telemetry.bill import By as Group
    from codeflow.telemetry.bill import Call, Selection
    from codeflow.telemetry.ledger import Ledger


class By(StrEnum):
    """What the bill is broken down by."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    AGENT = "agent"
    MODEL = "model"
    REPOSITORY = "repository"
    COMPLEXITY = "complexity"
    SESSION = "session"


Since = Annotated[
    str | None, typer.Option(metavar="WHEN", help="From a day such as 2026-11-01 on, or today, 30d, 12h.")
]
Until = Annotated[str | None, typer.Option(metavar="WHEN", help="Up to such a day, that day included.")]
Repository = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only what was done in it; a folder such as . will do.")
]
Versus = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODEL",
        help="Compare with this model for everything; repeatable; default: the roster's architect and coders.",
    ),
]
Csv = Annotated[
    Path | None,
    typer.Option(metavar="[FILE]", help="One row a call, or a group with --by; without FILE to stdout."),
]


def cost(
    by: Annotated[By | None, typer.Option(help="What the bill is broken down by; default: day.")] = None,
    *,
    since: Since = None,
    until: Until = None,
    repository: Repository = None,
    session: Annotated[str | None, typer.Option(metavar="ID", help="Only this session's calls.")] = None,
    versus: Versus = None,
    csv: Csv = None,
    html: Annotated[
        Path | None, typer.Option(metavar="[FILE]", help="A page with every breakdown, --by's first.")
    ] = None,
    output: Annotated[ListOutput, typer.Option(help="How to print the list.")] = ListOutput.TEXT,
) -> None:
    """Show what runs have cost.

    And what the same calls would have cost with one model for all of them. CSV and pages are readable by you alone.
    """
    from codeflow.app.comparing import candidates
    from codeflow.cli.reports import check_place, write_report
    from codeflow.cli.request import existing_folder
    from codeflow.core.places import state_home
    from codeflow.core.settings import load_settings
    from codeflow.telemetry.ledger import ledger_to_read

    if sum((csv is not None, html is not None, output is ListOutput.JSON)) > 1:
        raise UsageError("--csv, --html and --output json exclude each other", hint="Give one of them.")
    for place in filter(None, (csv, html)):
        check_place(place, is_page=place is html)
    specs = candidates(load_settings(existing_folder(None), env=os.environ), versus or ())
    with ledger_to_read(state_home() / "ledger.sqlite3") as ledger:
        chosen = _selection(ledger, since, until, repository, session)
        calls = list(ledger.calls(chosen))
    by_group: Group = (by or By.DAY).value
    about = _words(chosen)
    if csv is not None:
        from codeflow.cli.render.cost_csv import csv_of_calls, csv_of_groups

        write_report(csv, csv_of_groups(calls, by_group, specs) if by else csv_of_calls(calls, specs))
    elif html is not None:
        from codeflow.cli.render.cost_page import cost_page

        write_report(html, cost_page(calls, by_group, about, specs))
    elif output is ListOutput.JSON:
        show(_json(calls, by_group, specs), [], output=output, empty="")
    elif not calls:
        print(f"nothing has been spent{f' ({about})' if about else ''}")
    else:
        from codeflow.cli.render.console import console
        from codeflow.cli.render.cost_table import show_costs

        show_costs(console(), calls, by_group, specs)


def _selection(
    ledger: "Ledger", since: str | None, until: str | None, repository: str | None, session: str | None
) -> "Selection":
    from codeflow.cli.request import moment
    from codeflow.telemetry.bill import Selection

    begin = None if since is None else moment(since, "--since")
    end = None if until is None else moment(until, "--until", is_end=True)
    if begin and end and begin >= end:
        raise UsageError("--since is not before --until", hint="Exchange them.")
    named = repository if repository in ledger.repositories() else None
    return Selection(
        since=begin,
        until=end,
        session=None if session is None else _session(ledger, session),
        repository=named,
        folder=None if repository is None or named else _folder(ledger, repository),
    )


def _folder(ledger: "Ledger", name: str) -> Path:
    """The repository that a folder is or lies in."""
    from codeflow.knowledge.project import top_of

    folder = Path(name).absolute()
    if not folder.is_dir():
        near = get_close_matches(name, ledger.repositories(), n=3)
        raise UsageError(
            f"--repository {name}: nothing was done in a repository of this name",
            hint=f"Did you mean {' or '.join(near)}?"
            if near
            else "`codeflow cost --by repository` lists them.",
        )
    resolved = folder.resolve()
    return top_of(resolved) or resolved


def _session(ledger: "Ledger", text: str) -> str:
    """The session that an id, the beginning of one, or a name means, also when its log is gone."""
    from codeflow.cli.request import open_store

    found = ledger.sessions(text) if text else []
    if text in found or len(found) == 1:
        return text if text in found else found[0]
    if found:
        raise UsageError(
            f"{text!r} means several sessions: {', '.join(found[:3])}", hint="Give more of the id."
        )
    return open_store(None)[0].find(text)


def _words(chosen: "Selection") -> str:
    """What was chosen, for people."""
    from codeflow.cli.render.clean import one_line

    moments = (("from", chosen.since), ("before", chosen.until))
    words = [f"{word} {at.astimezone():%Y-%m-%d %H:%M}" for word, at in moments if at]
    words += [f"repository {chosen.repository}"] if chosen.repository else []
    words += [f"in {chosen.folder}"] if chosen.folder else []
    words += [f"session {chosen.session}"] if chosen.session else []
    return one_line(", ".join(words))


def _json(calls: "list[Call]", by: "Group", specs: "list[ModelSpec]") -> "Iterator[dict[str, Any]]":
    from codeflow.app.comparing import compare
    from codeflow.telemetry.bill import grouped

    for row, group in grouped(calls, by):
        yield {
            "name": row.name,
            "calls": row.calls,
            "usage": asdict(row.usage),
            "cache_hit_rate": round(row.cache_read_share, 4),
            "cost_usd": None if row.cost is None else float(row.cost),
            "cost_known_usd": float(row.known_cost),
            "unpriced_calls": row.unpriced_calls,
            "same_calls_with_usd": {one.model: float(one.cost) for one in compare(group, specs).singles},
        }
