"""`coordinator`: an agent plans steps for others; the plan is checked, then carried out as it says."""

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from codeflow.core.errors import CodeflowError
from codeflow.orchestration.workflows.course import Course, Edge, Shape, circle
from codeflow.orchestration.workflows.expressions import placeholders, rendered
from codeflow.orchestration.workflows.following import follow
from codeflow.orchestration.workflows.patterns.members import (
    Member,
    Reply,
    UnusableError,
    came_to,
    came_to_nothing,
    form_in,
    hear,
    hear_as,
    roles,
)
from codeflow.orchestration.workflows.spot import Outcome, Spot
from codeflow.orchestration.workflows.tables import Form, HowMany, Name, PatternNode, Place, Template
from codeflow.policies.faults import enough

MAX_STEPS = 20
PLANNER = "planner"


class CoordinatorForm(Form):
    """Who plans, and for whom."""

    planner: str
    agents: tuple[str, ...] = Field(min_length=1)
    """Who may be given a step."""
    task: Template
    max_steps: int = Field(default=8, ge=1, le=MAX_STEPS)
    reads_only: bool = False
    """Without the tools that change anything; else steps of those who have such tools come one after the other."""
    minimum: HowMany = Field(default="100%", validate_default=True)
    """How many steps have to go well; by default all."""


class CoordinatorNode(PatternNode):
    """A planner, and those who carry the plan out."""

    coordinator: CoordinatorForm

    @property
    def words(self) -> str:
        return f"coordinator {self.coordinator.planner}"

    def agents(self) -> Iterable[tuple[Place, str]]:
        yield ("coordinator", "planner"), self.coordinator.planner
        for number, agent in enumerate(self.coordinator.agents):
            yield ("coordinator", "agents", number), agent

    def seats(self) -> Mapping[str, str]:
        return {PLANNER: self.coordinator.planner}

    def templates(self) -> Iterable[tuple[Place, str]]:
        yield ("coordinator", "task"), self.coordinator.task


class PlannedStep(BaseModel):
    """A step, as the planner writes it."""

    model_config = ConfigDict(extra="forbid")

    id: Name
    agent: str
    task: str = Field(min_length=1)
    requires_results_from: tuple[Name, ...] = ()


class StepPlan(BaseModel):
    """The end of the planner's answer."""

    model_config = ConfigDict(extra="forbid")

    steps: tuple[PlannedStep, ...] = Field(min_length=1)
    final_format: str = Field(min_length=1)
    """The answer, with `{{ id }}` for steps' results."""

    @property
    def edges(self) -> tuple[Edge, ...]:
        return tuple(
            Edge(source=source, target=step.id)
            for step in self.steps
            for source in dict.fromkeys(step.requires_results_from)
        )


async def coordinate(node: CoordinatorNode, spot: Spot) -> Outcome:
    """Plan once, then walk the plan: what does not wait for each other overlaps."""
    form = node.coordinator
    planner = Member(name=PLANNER, agent=form.planner)
    agents = {agent: agent for agent in form.agents}
    prompt = _PLAN.format(task=await spot.render(form.task), agents=roles(spot, agents), most=form.max_steps)
    reply, plan = await hear_as(spot, planner, prompt, partial(_usable_plan, form=form))
    if plan is None:
        return came_to_nothing("there is no plan", [reply])
    replies = await _Walk(plan, form, spot).run()
    result: dict[str, Any] = {
        "plan": plan.model_dump(mode="json"),
        "steps": {name: one.known for name, one in replies.items()},
    }
    done = sum(one.ok for one in replies.values())
    text = rendered(plan.final_format, {name: one.text if one.ok else _NONE for name, one in replies.items()})
    if not done or not enough(done, len(replies), form.minimum):
        return came_to_nothing(
            f"{done} of {len(replies)} steps went well", replies.values(), {**result, "text": text}
        )
    return came_to(spot, text, result)


def _usable_plan(text: str, form: CoordinatorForm) -> StepPlan:
    plan = form_in(text, StepPlan)
    if reasons := [*plan_problems(plan, form.agents, form.max_steps)]:
        raise UnusableError(*reasons)
    return plan


def plan_problems(plan: StepPlan, agents: Sequence[str], max_steps: int) -> Iterator[str]:
    """What makes a plan impossible to carry out, for its author; nothing when it can be."""
    ids = [step.id for step in plan.steps]
    if len(ids) > max_steps:
        yield f"{len(ids)} steps, where {max_steps} are allowed"
    if len(set(ids)) < len(ids):
        yield "two steps have the same id"
    for step in plan.steps:
        if step.agent not in agents:
            yield f"step {step.id}: no agent is called {step.agent} here; there are: {', '.join(agents)}"
        for name in step.requires_results_from:
            if name not in ids:
                yield f"step {step.id}: requires the results of {name}, which is no step"
        yield from _placeholder_problems(f"step {step.id}", step.task, step.requires_results_from)
    yield from _placeholder_problems("final_format", plan.final_format, ids)
    if around := circle(ids, plan.edges):
        yield f"the steps wait for each other in a circle: {' -> '.join(around)}"


def _placeholder_problems(place: str, text: str, known: Iterable[str]) -> Iterator[str]:
    for written in placeholders(text):
        if written.strip() not in known:
            listed = ", ".join(known) or "none"
            yield f"{place}: {{{{{written}}}}} is the result of no step that it requires; those are: {listed}"


class _Walk:
    """A plan on its way."""

    def __init__(self, plan: StepPlan, form: CoordinatorForm, spot: Spot) -> None:
        self._steps = {step.id: step for step in plan.steps}
        self._form = form
        self._spot = spot
        self._replies: dict[str, Reply] = {}
        self._stop: CodeflowError | None = None
        shape = Shape(tuple(self._steps), plan.edges)
        every = {name: partial(operator.le, len(shape.into[name])) for name in self._steps}
        self._course = Course(shape, lambda _: True, every)

    async def run(self) -> Mapping[str, Reply]:
        """The steps' replies, in the plan's order; one whose results are missing is left out, and says so.

        Raises:
            CodeflowError: what ends the run, once the steps at work have ended.
        """
        await follow(self._course, self._work, self._settle, stopped=lambda: self._stop is not None)
        if self._stop is not None:
            raise self._stop
        return {name: self._replies.get(name) or _left_out(step) for name, step in self._steps.items()}

    async def _work(self, name: str, _visit: int) -> Reply | None:
        """A step's reply; None when something ended the run."""
        try:
            return await self._carry_out(self._steps[name])
        except CodeflowError as error:
            self._stop = self._stop or error
            return None

    def _settle(self, name: str, reply: Reply | None) -> None:
        if reply is not None:
            self._replies[name] = reply
        self._course.settle(name, ok=reply is not None and reply.ok)

    async def _carry_out(self, step: PlannedStep) -> Reply:
        known = {name: self._replies[name].shown for name in step.requires_results_from}
        shown = {written.strip() for written in placeholders(step.task)}
        others = (text for name, text in known.items() if name not in shown)
        prompt = _STEP.format(task="\n\n".join([rendered(step.task, known), *others]))
        member = Member(name=f"steps.{step.id}", agent=step.agent, reads_only=self._form.reads_only)
        reply = await hear(self._spot, member, prompt)
        return replace(reply, member=step.id)


def _left_out(step: PlannedStep) -> Reply:
    text = f"left out, since one of {', '.join(step.requires_results_from)} gave no result"
    return Reply(member=step.id, ok=False, text=text)


_NONE = "(no result)"
_PLAN = (
    "{task}\n\nPlan this for the agents below, who do not see each other's work; you do none of it yourself. At most {most} "
    "steps, as few as will do: each costs a conversation.\n{agents}\n\nA step's task says everything that its agent has to "
    "know. It gets the results of the steps that it requires, at {{{{ id }}}} where its task says so; steps that require "
    "nothing of each other are done at the same time. The final format is the answer to the task, with {{{{ id }}}} where a "
    'step\'s result belongs. End with a single JSON object:\n{{"steps": [{{"id": "a", "agent": "…", "task": "…"}}, {{"id": '
    '"b", "agent": "…", "task": "… {{{{ a }}}} …", "requires_results_from": ["a"]}}], "final_format": "… {{{{ b }}}} …"}}'
)
_STEP = "Your step:\n{task}\n\nDo this step only. Your answer is its result and goes to others as it is: nothing around it."
