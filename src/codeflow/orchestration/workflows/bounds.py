"""Numbers and tool arguments of nodes that can never fit, whatever a run brings."""

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from codeflow.core.names import unknown
from codeflow.core.reliability import Minimum
from codeflow.orchestration.workflows.expressions import is_computed, texts
from codeflow.orchestration.workflows.form import ToolNode
from codeflow.orchestration.workflows.patterns.coordinator import CoordinatorNode
from codeflow.orchestration.workflows.patterns.fanout import FanoutNode
from codeflow.orchestration.workflows.patterns.hierarchy import HierarchyNode
from codeflow.orchestration.workflows.tables import NodeForm, Place
from codeflow.tools.arguments import arguments_model
from codeflow.tools.tool import Tool


def bound_problems(node: NodeForm, edges: int) -> Iterator[tuple[Place, str]]:
    """What asks for more than there is; `edges` lead to the node."""
    if node.at_least is not None and node.at_least.count > max(edges, 1):
        yield ("at_least",), f"{node.at_least.count} of {_counted(edges, 'edge')} to it cannot hold"
    minimum: Minimum
    match node:
        case FanoutNode(fanout=form):
            kind, minimum, most, what = "fanout", form.minimum, len(form.members), "member"
        case HierarchyNode(hierarchy=table):
            kind, minimum, most, what = "hierarchy", table.minimum, len(table.leads), "lead"
        case CoordinatorNode(coordinator=plan):
            kind, minimum, most, what = "coordinator", plan.minimum, plan.max_steps, "step"
        case _:
            return
    if minimum.count > most:
        yield (kind, "minimum"), f"{minimum.count} of {_counted(most, what)} cannot succeed"


def _counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def argument_problems(node: ToolNode, tools: Mapping[str, Tool]) -> Iterator[tuple[Place, str]]:
    """What the tool would refuse of its arguments, apart from those that are computed."""
    if node.tool not in tools:
        return
    model = arguments_model(tools[node.tool])
    computed = {place for place, text in texts(node.arguments) if is_computed(text)}
    try:
        model.model_validate(dict(node.arguments))
    except ValidationError as error:
        for problem in sorted(
            error.errors(), key=lambda one: one["type"] == "missing"
        ):  # a slip explains a gap
            place: Place = tuple(problem["loc"])
            said = str(problem["msg"])
            if problem["type"] == "missing":
                said = f"{node.tool} needs it"
            elif problem["type"] == "extra_forbidden":
                said = unknown(f"argument of {node.tool}", str(place[-1]), model.model_fields)
            elif any(place[: len(one)] == one for one in computed):
                continue
            yield ("with", *place), said
