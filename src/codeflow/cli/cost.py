"""`codeflow cost`: what was spent, by day, agent, model, repository, complexity or session."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeflow.cli.listing import ListOutput, show
from codeflow.cli.render.figures import tokens, total_money

if TYPE_CHECKING:
    from codeflow.telemetry.ledger import Row


class By(StrEnum):
    """What the bill is broken down by."""

    DAY = "day"
    AGENT = "agent"
    MODEL = "model"
    REPOSITORY = "repository"
    COMPLEXITY = "complexity"
    SESSION = "session"


def cost(
    by: Annotated[By, typer.Option(help="What the bill is broken down by.")] = By.DAY,
    since: Annotated[
        int | None, typer.Option(metavar="DAYS", min=0, max=36500, help="Only the last DAYS days.")
    ] = None,
    output: Annotated[ListOutput, typer.Option(help="How to print the list.")] = ListOutput.TEXT,
) -> None:
    """Show what runs have cost."""
    from codeflow.core.places import state_home
    from codeflow.telemetry.ledger import ledger_to_read

    begin = None if since is None else datetime.now(UTC) - timedelta(days=since)
    with ledger_to_read(state_home() / "ledger.sqlite3") as ledger:
        rows = ledger.report(by=by.value, since=begin)
    shape = _text if output is ListOutput.TEXT else _json
    titles = ["name", ">calls", ">in", ">cached", ">out", ">cost"]
    show(map(shape, rows), titles, output=output, empty="nothing has been spent")


def _text(row: "Row") -> dict[str, Any]:
    usage = row.usage
    fresh = usage.prompt_tokens - usage.cache_read_tokens
    return {
        "name": row.name,
        "calls": row.calls,
        "in": tokens(fresh),
        "cached": tokens(usage.cache_read_tokens),
        "out": tokens(usage.output_tokens),
        "cost": total_money(row.known_cost, row.unpriced_calls),
    }


def _json(row: "Row") -> dict[str, Any]:
    return {
        "name": row.name,
        "calls": row.calls,
        "usage": asdict(row.usage),
        "cost_usd": None if row.unpriced_calls else float(row.known_cost),
        "cost_known_usd": float(row.known_cost),
        "unpriced_calls": row.unpriced_calls,
    }
