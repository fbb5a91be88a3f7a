"""`codeflow cascade`: who begins which tasks in this project, and what that was learned from."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeflow.cli.listing import ListOutput, show
from codeflow.cli.render.figures import dollars

if TYPE_CHECKING:
    from codeflow.app.cascading import Ladders
    from codeflow.core.values import Complexity, TaskKind

_TITLES = [
    "complexity",
    "kind",
    "begins",
    ">green",
    ">red",
    ">chance",
    ">visit",
    ">expected",
    "first",
    "model",
]


def cascade(
    workspace: Annotated[
        Path | None, typer.Option(help="The folder of the project; default: this one.")
    ] = None,
    output: Annotated[ListOutput, typer.Option(help="How to print the list.")] = ListOutput.TEXT,
) -> None:
    """Show who begins tasks here, and why.

    For each kind of task that runs in this project have taught about, and for every other one (kind -): runs that
    began with a specialist and went green or red, its chance, the cost of a visit, the expected cost of a run.
    """
    from codeflow.app.cascading import known_ladders
    from codeflow.cli.request import existing_folder
    from codeflow.core.settings import load_settings

    root = existing_folder(workspace)
    ladders, cells = known_ladders(load_settings(root, env=os.environ), root, os.environ)
    rows = [row for kind, complexity in cells for row in _rows(ladders, kind, complexity)]
    shape = _as_text if output is ListOutput.TEXT else _as_json
    show(map(shape, rows), _TITLES, output=output, empty="")


def _rows(ladders: "Ladders", kind: "TaskKind | None", complexity: "Complexity") -> Iterator[dict[str, Any]]:
    ladder = ladders.of(kind, complexity)
    first = ladder.start().agent
    for coder in ladder.coders:
        expected = ladder.expected_cost(coder.agent)
        yield {
            "complexity": complexity,
            "kind": kind,
            "begins": coder.agent,
            "green": coder.green,
            "red": coder.red,
            "chance": round(coder.chance, 3),
            "visit": coder.cost,
            "expected": expected,
            "first": coder.agent == first,
            "model": coder.model,
        }


def _as_text(row: dict[str, Any]) -> dict[str, Any]:
    prices = {key: "unknown" if row[key] is None else dollars(row[key]) for key in ("visit", "expected")}
    return row | prices | {"chance": f"{row['chance']:.0%}", "first": "yes" if row["first"] else ""}


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return row | {key: None if row[key] is None else float(row[key]) for key in ("visit", "expected")}
