"""Consoles that interpret nothing: no markup, no emoji codes, no highlighting of what models write."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from typing_extensions import override

from codeflow.cli.render.clean import one_line

_NO_TERMINAL_WIDTH = 500
"""Columns where nobody's window limits them, so that nothing is wrapped for a log or a pipe."""


class _PlainConsole(Console):
    """Rich would end the process when the reader goes away; a run has to go on."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class _LabelledConsole(_PlainConsole):
    """Begins everything that it prints with whose it is."""

    def __init__(self, label: str, **options: Any) -> None:
        super().__init__(**options)
        self._label = Text(label, style="dim")

    @override
    def print(self, *objects: Any, **options: Any) -> None:
        if objects:
            super().print(self._label, *objects, **options)


def console(*, stderr: bool = False, label: str = "") -> Console:
    """A console on stdout or stderr; colours only on a terminal and only without NO_COLOR.

    A `label` stands before everything that is printed.
    """
    made: Console
    if label:
        made = _LabelledConsole(label, stderr=stderr, markup=False, emoji=False, highlight=False)
    else:
        made = _PlainConsole(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not made.is_terminal:
        made.width = _NO_TERMINAL_WIDTH
    return made


def is_rich(console: Console) -> bool:
    """Whether it is a terminal that can do more than print."""
    return console.is_terminal and not console.is_dumb_terminal


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Aligned columns without borders; titles that begin with `>` are right-aligned."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        right = title.startswith(">")
        made.add_column(title.removeprefix(">"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(one_line(cell)) for cell in row))
    return made
