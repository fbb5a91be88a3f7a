"""What a workflow says about faults and money, by the path of each node, for those who hold a run to it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from codeflow.core.reliability import FaultPolicy, FaultSettings
from codeflow.core.values import Limits
from codeflow.core.workflows import GivenWorkflow
from codeflow.orchestration.workflows.form import AgentNode, WorkflowForm, WorkflowNode
from codeflow.orchestration.workflows.loading import revived
from codeflow.orchestration.workflows.tables import AskingNode, NodeFaults, NodeForm, PaidNode, PatternNode


def nodes_by_path(given: GivenWorkflow) -> Mapping[str, NodeForm]:
    """Every node, those of nested workflows as well."""
    forms = revived(given)
    return dict(_walk(forms, forms[given.name], ""))


def _walk(
    forms: Mapping[str, WorkflowForm], form: WorkflowForm, prefix: str
) -> Iterator[tuple[str, NodeForm]]:
    for name, node in form.nodes.items():
        yield f"{prefix}{name}", node
        if isinstance(node, WorkflowNode):
            yield from _walk(forms, forms[node.workflow], f"{prefix}{name}.")


def addresses(given: GivenWorkflow) -> frozenset[str]:
    """Whom messages may go to: agents, nodes at which they work, and seats, with their agent or as places alone.

    Nobody where one agent works. A coordinator's steps are not known yet.
    """
    forms = revived(given)
    seats = [*_seats(forms, forms[given.name], "")]
    if len(seats) <= 1:
        return frozenset()
    return frozenset(name for agent, *places in seats for name in _names(agent, places))


def _names(agent: str, places: Sequence[str]) -> Iterator[str]:
    yield agent
    yield from places
    yield from (f"{agent}@{place}" for place in places[1:])


def _seats(
    forms: Mapping[str, WorkflowForm], form: WorkflowForm, prefix: str
) -> Iterator[tuple[str, str] | tuple[str, str, str]]:
    """Agents with the path of their node and, where that is known, the place of their seat."""
    for name, node in form.nodes.items():
        path = f"{prefix}{name}"
        match node:
            case AgentNode(agent=agent):
                yield agent, path, f"{prefix}{form.origin(name)}"
            case PatternNode():
                seats = node.seats()
                yield from ((agent, path, f"{path}.{seat}") for seat, agent in seats.items())
                yield from ((agent, path) for _, agent in node.agents() if agent not in seats.values())
            case WorkflowNode(workflow=part):
                yield from _seats(forms, forms[part], f"{path}.")
            case _:
                pass


def with_policies(faults: FaultSettings, nodes: Mapping[str, NodeForm]) -> FaultSettings:
    """The policy of a run, with what each node wants otherwise."""
    own = {
        path: FaultPolicy.model_validate(
            {
                **{key: getattr(faults, key) for key in FaultPolicy.model_fields},
                **_own(node.faults),
            }
        )
        for path, node in nodes.items()
        if isinstance(node, AskingNode)
    }
    return faults.model_copy(update={"nodes": {**faults.nodes, **own}})


def _own(faults: NodeFaults) -> dict[str, object]:
    """What a node says itself: null lifts a time limit, and elsewhere says nothing."""
    given = faults.model_dump(exclude_unset=True)
    return {key: one for key, one in given.items() if one is not None or key.endswith("_timeout_s")}


def spending(nodes: Mapping[str, NodeForm]) -> Mapping[str, Decimal]:
    """US dollars that nodes may spend at most."""
    return {
        path: node.max_cost for path, node in nodes.items() if isinstance(node, PaidNode) and node.max_cost
    }


def within(limits: Limits, form: WorkflowForm) -> Limits:
    """The tighter of a run's limits and a workflow's."""
    own = form.limits
    costs = [cost for cost in (limits.max_cost, own.max_cost) if cost is not None]
    return replace(
        limits,
        max_cost=min(costs, default=None),
        timeout_s=min(limits.timeout_s, own.timeout_s or limits.timeout_s),
    )
