"""What a workflow says about faults and money, by the path of each node, for those who hold a run to it."""

from collections.abc import Iterator, Mapping
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


def agents_by_path(nodes: Mapping[str, NodeForm]) -> Mapping[str, tuple[str, ...]]:
    """The agents of each node that has any, one for each of its places."""
    found: dict[str, tuple[str, ...]] = {}
    for path, node in nodes.items():
        if isinstance(node, AgentNode):
            found[path] = (node.agent,)
        elif isinstance(node, PatternNode):
            found[path] = tuple(agent for _, agent in node.agents())
    return found


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
