"""A workflow as people write it down: the YAML's form, from which the JSON Schema for editors is made."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from codeflow.core.messages import Topic
from codeflow.core.names import unknown
from codeflow.orchestration.workflows.course import Edge
from codeflow.orchestration.workflows.patterns.coordinator import CoordinatorNode
from codeflow.orchestration.workflows.patterns.debate import DebateNode
from codeflow.orchestration.workflows.patterns.explore import ExploreNode
from codeflow.orchestration.workflows.patterns.fanout import FanoutNode
from codeflow.orchestration.workflows.patterns.hierarchy import HierarchyNode
from codeflow.orchestration.workflows.patterns.mesh import MeshNode
from codeflow.orchestration.workflows.tables import (
    AskingNode,
    Dollars,
    Form,
    Name,
    NodeForm,
    PaidNode,
    Template,
)

MAX_NODES = 200
MAX_ROUNDS = 50
ALWAYS_KNOWN = frozenset({"task", "inputs", "diff"})
"""Names that expressions may use beside the nodes'."""
NOT_FOR_NODES = ALWAYS_KNOWN
NOT_FOR_INPUTS = frozenset({"task"})
"""A workflow that uses this one gives the task under that name."""

FileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class AgentNode(AskingNode):
    """A specialist's visit."""

    agent: str
    task: Template
    reads_only: bool = False
    """Without the tools that change anything, so that it may work beside others."""
    continues: Name | None = None
    """A node whose conversation goes on here, with the same agent."""
    result: tuple[Name, ...] = ()
    """Keys of the JSON object that its answer has to end with; expressions see it as NODE.result."""
    subscribes: tuple[Topic, ...] = ()
    """What it is told of at the head of each visit, besides what its agent subscribes to."""


GateName = Literal["tests", "lint", "types", "build"]
GATES = get_args(GateName)


def _gates(given: object) -> object:
    """Gates as they are written, when they are written as they have to be.

    Raises:
        ValueError: saying how to write them.
    """
    if given == "all":
        return given
    if isinstance(given, str) and given in GATES:
        raise ValueError(f"has to be a list: [{given}]")
    if not isinstance(given, list | tuple) or not given:
        raise ValueError(f"has to be all, or a list of some of {', '.join(GATES)}")
    if "all" in given:
        raise ValueError("all stands alone, without brackets: `gate: all`")
    for name in given:
        if name not in GATES:
            raise ValueError(unknown("gate", str(name), GATES))
    return given


class GateNode(NodeForm):
    """Gates of the project: all of them, or some by name."""

    gate: Annotated[
        Literal["all"] | Annotated[tuple[GateName, ...], Field(min_length=1)], BeforeValidator(_gates)
    ]
    expect: Literal["green", "red"] = "green"


class CommandNode(NodeForm):
    """A command whose exit code decides."""

    command: Template
    expect: Literal["green", "red"] = "green"
    timeout_s: float | None = Field(default=None, gt=0)


class ToolNode(NodeForm):
    """One call of a tool, judged by the permissions like an agent's."""

    tool: str
    arguments: Mapping[str, Any] = Field(default_factory=dict, alias="with")


class WorkflowNode(PaidNode):
    """Another workflow as one node."""

    workflow: FileName
    inputs: Mapping[Name, Template] = Field(default_factory=dict, alias="with")


class ApprovalNode(NodeForm):
    """A person agrees before it goes on."""

    approve: Template


PATTERNS = ("fanout", "debate", "hierarchy", "coordinator", "mesh", "explore")
_KINDS = ("agent", "gate", "command", "tool", "workflow", "approve", *PATTERNS)


def _one_kind(given: object) -> object:
    """A node as it is written, when it is one thing only.

    Raises:
        ValueError: naming the keys that exclude each other.
    """
    found = [kind for kind in _KINDS if kind in given] if isinstance(given, Mapping) else []
    if len(found) > 1:
        raise ValueError(
            f"a node is one thing, and {' and '.join(found)} are {len(found)}: make a node of each"
        )
    return given


def _kind(given: Any) -> str | None:
    """The key that says what a node is."""
    if isinstance(given, Mapping):
        return next((f"[{kind}]" for kind in _KINDS if kind in given), None)
    return next((f"[{kind}]" for kind in _KINDS if hasattr(given, kind)), None)


Step = Annotated[
    Annotated[AgentNode, Tag("[agent]")]
    | Annotated[GateNode, Tag("[gate]")]
    | Annotated[CommandNode, Tag("[command]")]
    | Annotated[ToolNode, Tag("[tool]")]
    | Annotated[WorkflowNode, Tag("[workflow]")]
    | Annotated[ApprovalNode, Tag("[approve]")]
    | Annotated[FanoutNode, Tag("[fanout]")]
    | Annotated[DebateNode, Tag("[debate]")]
    | Annotated[HierarchyNode, Tag("[hierarchy]")]
    | Annotated[CoordinatorNode, Tag("[coordinator]")]
    | Annotated[MeshNode, Tag("[mesh]")]
    | Annotated[ExploreNode, Tag("[explore]")],
    Discriminator(
        _kind,
        custom_error_type="node",
        custom_error_message=f"a node needs one of the keys {', '.join(_KINDS)}",
    ),
    BeforeValidator(_one_kind),
]


def _listed(given: object) -> object:
    return [given] if isinstance(given, str) else given


Names = Annotated[
    tuple[Name, ...],
    Field(min_length=1),
    BeforeValidator(_listed, json_schema_input_type=Name | Annotated[list[Name], Field(min_length=1)]),
]


class EdgeForm(Form):
    """Edges from each of some nodes to each of some others."""

    source: Names = Field(alias="from")
    target: Names = Field(alias="to")
    when: str | None = None
    """A JMESPath expression over inputs and nodes, such as "check.status == 'red'"; by default: it went well."""
    at_most: int | None = Field(default=None, ge=1, le=MAX_ROUNDS)
    """Makes it a loop, taken so many times at most."""

    @property
    def edges(self) -> tuple[Edge, ...]:
        return tuple(
            Edge(source=source, target=target, when=self.when, at_most=self.at_most)
            for source in self.source
            for target in self.target
        )


class InputForm(Form):
    """What the workflow is given; without a default it has to be."""

    description: str = ""
    default: str | None = None


class LimitsForm(Form):
    """What stops the whole run, where the settings and flags allow more."""

    max_cost: Dollars | None = None
    timeout_s: float | None = Field(default=None, gt=0)


def _version(given: object) -> object:
    if isinstance(given, bool) or given != 1:
        raise ValueError("has to be 1, the only version there is")
    return 1


class WorkflowForm(Form):
    """A workflow file."""

    codeflow_workflow: Annotated[Literal[1], BeforeValidator(_version)]
    name: FileName
    description: str = Field(min_length=1)
    inputs: Mapping[Name, InputForm] = Field(default_factory=dict)
    limits: LimitsForm = LimitsForm()
    max_parallel: int = Field(default=8, ge=1)
    """Nodes at work at a time; only those that change nothing overlap."""
    nodes: Mapping[Name, Step] = Field(min_length=1, max_length=MAX_NODES)
    edges: tuple[EdgeForm, ...] = ()
    answer: Template | None = None
    """The run's answer; by default what the last agent said."""
    outputs: Mapping[Name, Template] = Field(default_factory=dict)
    """What a workflow that uses this one sees as NODE.result."""

    @model_validator(mode="before")
    @classmethod
    def _say_what_is_missing(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and "codeflow_workflow" not in given:
            raise ValueError("codeflow_workflow: 1 is missing")
        return given

    @property
    def uses(self) -> list[str]:
        """The workflows that are nodes of this one."""
        return [node.workflow for node in self.nodes.values() if isinstance(node, WorkflowNode)]

    def origin(self, name: str) -> str:
        """The node whose conversation a node continues; itself where it begins one."""
        node = self.nodes[name]
        while isinstance(node, AgentNode) and node.continues is not None:
            name, node = node.continues, self.nodes[node.continues]
        return name

    @property
    def all_edges(self) -> tuple[Edge, ...]:
        return tuple(edge for form in self.edges for edge in form.edges)
