"""The bill as CSV (RFC 4180) that a spreadsheet takes for data and never for a formula."""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

from codeflow.app.comparing import compare
from codeflow.cli.reports import Report
from codeflow.core.values import Usage
from codeflow.models.catalogue import ModelSpec
from codeflow.telemetry.bill import UNNAMED, By, Call, grouped

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - spreadsheets take them, too
_USAGE = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens")
_CALL = (
    "at",
    "session",
    "repository",
    "workspace",
    "complexity",
    "agent",
    "model",
    "outcome",
    *_USAGE,
    "cost_usd",
)
_GROUP = ("calls", *_USAGE, "cache_hit_rate", "cost_usd", "cost_known_usd", "unpriced_calls")
Cell = str | int | float | Decimal | None


def csv_of_calls(calls: Iterable[Call], specs: Sequence[ModelSpec]) -> Report:
    """One row a call, oldest first; what is not known is empty."""
    rows = (
        (
            call.at.isoformat(timespec="milliseconds"), call.session, call.repository, call.workspace, call.complexity,
            call.agent, call.model, call.outcome, *_counts(call.usage), call.cost, *_alone([call], specs),
        )
        for call in calls
    )  # fmt: skip
    return _report((*_CALL, *_titles(specs)), rows, mark=",".join(_CALL))


def csv_of_groups(calls: Iterable[Call], by: By, specs: Sequence[ModelSpec]) -> Report:
    """One row a group; the name of what has no value, and unknown sums, are empty."""
    rows = (
        (
            "" if row.name == UNNAMED else row.name, row.calls, *_counts(row.usage), round(row.cache_read_share, 4),
            row.cost, row.known_cost, row.unpriced_calls, *_alone(group, specs),
        )
        for row, group in grouped(calls, by)
    )  # fmt: skip
    titles = (by, *_GROUP)
    return _report((*titles, *_titles(specs)), rows, mark=",".join(titles))


def _titles(specs: Iterable[ModelSpec]) -> list[str]:
    return [f"same_calls_with {spec.address} usd" for spec in specs]


def _alone(calls: Sequence[Call], specs: Iterable[ModelSpec]) -> list[Cell]:
    """What the calls would have cost with each model alone, in the models' order; None where no size is known."""
    compared = compare(calls, specs)
    costs = {single.model: single.cost for single in compared.singles}
    return [None if compared.left_out == len(calls) else costs.get(spec.address) for spec in specs]


def _counts(usage: Usage | None) -> list[Cell]:
    return [None if usage is None else getattr(usage, name) for name in _USAGE]


def _report(titles: Sequence[str], rows: Iterable[Sequence[Cell]], *, mark: str) -> Report:
    text = io.StringIO(newline="")
    writer = csv.writer(text)  # its default dialect is the RFC's: commas, doubled quotes, CRLF
    writer.writerow(map(_cell, titles))
    for row in rows:
        writer.writerow(map(_cell, row))
    return Report(text.getvalue(), mark)


def _cell(value: Cell) -> str:
    """The cell's text; one that a spreadsheet would calculate begins with an apostrophe."""
    match value:
        case None:
            return ""
        case Decimal():
            return f"{value:f}"
        case str():
            return f"'{value}" if value.startswith(_FORMULA) else value
        case _:
            return str(value)
