"""The names that `[faults.nodes]` may use, so that a typo ends a run before it begins."""

from collections.abc import Collection

from codeflow.agents.context.summary import NAME as SUMMARIZER
from codeflow.core.consulting import CONSULTANT
from codeflow.core.errors import UsageError
from codeflow.core.names import unknown
from codeflow.core.reliability import FaultSettings

ROUTER = "router"
CODER = "coder"
DISPENSABLE = frozenset({"architect", "test_engineer", "reviewer", "documentation"})
"""Nodes of the graph that it can do without."""
GRAPH_NODES = DISPENSABLE | {CODER, "debugger"}
_CORRECT = "Correct the name in your settings."


def check_nodes(faults: FaultSettings, specialists: Collection[str]) -> None:
    """Refuse what would have no effect: unknown nodes and agents, and work that is called optional.

    Raises:
        UsageError: naming the setting.
    """
    nodes = {ROUTER, SUMMARIZER, CONSULTANT, *GRAPH_NODES, *specialists}
    for node, policy in faults.nodes.items():
        if node not in nodes:
            raise UsageError(f"faults.nodes.{node}: {unknown('node', node, nodes)}", hint=_CORRECT)
        if not policy.required and node not in DISPENSABLE and faults.required:
            raise UsageError(
                f"faults.nodes.{node}.required: the work itself cannot be left out",
                hint=f"Only these can be: {', '.join(sorted(DISPENSABLE))}.",
            )
    for place, policy in {
        "faults": faults,
        **{f"faults.nodes.{n}": p for n, p in faults.nodes.items()},
    }.items():
        agent = policy.fallback_agent
        if agent and agent not in specialists:
            problem = unknown("agent", agent, specialists)
            raise UsageError(f"{place}.fallback_agent: {problem}", hint=_CORRECT)
