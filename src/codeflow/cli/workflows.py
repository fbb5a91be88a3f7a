"""`codeflow workflows`: which there are, what one does, and whether a file can run."""

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codeflow.cli import completing
from codeflow.cli.listing import ListOutput, show
from codeflow.core.errors import UsageError

if TYPE_CHECKING:
    from codeflow.orchestration.workflows.loading import Loaded, Shelf

app = typer.Typer(no_args_is_help=True, help="Graphs of nodes to run with `codeflow run --workflow NAME`.")

Workspace = Annotated[Path | None, typer.Option(help="The folder whose own workflows count too.")]
Which = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A workflow's name, or a file.", autocompletion=completing.workflows),
]


class Drawing(StrEnum):
    """How a workflow is drawn."""

    MERMAID = "mermaid"
    SVG = "svg"


@app.command("list")
def list_workflows(
    workspace: Workspace = None,
    output: Annotated[ListOutput, typer.Option(help="How to print the list.")] = ListOutput.TEXT,
) -> int:
    """List the workflows, also your own; one that cannot run says why."""
    shelf = _shelf(workspace)
    rows = [_row(shelf, name) for name in shelf.paths]
    show(rows, ["name", "inputs", "nodes", "description"], output=output, empty="no workflows found")
    return 0


@app.command("show")
def show_workflow(which: Which, workspace: Workspace = None) -> int:
    """Print a workflow's file, which is what to copy and change."""
    loaded = _load(_shelf(workspace), which)
    print(f"# {loaded.path}")
    print(loaded.path.read_text(encoding="utf-8"), end="")
    return 0


@app.command()
def validate(
    which: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Names or files to look at; default: every workflow there is."
        ),
    ] = None,
    workspace: Workspace = None,
) -> int:
    """Say what is wrong with workflows, with the line; exit code 2 when something is."""
    shelf = _shelf(workspace)
    wrong = 0
    for one in which or shelf.paths:
        try:
            loaded = _load(shelf, one)
        except UsageError as error:
            wrong += 1
            print(error)
        else:
            print(f"{loaded.path}: ok")
    return 2 if wrong else 0


@app.command()
def graph(
    which: Which,
    workspace: Workspace = None,
    form: Annotated[Drawing, typer.Option("--format", help="What to draw it as.")] = Drawing.MERMAID,
) -> int:
    """Draw a workflow on stdout."""
    from codeflow.orchestration.workflows.drawing import mermaid, svg

    loaded = _load(_shelf(workspace), which)
    print((mermaid if form is Drawing.MERMAID else svg)(loaded.form), end="")
    return 0


@app.command()
def schema() -> int:
    """Print the JSON Schema of workflow files, for editors."""
    from codeflow.orchestration.workflows.schema import workflow_schema

    print(json.dumps(workflow_schema(), indent=2))
    return 0


def _shelf(workspace: Path | None) -> "Shelf":
    from codeflow.cli.request import existing_folder, workflow_shelf
    from codeflow.core.settings import load_settings

    folder = existing_folder(workspace)
    return workflow_shelf(folder, load_settings(folder, env=os.environ))


def _load(shelf: "Shelf", which: str) -> "Loaded":
    is_file = which not in shelf.paths and (which.endswith((".yaml", ".yml")) or os.sep in which)
    return shelf.check(Path(which)) if is_file else shelf.load(which)


def _row(shelf: "Shelf", name: str) -> dict[str, object]:
    row: dict[str, object] = {"name": name, "source": str(shelf.paths[name])}
    try:
        form = shelf.load(name).form
    except UsageError as error:
        return {**row, "inputs": None, "nodes": None, "description": f"cannot run: {error}"}
    return {
        **row,
        "inputs": list(form.inputs),
        "nodes": len(form.nodes),
        "description": form.description,
    }
