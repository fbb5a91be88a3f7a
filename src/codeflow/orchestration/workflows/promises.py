"""What expressions may look at: what each kind of node, the inputs and the run itself will have."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from codeflow.core.names import unknown
from codeflow.orchestration.workflows.expressions import (
    ExpressionError,
    Path,
    comparisons,
    paths,
    wrong_calls,
)
from codeflow.orchestration.workflows.form import (
    ALWAYS_KNOWN,
    AgentNode,
    ApprovalNode,
    CommandNode,
    GateNode,
    ToolNode,
    WorkflowForm,
    WorkflowNode,
)
from codeflow.orchestration.workflows.shapes import ANY, kind_at, missing_in, result_of
from codeflow.orchestration.workflows.tables import NodeForm

PARTS = ("status", "text", "result")
"""Of what is known of a node that has run."""
_JUDGED = ("green", "red", "unchecked")


def expression_problems(
    expression: str, form: WorkflowForm, before: Collection[str], workflows: Mapping[str, WorkflowForm]
) -> Iterator[str]:
    """What an expression asks for that cannot be there; `before` are the nodes that may have run by then."""
    try:
        looked_at = paths(expression)
    except ExpressionError as error:
        yield f"{error}; a condition stands without {{{{ }}}}" if "{{" in expression else str(error)
        return
    yield from wrong_calls(expression, lambda path: _kind(path, form))
    for path in sorted(set(looked_at)):
        if path[0] not in form.nodes and path[0] not in ALWAYS_KNOWN:
            yield unknown("node or input", path[0], [*form.nodes, *ALWAYS_KNOWN])
        elif path[0] in form.nodes and path[0] not in before:
            yield f"{path[0]} does not run before this"
        else:
            yield from _part_problems(path, form, workflows)
    for path, text in comparisons(expression):
        node = form.nodes.get(path[0])
        if node is not None and path[1:] == ("status",) and text not in _statuses(node):
            yield f"{path[0]}.status is never {text!r}: it is {' or '.join(_statuses(node))}"


def _part_problems(path: Path, form: WorkflowForm, workflows: Mapping[str, WorkflowForm]) -> Iterator[str]:
    """What is wrong behind a known name."""
    name, *inner = path
    if not inner:
        return
    if name == "inputs":
        if inner[0] not in form.inputs:
            yield unknown("input", inner[0], form.inputs) if form.inputs else "the workflow has no inputs"
        elif inner[1:]:
            yield f"inputs.{inner[0]} is a text, without parts"
    elif name in ALWAYS_KNOWN:
        yield f"{name} is a text, without parts"
    elif inner[0] not in PARTS:
        yield f"{name} has no {inner[0]!r}, only {', '.join(PARTS)}"
    elif inner[0] != "result" and inner[1:]:
        yield f"{name}.{inner[0]} is a text, without parts"
    elif inner[1:]:
        yield from _key_problems(name, form.nodes[name], inner[1:], workflows)


def _key_problems(
    name: str, node: NodeForm, keys: Sequence[str], workflows: Mapping[str, WorkflowForm]
) -> Iterator[str]:
    """What is wrong with the keys that lead to a part of a node's result."""
    key = keys[0]
    match node:
        case AgentNode(result=named):
            if key not in named:
                yield f"{name}.result has no {key!r}: name it at {name}, as result: [{', '.join([*named, key])}]"
        case GateNode() | CommandNode():
            yield f"{name}.result is a list, of objects with name, status and exit_code"
        case ToolNode() | ApprovalNode():
            yield f"{name} has no result: what it says is {name}.text"
        case WorkflowNode(workflow=part):
            if part in workflows and key not in workflows[part].outputs:
                yield f"{part} has no output {key!r}, only {', '.join(workflows[part].outputs) or 'a text'}"
        case _:
            yield from missing_in(f"{name}.result", result_of(node), keys)


def _kind(path: Path, form: WorkflowForm) -> str:
    """What a path leads to, as JMESPath calls it; `ANY` where only a run shows it."""
    name, *inner = path
    if name not in form.nodes:
        return "object" if path == ("inputs",) else "string"
    match inner:
        case []:
            return "object"
        case ["status" | "text"]:
            return "string"
        case ["result", *keys]:
            return kind_at(result_of(form.nodes[name]), keys)
        case _:
            return ANY


def _statuses(node: NodeForm) -> tuple[str, ...]:
    match node:
        case GateNode() | CommandNode():
            return _JUDGED
        case ApprovalNode():
            return ("approved", "refused")
        case _:
            return ("done", "failed")
