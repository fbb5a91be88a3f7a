"""Flags that several commands have."""

from typing import Annotated

import typer

NoSandbox = Annotated[
    bool, typer.Option("--no-sandbox", help="Run commands with all of your rights, outside the sandbox.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only the answer and the changed files.")]
MaxTurns = Annotated[int | None, typer.Option(help="Model calls in one visit of one agent.")]
Timeout = Annotated[float | None, typer.Option(metavar="SECONDS", help="Stop after this time.")]
