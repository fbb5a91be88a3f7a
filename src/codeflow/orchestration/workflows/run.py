"""Walks a workflow: starts what is ready, side by side where nothing is changed, until nothing is left."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from codeflow.core.errors import CodeflowError
from codeflow.core.node_events import NodeFinished, NodeStarted
from codeflow.core.values import Mode
from codeflow.core.workflows import GivenWorkflow
from codeflow.orchestration.gates import red
from codeflow.orchestration.job import Job
from codeflow.orchestration.workflows.course import Course, Edge, Shape
from codeflow.orchestration.workflows.expressions import ExpressionError, filled, holds, rendered
from codeflow.orchestration.workflows.following import follow
from codeflow.orchestration.workflows.form import (
    AgentNode,
    ApprovalNode,
    CommandNode,
    GateNode,
    ToolNode,
    WorkflowForm,
    WorkflowNode,
)
from codeflow.orchestration.workflows.loading import revived
from codeflow.orchestration.workflows.patterns.coordinator import CoordinatorNode, coordinate
from codeflow.orchestration.workflows.patterns.debate import DebateNode, debate
from codeflow.orchestration.workflows.patterns.explore import ExploreNode, explore
from codeflow.orchestration.workflows.patterns.fanout import FanoutNode, fan_out
from codeflow.orchestration.workflows.patterns.hierarchy import HierarchyNode, lead
from codeflow.orchestration.workflows.patterns.mesh import MeshNode, confer
from codeflow.orchestration.workflows.spot import Outcome, Spot, failed, is_the_nodes_own
from codeflow.orchestration.workflows.tables import NodeForm
from codeflow.orchestration.workflows.work import (
    ask_person,
    call_tool,
    check_gates,
    kind_of,
    run_command,
    visit_agent,
)
from codeflow.policies.faults import enough

_WORK: Mapping[type[NodeForm], Callable[[Any, Spot], Awaitable[Outcome]]] = {
    GateNode: check_gates,
    CommandNode: run_command,
    ToolNode: call_tool,
    ApprovalNode: ask_person,
    FanoutNode: fan_out,
    DebateNode: debate,
    HierarchyNode: lead,
    CoordinatorNode: coordinate,
    MeshNode: confer,
    ExploreNode: explore,
}
"""What is done at a node that needs nothing of the walk itself."""

_CORRECT = "Correct the condition in the workflow, then run it again."


async def run_workflow(job: Job, given: GivenWorkflow) -> str | None:
    """Do the task by a workflow.

    Returns:
        None when the work was accepted, else what is wrong with it.

    Raises:
        CodeflowError: what ends the run, or the fault of a node that nothing in the workflow deals with.
    """
    forms = revived(given)
    walk = Walk(job, forms, given.name, task=job.task.text, inputs=given.inputs)
    try:
        problem = await walk.run()
    except BaseException:  # also when it is cut short: what the nodes that ended came to is not lost
        with suppress(ExpressionError):
            job.outputs = walk.outputs
        raise
    job.answer, job.outputs = walk.answer or job.answer, walk.outputs
    if job.task.mode is Mode.PLAN or problem is not None:
        return problem
    if job.is_unchecked or red(job.gate_results):
        return None if await job.check() else "the gates are red"
    return None


class Walk:
    """One workflow at work; one that is a node of another has that one's path before its nodes' names."""

    def __init__(
        self,
        job: Job,
        forms: Mapping[str, WorkflowForm],
        name: str,
        *,
        task: str,
        inputs: Mapping[str, str],
        path: str = "",
    ) -> None:
        self._job = job
        self._forms = forms
        self._form = form = forms[name]
        self._path = path
        self._room = asyncio.Semaphore(form.max_parallel)
        defaults = {key: one.default for key, one in form.inputs.items()}
        self._known: dict[str, Any] = {"task": task, "inputs": {**defaults, **inputs}}
        self._faults: dict[str, CodeflowError] = {}
        shape = Shape(tuple(form.nodes), form.all_edges)
        self._course = Course(
            shape,
            self._holds,
            {
                name: partial(enough, group=len(shape.into[name]), minimum=node.at_least)
                for name, node in form.nodes.items()
                if node.at_least is not None
            },
        )
        self._stop: CodeflowError | None = None

    async def run(self) -> str | None:
        """Until nothing is left.

        Returns:
            None, or what nothing in the workflow dealt with.

        Raises:
            CodeflowError: what ends the run, once the nodes at work have ended.
        """
        await follow(self._course, self._work, self._settle, stopped=lambda: self._stop is not None)
        if self._stop is not None:
            raise self._stop
        for name in self._course.unfollowed:
            if not self._form.nodes[name].required:
                continue
            if name in self._faults:
                raise self._faults[name]
            return f"{self._at(name)}: {self._known[name]['text'] or self._known[name]['status']}"
        for name in self._course.too_few:
            return f"{self._at(name)}: too little of what it waits for went well"
        return None

    @property
    def answer(self) -> str:
        """What the workflow says in the end; empty when it does not say."""
        return rendered(self._form.answer, self._known) if self._form.answer else ""

    @property
    def outputs(self) -> dict[str, Any]:
        """What it gives in the end, by name; a text that is a single expression gives that one's value."""
        return {key: filled(text, self._known) for key, text in self._form.outputs.items()}

    def _settle(self, name: str, outcome: Outcome) -> None:
        self._known[name] = outcome.known
        self._course.settle(
            name, ok=outcome.ok or (not self._form.nodes[name].required and self._stop is None)
        )

    async def _work(self, name: str, visit: int) -> Outcome:
        """A node's work, told before and after; a fault is a failure of the node unless it concerns the whole run."""
        node, path = self._form.nodes[name], self._at(name)
        self._job.emit(NodeStarted(node=path, work=kind_of(node), visit=visit))
        self._faults.pop(name, None)
        try:
            outcome = await self._do(node, name, visit)
            if outcome.fault is not None:
                self._faults[name] = outcome.fault
        except CodeflowError as error:
            outcome = failed(str(error))
            if is_the_nodes_own(error):
                self._faults[name] = error
            else:
                self._stop = self._stop or error
        self._job.emit(
            NodeFinished(node=path, visit=visit, ok=outcome.ok, status=outcome.status, summary=outcome.text)
        )
        return outcome

    async def _do(self, node: NodeForm, name: str, visit: int) -> Outcome:
        spot = Spot(
            job=self._job,
            path=self._at(name),
            visit=visit,
            required=node.required,
            known=dict(self._known),
            subscribes=node.subscribes if isinstance(node, AgentNode) else (),
            room=self._room,
        )
        try:
            match node:
                case AgentNode():
                    return await visit_agent(node, spot, self._at(self._form.origin(name)))
                case WorkflowNode():
                    return await self._nested(node, spot)
                case _:
                    return await _WORK[type(node)](node, spot)
        except ExpressionError as error:
            return failed(str(error))

    async def _nested(self, node: WorkflowNode, spot: Spot) -> Outcome:
        given = {key: await spot.render(text) for key, text in node.inputs.items()}
        task = given.pop("task", self._known["task"])
        walk = Walk(self._job, self._forms, node.workflow, task=task, inputs=given, path=spot.path)
        problem = await walk.run()
        text = problem or walk.answer or self._job.answer
        return Outcome(ok=not problem, status="failed" if problem else "done", text=text, result=walk.outputs)

    def _holds(self, edge: Edge) -> bool:
        """Whether a condition is true; one that cannot be computed ends the run."""
        try:
            return holds(edge.when or "", self._known)
        except ExpressionError as error:
            self._stop = self._stop or CodeflowError(f"{self._at(edge.source)}: {error}", hint=_CORRECT)
            return False

    def _at(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name
