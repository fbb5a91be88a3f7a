"""Lists: aligned columns for people, JSON for programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any


class ListOutput(StrEnum):
    """How a list is printed."""

    TEXT = "text"
    JSON = "json"


def show(rows: Iterable[Mapping[str, Any]], titles: Sequence[str], *, output: ListOutput, empty: str) -> None:
    """Print the rows on stdout; `empty` is what text says when there are none.

    `titles` are the keys that text shows, in order; `>` before one aligns it right. JSON shows every key.
    """
    found = list(rows)
    if output is ListOutput.JSON:
        print(json.dumps(found, default=str))
        return
    if not found:
        print(empty)
        return
    from codeflow.cli.render.console import console, table

    cells = ([_cell(row[title.removeprefix(">")]) for title in titles] for row in found)
    console().print(table(titles, cells))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
