"""Flags that several commands have."""

from typing import Annotated

import typer

NoSandbox = Annotated[
    bool, typer.Option("--no-sandbox", help="Run commands with all of your rights, outside the sandbox.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only the answer and the changed files.")]
