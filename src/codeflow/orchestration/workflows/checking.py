"""What makes a workflow impossible to carry out, found before anything is spent."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, starmap

from codeflow.core.names import unknown
from codeflow.orchestration.workflows.bounds import argument_problems, bound_problems
from codeflow.orchestration.workflows.course import Shape, circle
from codeflow.orchestration.workflows.expressions import is_open, placeholders, texts
from codeflow.orchestration.workflows.form import (
    NOT_FOR_INPUTS,
    NOT_FOR_NODES,
    AgentNode,
    ApprovalNode,
    CommandNode,
    ToolNode,
    WorkflowForm,
    WorkflowNode,
)
from codeflow.orchestration.workflows.promises import PARTS, expression_problems
from codeflow.orchestration.workflows.tables import AskingNode, NodeForm, PatternNode, Place
from codeflow.tools.tool import Tool


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where in the file."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The names that a workflow may use."""

    agents: Collection[str]
    tools: Mapping[str, Tool]
    workflows: Mapping[str, WorkflowForm]
    """Those that are used, read."""
    named: Collection[str]
    """All workflows that there are."""


def problems(form: WorkflowForm, known: Known) -> Iterator[Problem]:
    """Everything that is wrong with a workflow, edges first; nothing when it can run."""
    yield from _name_problems(form)
    edge_problems = list(_edge_problems(form))
    yield from edge_problems
    if edge_problems:
        return
    shape = Shape(tuple(form.nodes), form.all_edges)
    yield from _loop_problems(form, shape)
    yield from _condition_problems(form, shape, known)
    for name, node in form.nodes.items():
        for problem in (
            *_reference_problems(node, known),
            *_text_problems(node, form, shape.before(name) | _looped(shape, name), known),
            *starmap(Problem, bound_problems(node, len(shape.into[name]))),
        ):
            yield Problem(("nodes", name, *problem.place), problem.text)
        yield from _faults_problems(name, node, known)
        yield from _continued_problems(name, node, form, shape)
    everything = frozenset(form.nodes)
    for key, template in (("answer", form.answer), *((f"outputs.{k}", v) for k, v in form.outputs.items())):
        for text in (
            *_template_problems(template or "", form, everything, known),
            *_bare(template or "", form),
        ):
            yield Problem(tuple(key.split(".")), text)


def _bare(text: str, form: WorkflowForm) -> Iterator[str]:
    """An expression that was meant, where a text is nothing else and has no braces."""
    name, _, rest = text.strip().partition(".")
    is_path = all(map(str.isidentifier, rest.split(".")))
    is_meant = rest.split(".")[0] in PARTS if name in form.nodes else name == "inputs"
    if is_path and is_meant:
        yield f"{text.strip()} without braces is only these words: write {{{{ {text.strip()} }}}}"


def nested_circle(name: str, workflows: Mapping[str, WorkflowForm]) -> tuple[str, ...]:
    """Workflows that use each other without an end, beginning with this one; nothing when there are none."""

    def walk(path: tuple[str, ...]) -> tuple[str, ...]:
        form = workflows.get(path[-1])
        for part in form.uses if form else ():
            found = (*path, part) if part in path else walk((*path, part))
            if found:
                return found
        return ()

    return walk((name,))


def _name_problems(form: WorkflowForm) -> Iterator[Problem]:
    for kind, names, taken in (("nodes", form.nodes, NOT_FOR_NODES), ("inputs", form.inputs, NOT_FOR_INPUTS)):
        for name in names:
            if name in taken:
                yield Problem((kind, name), f"the run's own {name} has this name: choose another")


def _edge_problems(form: WorkflowForm) -> Iterator[Problem]:
    seen: set[tuple[str, str, str | None]] = set()
    numbered = [(number, edge) for number, edges in enumerate(form.edges) for edge in edges.edges]
    for number, edge in numbered:
        for key, name in (("from", edge.source), ("to", edge.target)):
            if name not in form.nodes:
                yield Problem(("edges", number, key), unknown("node", name, form.nodes))
        if (edge.source, edge.target, edge.when) in seen:
            yield Problem(("edges", number), f"{edge} is there twice")
        seen.add((edge.source, edge.target, edge.when))
    round_trip = circle(form.nodes, form.all_edges)
    if round_trip:
        path = " -> ".join(round_trip)
        inside = set(round_trip)
        number = next(
            n
            for n, e in enumerate(form.edges)
            if e.at_most is None and inside & set(e.source) and inside & set(e.target)
        )
        yield Problem(
            ("edges", number), f"a loop without a bound: {path}; give the edge that leads back an at_most"
        )


def _loop_problems(form: WorkflowForm, shape: Shape) -> Iterator[Problem]:
    numbered = {edge: number for number, edges in enumerate(form.edges) for edge in edges.edges}
    for loop in shape.loops:
        if not loop.body:
            yield Problem(
                ("edges", numbered[loop.edge], "at_most"),
                f"{loop.edge} is no loop: nothing leads from {loop.edge.target} to {loop.edge.source}",
            )
    crossed = False
    for one, other in combinations(shape.loops, 2):
        shared = one.body & other.body
        if shared and not (one.body <= other.body or other.body <= one.body):
            crossed = True
            yield Problem(
                ("edges", numbered[other.edge]),
                f"the loops {one.edge} and {other.edge} cross each other: put one inside the other, or apart",
            )
    if not crossed and (waiting := shape.deadlock()):
        number = next(numbered[loop.edge] for loop in shape.loops if loop.edge.source in waiting)
        yield Problem(
            ("edges", number),
            f"{' -> '.join(waiting)} would wait for each other: what leaves a loop waits for its last round",
        )


def _condition_problems(form: WorkflowForm, shape: Shape, known: Known) -> Iterator[Problem]:
    for number, edges in enumerate(form.edges):
        if edges.when is None:
            continue
        for edge in edges.edges:
            seen = shape.before(edge.source) | {edge.source} | _looped(shape, edge.source)
            for problem in expression_problems(edges.when, form, seen, known.workflows):
                yield Problem(("edges", number, "when"), problem)
                return


def _looped(shape: Shape, node: str) -> frozenset[str]:
    """What has run before a node's second round."""
    return frozenset().union(*(loop.body for loop in shape.loops if node in loop.body))


def _template_problems(
    template: str, form: WorkflowForm, before: Collection[str], known: Known
) -> Iterator[str]:
    for expression in placeholders(template):
        yield from expression_problems(expression, form, before, known.workflows)
    if is_open(template):
        yield "a {{ has no }}: close it; texts cannot hold one for its own sake"


def _text_problems(
    node: NodeForm, form: WorkflowForm, before: Collection[str], known: Known
) -> Iterator[Problem]:
    for place, template in _templates(node):
        for problem in _template_problems(template, form, before, known):
            yield Problem(place, problem)


def _templates(node: NodeForm) -> Iterator[tuple[Place, str]]:
    match node:
        case AgentNode(task=text):
            yield ("task",), text
        case CommandNode(command=text):
            yield ("command",), text
        case ApprovalNode(approve=text):
            yield ("approve",), text
        case WorkflowNode(inputs=inputs):
            yield from (((("with", key)), text) for key, text in inputs.items())
        case ToolNode(arguments=arguments):
            yield from ((("with", *place), text) for place, text in texts(arguments))
        case PatternNode():
            yield from node.templates()
        case _:
            pass


def _reference_problems(node: NodeForm, known: Known) -> Iterator[Problem]:
    match node:
        case AgentNode(agent=name) if name not in known.agents:
            yield Problem(("agent",), unknown("agent", name, known.agents))
        case ToolNode(tool=name) if name not in known.tools:
            yield Problem(("tool",), unknown("tool", name, known.tools))
        case ToolNode():
            yield from starmap(Problem, argument_problems(node, known.tools))
        case WorkflowNode(workflow=name):
            yield from _input_problems(node, name, known)
        case PatternNode():
            for place, name in node.agents():
                if name not in known.agents:
                    yield Problem(place, unknown("agent", name, known.agents))
        case _:
            pass


def _input_problems(node: WorkflowNode, name: str, known: Known) -> Iterator[Problem]:
    part = known.workflows.get(name)
    if part is None:
        yield Problem(("workflow",), unknown("workflow", name, known.named))
        return
    for given in node.inputs:
        if given not in part.inputs and given != "task":
            yield Problem(("with", given), unknown(f"input of {name}", given, ["task", *part.inputs]))
    for wanted, form in part.inputs.items():
        if form.default is None and wanted not in node.inputs:
            yield Problem(("with",), f"{name} needs the input {wanted!r}")


def _faults_problems(name: str, node: NodeForm, known: Known) -> Iterator[Problem]:
    agent = node.faults.fallback_agent if isinstance(node, AskingNode) else None
    if agent and agent not in known.agents:
        yield Problem(("nodes", name, "faults", "fallback_agent"), unknown("agent", agent, known.agents))


def _continued_problems(name: str, node: NodeForm, form: WorkflowForm, shape: Shape) -> Iterator[Problem]:
    if not isinstance(node, AgentNode) or node.continues is None:
        return
    place: Place = ("nodes", name, "continues")
    other = form.nodes.get(node.continues)
    if other is None:
        yield Problem(place, unknown("node", node.continues, form.nodes))
    elif not isinstance(other, AgentNode) or other.agent != node.agent or other.reads_only != node.reads_only:
        wanted = f"a node of {node.agent} with reads_only: {str(node.reads_only).lower()}"
        yield Problem(place, f"{node.continues} has no conversation that goes on here: it takes {wanted}")
    elif node.continues not in shape.before(name):
        yield Problem(place, f"{node.continues} does not run before this")
