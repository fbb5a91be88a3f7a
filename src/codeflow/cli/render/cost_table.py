"""The bill on a terminal: a row a group, with bars where there is a window to draw them in."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from codeflow.app.comparing import compare
from codeflow.cli.render.clean import one_line
from codeflow.cli.render.console import table
from codeflow.cli.render.figures import dollars, money, times, tokens
from codeflow.models.catalogue import ModelSpec
from codeflow.telemetry.bill import By, Call, Row, rows, summed

_LEAST_BAR = 8
_MOST_BAR = 40
_LAYOUTS = (
    (">calls", ">in", ">cached", ">out", ">cost"),
    (">calls", ">cached", ">cost"),
    (">cached", ">cost"),
    (">cost",),
)
"""What stands beside the name: the first that leaves room for bars."""


def show_costs(paper: Console, calls: Sequence[Call], by: By, specs: Sequence[ModelSpec]) -> None:
    """Print the groups, their sum, and what one model for everything would have cost."""
    whole = summed("total", calls)
    found = rows(calls, by)
    shown = found if len(found) == 1 else [*found, whole]
    paper.print(_table(paper, by, shown, found))
    if whole.unpriced_calls:
        paper.print(
            Text(f"\n≥ is a lower bound: {whole.unpriced_calls} of {whole.calls} calls could not be priced.")
        )
    compared = compare(calls, specs)
    if compared.singles:
        paper.print(Text("\nOne model for everything:", style="bold"))
        lines = [(one.model, dollars(one.cost), times(one.cost, compared.spent)) for one in compared.singles]
        paper.print(table(["model", ">cost", ">against spent"], lines))
        paper.print(Text(compared.assumptions, style="dim"))


def _table(paper: Console, by: By, shown: Sequence[Row], charted: Sequence[Row]) -> Table:
    cells = [_cells(row) for row in shown]
    layout, room = _layout(paper, cells)
    if room < _LEAST_BAR or not any(row.known_cost for row in charted):
        return table([by, *layout], [_line(one, layout) for one in cells])
    made = table([by, *layout, ""], [])
    most = max(row.known_cost for row in charted)
    for row, one in zip(shown, cells, strict=True):
        share = float(row.known_cost / most) if row in charted else 0.0
        bar = Text(_bar(share, min(room, _MOST_BAR), ascii_only=paper.options.ascii_only), style="cyan")
        made.add_row(*map(Text, _line(one, layout)), bar)
    return made


def _cells(row: Row) -> dict[str, str]:
    """Every cell by its title, the name's by ""."""
    return {
        "": one_line(row.name),
        ">calls": str(row.calls),
        ">in": tokens(row.usage.prompt_tokens),
        ">cached": f"{row.cache_read_share:.0%}",
        ">out": tokens(row.usage.output_tokens),
        ">cost": money(row.cost, row.known_cost),
    }


def _line(cells: dict[str, str], layout: Sequence[str]) -> list[str]:
    return [cells[""], *(cells[title] for title in layout)]


def _layout(paper: Console, cells: Sequence[dict[str, str]]) -> tuple[Sequence[str], int]:
    """The columns beside the name, and how many characters are left for bars; none where there is no window."""
    if not paper.is_terminal:
        return _LAYOUTS[0], 0
    for layout in _LAYOUTS:
        columns = ["", *layout]
        widths = (max(len(title) - 1, *(cell_len(one[title]) for one in cells)) for title in columns)
        room = paper.width - sum(widths) - 2 * len(columns)
        if room >= _LEAST_BAR:
            return layout, room
    return _LAYOUTS[-1], 0


def _bar(share: float, width: int, *, ascii_only: bool) -> str:
    """A bar of eighths of a character; what is not nothing shows."""
    if ascii_only:
        return "#" * max(round(share * width), int(share > 0))
    eighths = max(round(share * width * 8), int(share > 0))
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
