"""Flags that several commands have."""

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typing_extensions import override

from codeflow.cli import completing

STDOUT = Path("-")
"""As the name of a file to write."""

Which = Annotated[
    str,
    typer.Argument(
        help="A session's id, the beginning of it, or its name.", autocompletion=completing.sessions
    ),
]
NoSandbox = Annotated[
    bool, typer.Option("--no-sandbox", help="Run commands with all of your rights, outside the sandbox.")
]
Roster = Annotated[
    str | None, typer.Option(help="Which models play which role.", autocompletion=completing.rosters)
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only the answer and the changed files.")]
MaxTurns = Annotated[int | None, typer.Option(help="Model calls in one visit of one agent.")]
Timeout = Annotated[float | None, typer.Option(metavar="SECONDS", help="Stop after this time.")]

_REPORTS = ("--csv", "--html")


class ReportCommand(TyperCommand):
    """`--csv` and `--html` may stand without a file, and then mean stdout."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = [
            f"{word}={STDOUT}" if word in _REPORTS and _is_option(after) else word
            for word, after in pairwise([*args, "--"])
        ]
        return super().parse_args(ctx, named)


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != str(STDOUT)
