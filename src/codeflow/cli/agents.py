"""`codeflow agents`: who can be given a task."""

from pathlib import Path
from typing import Annotated

import typer

from codeflow.cli.listing import ListOutput, show


def agents(
    workspace: Annotated[Path | None, typer.Option(help="The folder whose own agents count too.")] = None,
    output: Annotated[ListOutput, typer.Option(help="How to print the list.")] = ListOutput.TEXT,
) -> None:
    """List the specialists, also your own."""
    from codeflow.agents.specialists import load_specialists
    from codeflow.cli.request import existing_folder

    rows = [
        {
            "name": specialist.name,
            "role": specialist.role,
            "model": specialist.model,
            "description": specialist.description,
            "tools": specialist.tools,
            "source": str(specialist.source),
        }
        for specialist in load_specialists(existing_folder(workspace)).values()
    ]
    show(rows, ["name", "role", "model", "description", "source"], output=output, empty="no agents found")
