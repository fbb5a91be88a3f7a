"""What the result of each kind of node looks like, as far as the workflow's file tells."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from codeflow.orchestration.workflows.form import AgentNode, ApprovalNode, CommandNode, GateNode, ToolNode
from codeflow.orchestration.workflows.patterns.coordinator import CoordinatorNode
from codeflow.orchestration.workflows.patterns.debate import DebateNode
from codeflow.orchestration.workflows.patterns.explore import ExploreNode
from codeflow.orchestration.workflows.patterns.fanout import FanoutForm, FanoutNode
from codeflow.orchestration.workflows.patterns.hierarchy import HierarchyNode
from codeflow.orchestration.workflows.patterns.mesh import MeshNode
from codeflow.orchestration.workflows.tables import NodeForm

Shape: TypeAlias = "str | Mapping[str, Shape]"
"""The keys that a table may have, each with its value's shape; else one of JMESPath's types, or `ANY`."""

ANY = "any"
"""Nothing is known before the run."""
_OPEN = frozenset({ANY, "object"})
"""What may have any key."""
_REPLY: Shape = {"ok": "boolean", "text": "string"}
_ONLY_WITH = {"choice": "vote", "votes": "vote", "tie": "vote", "items": "merge", "found_by": "merge"}
"""Keys of a fanout's result that only one of its forms has."""


def result_of(node: NodeForm) -> Shape:
    """What expressions may find as the node's result; some of it is missing when the node fails."""
    match node:
        case AgentNode(result=keys):
            return dict.fromkeys(keys, ANY) if keys else "null"
        case GateNode() | CommandNode():
            return "array"
        case ToolNode() | ApprovalNode():
            return "null"
        case _:
            return _of_pattern(node)


def _of_pattern(node: NodeForm) -> Shape:
    match node:
        case FanoutNode(fanout=form):
            return _fanout(form)
        case DebateNode():
            texts = dict.fromkeys(("proposal", "critic", "judge"), "string")
            return {"agreed": "boolean", "rounds": "number", **texts}
        case HierarchyNode(hierarchy=teams):
            return {
                "parts": dict.fromkeys(teams.leads, "string"),
                "reports": dict.fromkeys(teams.leads, _REPLY),
            }
        case CoordinatorNode():
            return {"plan": {"steps": "array", "final_format": "string"}, "steps": "object"}
        case MeshNode():
            return {"decision": ANY, "votes": "array", "rounds": "number", "notes": "object"}
        case ExploreNode():
            return {"path": "array", "sources": "array"}
        case _:
            return ANY


def _fanout(form: FanoutForm) -> Shape:
    members: Shape = dict.fromkeys(form.members, _REPLY)
    if form.vote:
        return {"members": members, "choice": ANY, "votes": "array", "tie": "boolean"}
    if form.merge:
        return {"members": members, "items": "array", "found_by": "array"}
    return {"members": members}


def kind_at(shape: Shape, keys: Sequence[str]) -> str:
    """The type of what the keys lead to, as JMESPath calls it; `ANY` where that is not known."""
    for key in keys:
        if isinstance(shape, str) or key not in shape:
            return ANY
        shape = shape[key]
    return shape if isinstance(shape, str) else "object"


def missing_in(place: str, shape: Shape, keys: Sequence[str]) -> Iterator[str]:
    """Which of the keys can never be there, and what is; nothing when they may all be."""
    for key in keys:
        if isinstance(shape, str):
            if shape not in _OPEN:
                yield f"{place} is {_WORDS[shape]}, without the key {key!r}"
            return
        if key not in shape:
            form = _ONLY_WITH.get(key)
            why = f"; {key} is there with {form}" if form and "members" in shape else ""
            yield f"{place} has no {key!r}, only {', '.join(shape)}{why}"
            return
        place, shape = f"{place}.{key}", shape[key]


_WORDS = {
    "array": "a list",
    "boolean": "true or false",
    "null": "always null",
    "number": "a number",
    "string": "a text",
}
