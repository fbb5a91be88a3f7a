"""A workflow as a picture: Mermaid for pages that render it, SVG for everything else."""

from collections.abc import Iterable, Mapping
from html import escape

from codeflow.orchestration.workflows.course import Edge, Shape
from codeflow.orchestration.workflows.form import ApprovalNode, CommandNode, GateNode, WorkflowForm
from codeflow.orchestration.workflows.tables import NodeForm
from codeflow.orchestration.workflows.work import kind_of

_WIDE, _HIGH = 190, 46
_GAP_X, _GAP_Y = 40, 58
_MARGIN = 30
_LOOP_GAP = 26
_KIND_CHARS = 30
_MERMAIDS_OWN = frozenset(
    {
        "call",
        "class",
        "click",
        "default",
        "direction",
        "end",
        "flowchart",
        "graph",
        "href",
        "style",
        "subgraph",
    }
)


def mermaid(form: WorkflowForm) -> str:
    """A Mermaid flowchart; what decides is a rhombus, loops are dotted."""
    lines = ["flowchart TD"]
    for name, node in form.nodes.items():
        left, right = ("{", "}") if _decides(node) else ("[", "]")
        lines.append(f'    {_id(name)}{left}"{name}<br/>{_quoted(kind_of(node))}"{right}')
    for edge in form.all_edges:
        arrow = "-.->" if edge.at_most else "-->"
        label = f'|"{_quoted(_label(edge))}"|' if _label(edge) else ""
        lines.append(f"    {_id(edge.source)} {arrow}{label} {_id(edge.target)}")
    return "\n".join(lines) + "\n"


def _id(name: str) -> str:
    """What a node is called inside the chart: Mermaid's own words mean something else there."""
    return f"N_{name}" if name in _MERMAIDS_OWN else name


def svg(form: WorkflowForm) -> str:
    """The same as a standalone picture that follows the viewer's light or dark scheme."""
    shape = Shape(tuple(form.nodes), form.all_edges)
    places = _places(shape)
    loops = sum(edge.at_most is not None for edge in shape.edges)
    width = max(x for x, _ in places.values()) + _WIDE + _MARGIN + loops * _LOOP_GAP + 130 * bool(loops)
    height = max(y for _, y in places.values()) + _HIGH + _MARGIN
    right = max(x for x, _ in places.values()) + _WIDE
    drawn: list[str] = []
    for edge in shape.edges:
        if edge.at_most is None:
            drawn.append(_line(places[edge.source], places[edge.target], _label(edge)))
        else:
            right += _LOOP_GAP
            drawn.append(_loop(places[edge.source], places[edge.target], _label(edge), right))
    drawn += (_box(name, form.nodes[name], places[name]) for name in shape.nodes)
    return _PAGE.format(width=width, height=height, title=escape(form.description), body="\n".join(drawn))


def _decides(node: NodeForm) -> bool:
    return isinstance(node, GateNode | CommandNode | ApprovalNode)


def _label(edge: Edge) -> str:
    bound = f"at most {edge.at_most}x" if edge.at_most else ""
    return ", ".join(filter(None, (edge.when, bound)))


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "#quot;").replace("<", "&lt;").replace("\n", " ")


def _places(shape: Shape) -> Mapping[str, tuple[int, int]]:
    """The upper left corner of each node: a row below everything that leads to it, centred."""
    rows: dict[str, int] = {}
    for name in _in_order(shape):
        rows[name] = max((rows[edge.source] + 1 for edge in shape.into[name]), default=0)
    members = [[name for name in shape.nodes if rows[name] == row] for row in range(max(rows.values()) + 1)]
    widest = max(map(len, members)) * (_WIDE + _GAP_X) - _GAP_X
    return {
        name: (
            _MARGIN + (widest - len(row) * (_WIDE + _GAP_X) + _GAP_X) // 2 + column * (_WIDE + _GAP_X),
            _MARGIN + number * (_HIGH + _GAP_Y),
        )
        for number, row in enumerate(members)
        for column, name in enumerate(row)
    }


def _in_order(shape: Shape) -> Iterable[str]:
    return sorted(shape.nodes, key=lambda name: len(shape.before(name)))


def _box(name: str, node: NodeForm, place: tuple[int, int]) -> str:
    x, y = place
    kind = kind_of(node).replace("\n", " ")
    shown = kind if len(kind) <= _KIND_CHARS else kind[: _KIND_CHARS - 1] + "…"
    look = "gate" if _decides(node) else "node"
    return (
        f'<rect class="{look}" x="{x}" y="{y}" width="{_WIDE}" height="{_HIGH}" rx="6"/>'
        f'<text class="name" x="{x + _WIDE // 2}" y="{y + 19}">{escape(name)}</text>'
        f'<text class="kind" x="{x + _WIDE // 2}" y="{y + 36}">{escape(shown)}</text>'
    )


def _line(source: tuple[int, int], target: tuple[int, int], label: str) -> str:
    x1, y1 = source[0] + _WIDE // 2, source[1] + _HIGH
    x2, y2 = target[0] + _WIDE // 2, target[1]
    bend = max(20, (y2 - y1) // 2)
    aside = -_WIDE if y2 - y1 > _GAP_Y and x1 == x2 else 0  # round the nodes between them
    path = f'<path class="edge" d="M{x1},{y1} C{x1 + aside},{y1 + bend} {x2 + aside},{y2 - bend} {x2},{y2}"/>'
    if not label:
        return path
    x, y = (x1 + 3 * x2) // 4 + aside // 2, y2 - _GAP_Y // 3
    anchor = "end" if x2 + aside < x1 else "start"
    return f'{path}<text class="when" text-anchor="{anchor}" x="{x + (6 if anchor == "start" else -6)}" y="{y}">{escape(label)}</text>'


def _loop(source: tuple[int, int], target: tuple[int, int], label: str, right: int) -> str:
    x1, y1 = source[0] + _WIDE, source[1] + _HIGH // 2 + 8
    x2, y2 = target[0] + _WIDE, target[1] + _HIGH // 2 - 8
    path = f'<path class="loop" d="M{x1},{y1} H{right} V{y2} H{x2 + 4}"/>'
    return f'{path}<text class="when" x="{right + 5}" y="{(y1 + y2) // 2}">{escape(label)}</text>'


_PAGE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">
<title>{title}</title>
<style>
  svg {{ background: #ffffff; font: 13px system-ui, sans-serif; }}
  text {{ fill: #1c1c1c; }}
  .name {{ text-anchor: middle; font-weight: 600; }}
  .kind {{ text-anchor: middle; font-size: 11px; opacity: .75; }}
  .when {{ font-size: 11px; fill: #6b4e00; }}
  .node {{ fill: #eef3fb; stroke: #44618f; }}
  .gate {{ fill: #fdf3d8; stroke: #8f6b00; }}
  .edge, .loop {{ fill: none; stroke: #555; marker-end: url(#tip); }}
  .loop {{ stroke-dasharray: 5 4; }}
  @media (prefers-color-scheme: dark) {{
    svg {{ background: #16181c; }} text {{ fill: #e8e8e8; }} .when {{ fill: #e2c26b; }}
    .node {{ fill: #1f2a3a; }} .gate {{ fill: #3a3116; }} .edge, .loop {{ stroke: #aaa; }}
  }}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0,0 L8,4 L0,8 z" fill="#777"/></marker></defs>
{body}
</svg>
"""
