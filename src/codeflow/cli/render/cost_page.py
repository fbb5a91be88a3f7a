"""The bill as a page: a chart over time, every breakdown, and what one model for everything would have cost."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from codeflow.app.comparing import compare
from codeflow.cli.render.figures import dollars, money, times, tokens
from codeflow.cli.render.html import Html, element, mark_of, page, table
from codeflow.cli.reports import Report
from codeflow.models.catalogue import ModelSpec
from codeflow.telemetry.bill import PERIODS, By, Call, Row, rows, summed

_MOST_COLUMNS = 62
_WIDTH, _HEIGHT = 900, 180
_BREAKDOWNS: tuple[By, ...] = ("day", "repository", "agent", "model", "complexity", "session")
_MOST_ROWS = 60
_STYLE = """
.tiles { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0; }
.tiles div { flex: 1 1 8rem; border: 1px solid var(--line); border-radius: 6px; padding: .6rem .75rem; }
.tiles b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; } svg rect { fill: var(--mark); } svg rect:hover { opacity: .75; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; } svg line { stroke: var(--line); }
table { width: 100%; } td:last-child { width: 30%; min-width: 6rem; } td:first-child { min-width: 7rem; }
.bar { height: .8rem; margin-top: .3rem; background: var(--mark); border-radius: 0 3px 3px 0; }
"""


def cost_page(calls: Sequence[Call], by: By, about: str, specs: Sequence[ModelSpec]) -> Report:
    """The page; the breakdown `by` comes first, `about` says which calls these are."""
    mark = mark_of("costs")
    whole = summed("total", calls)
    made = f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}"
    head = [
        element("h1", "What codeflow has cost"),
        element("p", f"{about or 'All calls in the ledger'}. Made {made}.", class_="soft"),
    ]
    if not calls:
        return Report(page(mark, "codeflow costs", [*head, element("p", "Nothing has been spent.")]), mark)
    order = dict.fromkeys((by, *_BREAKDOWNS))
    parts = [_breakdown(calls, one) for one in order]
    body = [*head, _tiles(calls, whole), _over_time(calls, by), _compared(calls, specs), *parts]
    return Report(page(mark, "codeflow costs", body, style=_STYLE), mark)


def _tiles(calls: Sequence[Call], whole: Row) -> Html:
    figures = (
        (money(whole.cost, whole.known_cost), "spent"),
        (str(len({call.session for call in calls})), "sessions"),
        (str(whole.calls), "model calls"),
        (tokens(whole.usage.prompt_tokens), "tokens read"),
        (tokens(whole.usage.output_tokens), "tokens written"),
        (f"{whole.cache_read_share:.0%}", "of the tokens read came from a cache"),
    )
    tiles = element(
        "div", [element("div", element("b", figure), said) for figure, said in figures], class_="tiles"
    )
    if not whole.unpriced_calls:
        return tiles
    note = f"≥ is a lower bound: {whole.unpriced_calls} of {whole.calls} calls could not be priced."
    return Html(tiles + element("p", note, class_="warn"))


def _over_time(calls: Sequence[Call], by: By) -> Html:
    """Columns by day, or by longer periods where there would be too many of them; empty periods have their place."""
    scales: Sequence[By] = (by,) if by in {"week", "month"} else ("day", "week", "month")
    spent: dict[str, Row] = {}
    names: list[str] = []
    scale: By = "day"
    for scale in scales:
        spent = {row.name: row for row in rows(calls, scale)}
        names = _periods(calls, scale)
        if len(names) <= _MOST_COLUMNS:
            break
    shown = [spent.get(name) or summed(name, ()) for name in names]
    return element("section", element("h2", f"Dollars by {scale}"), _columns(shown))


def _periods(calls: Sequence[Call], scale: By) -> list[str]:
    """The names of all periods from the first call to the last."""
    form = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}[scale]
    first, last = (at.astimezone().date() for at in (calls[0].at, calls[-1].at))
    days = (date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1))
    return [*dict.fromkeys(day.strftime(form) for day in days)]


def _columns(shown: Sequence[Row]) -> Html:
    most = max(row.known_cost for row in shown)
    step = _WIDTH / len(shown)
    bars = []
    for number, row in enumerate(shown):
        tall = float(row.known_cost / most) * _HEIGHT if most else 0.0
        place = {"x": f"{number * step + step * 0.1:.1f}", "y": f"{_HEIGHT + 20 - tall:.1f}"}
        size = {"width": f"{min(step * 0.8, 60):.1f}", "height": f"{tall:.1f}"}
        said = f"{row.name}: {money(row.cost, row.known_cost)}, {row.calls} calls"
        bars.append(element("rect", element("title", said), **place, **size))
    base = str(_HEIGHT + 20)
    axis = element("line", x1="0", x2=str(_WIDTH), y1=base, y2=base)
    words = [
        element("text", dollars(most), x="0", y="12"),
        element("text", shown[0].name, x="0", y=str(_HEIGHT + 38)),
    ]
    if len(shown) > 1:
        last = element("text", shown[-1].name, x=str(_WIDTH), y=str(_HEIGHT + 38), text_anchor="end")
        words.append(last)
    label = f"Dollars from {shown[0].name} to {shown[-1].name}; the highest column is {dollars(most)}"
    box = f"0 0 {_WIDTH} {_HEIGHT + 44}"
    return element("svg", bars, axis, words, viewBox=box, role="img", aria_label=label)


def _breakdown(calls: Sequence[Call], by: By) -> Html:
    found = rows(calls, by)
    if by in PERIODS:
        found.reverse()
    most = max(row.known_cost for row in found)
    titles = [by, ">calls", ">read", ">from cache", ">written", ">cost", ""]
    shown = table(titles, ((*_cells(row), _bar(row.known_cost, most)) for row in found[:_MOST_ROWS]))
    rest = found[_MOST_ROWS:]
    more = f"{len(rest)} more: {dollars(sum((row.known_cost for row in rest), Decimal(0)))}"
    return element(
        "section", element("h2", f"By {by}"), shown, element("p", more, class_="soft") if rest else ""
    )


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        str(row.calls),
        tokens(row.usage.prompt_tokens),
        f"{row.cache_read_share:.0%}",
        tokens(row.usage.output_tokens),
        money(row.cost, row.known_cost),
    )


def _bar(amount: Decimal, most: Decimal) -> Html:
    share = float(amount / most) if most else 0.0
    return element("div", style=f"width:{max(share * 100, 0.5 if amount else 0):.1f}%", class_="bar")


def _compared(calls: Sequence[Call], specs: Sequence[ModelSpec]) -> Html:
    compared = compare(calls, specs)
    if not compared.singles:
        return Html()
    spent = [] if compared.spent is None else [("as it was", compared.spent)]
    costs = [*spent, *((one.model, one.cost) for one in compared.singles)]
    most = max(cost for _, cost in costs)
    lines = ((name, dollars(cost), times(cost, compared.spent), _bar(cost, most)) for name, cost in costs)
    shown = table(["model", ">cost", ">against spent", ""], lines)
    said = element("p", compared.assumptions, class_="soft")
    return element("section", element("h2", "One model for everything"), said, shown)
