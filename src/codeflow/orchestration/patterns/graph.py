"""The seed's graph: plan, code, gates, tests, gates, review, documentation; gates decide its edges.

architect -> design_check -> coder -> gates -> test_engineer -> gates -> reviewer -> documentation -> gates
                 |             ^        |                                   |
                 +-> architect |        +-> debugger -> gates               | proven findings
                               +--------------------------------------------+

A task that comes with a plan begins at the coder.
"""

from collections.abc import Callable, Coroutine, Mapping
from enum import IntEnum, auto
from functools import partial
from graphlib import TopologicalSorter
from typing import Any

from strands.multiagent.graph import GraphBuilder

from codeflow.agents.node import GuardedNode, Walk
from codeflow.core.errors import CodeflowError
from codeflow.core.events import Planned
from codeflow.core.values import Gate, Plan, PlanStep
from codeflow.orchestration.briefs import after_change, findings_message, step_message
from codeflow.orchestration.job import Job
from codeflow.orchestration.patterns.review import Finding, parse_findings, prove
from codeflow.orchestration.planner import Planning

MAX_NODE_EXECUTIONS = 120
"""Above what the bounded rounds allow; a guard against a graph that circles through a fault of ours."""


class Stage(IntEnum):
    """How far the work has come; green gates send it to the next specialist."""

    CODED = auto()
    TESTED = auto()
    DOCUMENTED = auto()


class GraphRun:
    """The graph's nodes as methods, and the state that its edges look at."""

    def __init__(self, job: Job, planning: Planning) -> None:
        self._job = job
        self._planning = planning
        self._stage = Stage.CODED
        self._green = False
        self._debug_rounds = 0
        self._review_rounds = 0
        self._findings: tuple[Finding, ...] = ()
        self._proofs: list[Gate] = []
        self._problem: str | None = None
        self._fault: CodeflowError | None = None
        self._walk = Walk()

    async def run(self) -> str | None:
        """Walk the graph.

        Returns:
            None when the work was accepted, else what is wrong with it.

        Raises:
            CodeflowError: the fault of a node that ends the run.
        """
        await self._walk.follow(self._build().invoke_async(self._job.task.text))
        if self._fault is not None:
            raise self._fault
        if self._problem is None and not self._green:
            return "the gates are still red"
        if self._problem is None and self._stage is not Stage.DOCUMENTED:
            return "the graph ended before its last node"
        return self._problem or self._job.missing_helpers()

    def _build(self) -> Any:
        nodes: Mapping[str, Callable[[], Coroutine[Any, Any, bool]]] = {
            "architect": self._architect,
            "design_check": self._design_check,
            "coder": self._coder,
            "gates": self._gates,
            "debugger": self._debugger,
            "test_engineer": self._test_engineer,
            "reviewer": self._reviewer,
            "documentation": self._documentation,
        }
        builder = GraphBuilder()
        for name, work in nodes.items():
            builder.add_node(GuardedNode(name, partial(self._walk.step, work), self._remember_fault), name)
        edges: list[tuple[str, str, Callable[[], bool]]] = [
            ("architect", "design_check", lambda: True),
            ("design_check", "architect", lambda: not self._planning.settled),
            ("design_check", "coder", lambda: self._planning.settled),
            ("coder", "gates", lambda: True),
            ("debugger", "gates", lambda: True),
            ("gates", "debugger", self._may_debug),
            ("gates", "test_engineer", lambda: self._green and self._stage is Stage.CODED),
            ("test_engineer", "gates", lambda: True),
            ("gates", "reviewer", lambda: self._green and self._stage is Stage.TESTED),
            ("reviewer", "coder", lambda: bool(self._findings)),
            ("reviewer", "documentation", lambda: not self._findings),
            ("documentation", "gates", lambda: True),
        ]
        for source, target, holds in edges:
            builder.add_edge(source, target, condition=lambda _state, holds=holds: holds())
        builder.set_entry_point("coder" if self._job.task.plan else "architect")
        builder.reset_on_revisit()
        builder.set_max_node_executions(MAX_NODE_EXECUTIONS)
        return builder.build()

    def _remember_fault(self, fault: CodeflowError) -> None:
        self._fault = fault

    def _may_debug(self) -> bool:
        return not self._green and self._debug_rounds < self._job.settings.graph.debug_rounds

    async def _architect(self) -> bool:
        visit = await self._job.visits.make(
            "architect",
            self._job.next_message(self._planning.corrections),
            node="architect",
            dispensable=True,
        )
        self._planning.take(visit.text)
        return True

    async def _design_check(self) -> bool:
        plan = self._planning.plan
        if plan is not None and plan != self._job.plan:
            self._job.plan = plan
            self._job.emit(Planned(plan=plan))
        elif plan is None:
            reasons = "; ".join(self._planning.problems)
            outcome = "one step instead" if self._planning.settled else "sent back"
            self._job.warn(f"the plan failed the design check ({reasons}); {outcome}")
        return True

    async def _coder(self) -> bool:
        if self._findings:
            listed = [finding.line for finding in self._findings]
            coder = "senior_coder"
            visit = await self._job.visit(
                coder, self._job.next_message(findings_message(listed)), node="coder"
            )
            return self._finished(coder, ok=visit.ok, text=visit.text)
        plan = self._job.plan
        if plan is None:
            visit = await self._job.visit("senior_coder", self._job.first_message, node="coder")
            return self._finished("senior_coder", ok=visit.ok, text=visit.text)
        return await self._carry_out(plan)

    async def _carry_out(self, plan: Plan) -> bool:
        told: set[str] = set()
        for step in _in_order(plan):
            message = partial(self._step_message, step, plan, first=step.specialist not in told)
            told.add(step.specialist)
            visit = await self._job.visit(step.specialist, message, node="coder")
            if not self._finished(step.specialist, ok=visit.ok, text=visit.text):
                return False
        return True

    def _step_message(self, step: PlanStep, plan: Plan, agent: str, *, first: bool) -> str:
        """A step as its specialist is told it, or whoever takes over from it."""
        if not first and self._job.crew.knows(agent):
            return step_message(step, plan, first=False)
        return f"{self._job.first_message(agent)}\n\n{step_message(step, plan, first=True)}"

    def _finished(self, agent: str, *, ok: bool, text: str) -> bool:
        if not ok:
            self._problem = f"{agent} did not finish: {text}"
        return ok

    async def _gates(self) -> bool:
        acceptance = self._job.plan.acceptance if self._job.plan else ()
        timeout_s = self._job.settings.gates.timeout_s
        extra = [
            Gate(name=f"acceptance-{number}", command=command, timeout_s=timeout_s)
            for number, command in enumerate(acceptance, start=1)
        ]
        self._green = await self._job.check([*extra, *self._proofs])
        return True

    async def _debugger(self) -> bool:
        self._debug_rounds += 1
        await self._job.debug()
        return True

    async def _test_engineer(self) -> bool:
        await self._job.visit_optional(
            "test_engineer", await self._brief("Add the tests that this change needs."), node="test_engineer"
        )
        self._stage = Stage.TESTED
        return True

    async def _reviewer(self) -> bool:
        self._findings = ()
        if self._review_rounds >= self._job.settings.graph.review_rounds:
            return True
        self._review_rounds += 1
        visit = await self._job.visit_optional(
            "reviewer", await self._brief("Review this change."), node="reviewer"
        )
        claimed = parse_findings(visit.text) if visit.ok else ()
        proven = await prove(self._job, claimed, first_number=len(self._proofs) + 1)
        self._findings = tuple(finding for finding, _ in proven)
        self._proofs.extend(gate for _, gate in proven)
        return True

    async def _documentation(self) -> bool:
        await self._job.visit_optional(
            "documentation", await self._brief("Bring the documentation in line."), node="documentation"
        )
        self._stage = Stage.DOCUMENTED
        return True

    async def _brief(self, order: str) -> str:
        diff = await self._job.current_diff()
        return after_change(self._job.task.text, self._job.facts, diff, order)


def _in_order(plan: Plan) -> list[PlanStep]:
    """The steps, each after what it needs."""
    by_id = {step.id: step for step in plan.steps}
    return [by_id[name] for name in TopologicalSorter({s.id: s.needs for s in plan.steps}).static_order()]
