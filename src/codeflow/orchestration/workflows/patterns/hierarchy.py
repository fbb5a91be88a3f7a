"""`hierarchy`: a supervisor gives parts of a task to team leads, who may ask workers, and puts their reports together."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, model_validator

from codeflow.orchestration.replies import last_object
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
    side_by_side,
)
from codeflow.orchestration.workflows.spot import Outcome, Spot
from codeflow.orchestration.workflows.tables import Form, HowMany, Name, PatternNode, Place, Template
from codeflow.policies.faults import enough

MAX_TEAM = 8
SUPERVISOR = "supervisor"

Orders = dict[str, Annotated[str, Field(min_length=1)]]
"""Whom -> what is to be done."""


class LeadForm(Form):
    """A team lead, and the agents that it may ask."""

    agent: str
    workers: Mapping[Name, str] = Field(default_factory=dict, max_length=MAX_TEAM)


class HierarchyForm(Form):
    """A supervisor, who changes nothing, and teams."""

    supervisor: str
    leads: Mapping[Name, LeadForm] = Field(min_length=1, max_length=MAX_TEAM)
    task: Template
    reads_only: bool = False
    """Without the tools that change anything; else those who have such tools work one after the other."""
    minimum: HowMany = Field(default=1, validate_default=True)
    """How many of the leads that got a part have to report."""

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        if SUPERVISOR in self.leads:
            raise ValueError(f"a lead cannot be called {SUPERVISOR}")
        return self


class HierarchyNode(PatternNode):
    """Supervisor, team leads, workers."""

    hierarchy: HierarchyForm

    @property
    def words(self) -> str:
        return f"hierarchy of {len(self.hierarchy.leads)} under {self.hierarchy.supervisor}"

    def agents(self) -> Iterable[tuple[Place, str]]:
        yield ("hierarchy", "supervisor"), self.hierarchy.supervisor
        for name, team in self.hierarchy.leads.items():
            yield ("hierarchy", "leads", name, "agent"), team.agent
            for worker, agent in team.workers.items():
                yield ("hierarchy", "leads", name, "workers", worker), agent

    def seats(self) -> Mapping[str, str]:
        teams = self.hierarchy.leads
        workers = {
            f"{name}.{worker}": agent
            for name, team in teams.items()
            for worker, agent in team.workers.items()
        }
        return {
            SUPERVISOR: self.hierarchy.supervisor,
            **{name: team.agent for name, team in teams.items()},
            **workers,
        }

    def templates(self) -> Iterable[tuple[Place, str]]:
        yield ("hierarchy", "task"), self.hierarchy.task


class _Parts(BaseModel):
    """The end of a supervisor's first answer."""

    parts: Orders = Field(min_length=1)


class _Asked(BaseModel):
    """The end of a lead's answer that wants something done first."""

    ask: Orders = Field(min_length=1)


async def lead(node: HierarchyNode, spot: Spot) -> Outcome:
    """Split, have it done, put together: each lead gets one part at most, and may hand out work once."""
    form = node.hierarchy
    task = await spot.render(form.task)
    supervisor = Member(name=SUPERVISOR, agent=form.supervisor)
    teams = {name: team.agent for name, team in form.leads.items()}
    split, parts = await hear_as(
        spot, supervisor, _SPLIT.format(task=task, leads=roles(spot, teams)), _of(teams)
    )
    if parts is None:
        return came_to_nothing("the task was not split", [split])
    reports = await side_by_side(*(_report(form, name, part, spot) for name, part in parts.items()))
    result: dict[str, Any] = {"parts": parts, "reports": {one.member: one.known for one in reports}}
    reported = [one for one in reports if one.ok]
    if not reported or not enough(len(reported), len(reports), form.minimum):
        return came_to_nothing(f"{len(reported)} of {len(reports)} leads reported", reports, result)
    told = "\n\n".join(one.shown for one in reports)
    whole = await hear(spot, supervisor, _TOGETHER.format(reports=told), before=task)
    if not whole.ok:
        return came_to_nothing("the reports were not put together", [whole, *reports], result)
    return came_to(spot, whole.text, result)


async def _report(form: HierarchyForm, name: str, part: str, spot: Spot) -> Reply:
    """A lead's report, after its workers' where it asks them."""
    team = form.leads[name]
    leader = Member(name=name, agent=team.agent, reads_only=form.reads_only)
    if not team.workers:
        return await hear(spot, leader, _PART.format(part=part))
    prompt = _TEAM_PART.format(part=part, workers=roles(spot, team.workers))
    reply, orders = await hear_as(spot, leader, prompt, partial(_orders, workers=team.workers))
    if not orders:
        return reply
    workers = (
        Member(name=f"{name}.{worker}", agent=team.workers[worker], reads_only=form.reads_only)
        for worker in orders
    )
    done = await side_by_side(
        *(
            hear(spot, worker, _PART.format(part=order))
            for worker, order in zip(workers, orders.values(), strict=True)
        )
    )
    shown = "\n\n".join(one.shown for one in done)
    return await hear(spot, leader, _REPORT.format(reports=shown), before=_PART.format(part=part))


def _of(teams: Mapping[str, str]) -> Any:
    """Reads the supervisor's parts."""

    def read(text: str) -> Orders:
        parts = form_in(text, _Parts).parts
        _check_names("lead", parts, teams)
        return parts

    return read


def _orders(text: str, workers: Mapping[str, str]) -> Orders:
    """What a lead wants its workers to do; nothing when its answer is its report."""
    if "ask" not in (last_object(text) or {}):
        return {}
    orders = form_in(text, _Asked).ask
    _check_names("worker", orders, workers)
    return orders


def _check_names(kind: str, given: Iterable[str], known: Iterable[str]) -> None:
    names = sorted(known)
    unknown = [name for name in given if name not in names]
    if unknown:
        raise UnusableError(f"no {kind} is called {', '.join(unknown)}; there are: {', '.join(names)}")


_SPLIT = (
    "{task}\n\nYou lead this and change nothing yourself. Split it into parts for your team leads, who do not see each "
    "other's: at most one part each, none for whom there is nothing useful to do.\n{leads}\n\nA part says everything "
    'that its lead has to know. End with a single JSON object: {{"parts": {{"LEAD": "what to do"}}}}.'
)
_PART = (
    "Your part of it:\n{part}\n\nDo this part only, and report: what you found or did, and what it rests on."
)
_TEAM_PART = (
    "Your part of it:\n{part}\n\nDo this part only. You may have work done first by:\n{workers}\nThen end with a single "
    'JSON object: {{"ask": {{"WORKER": "what to do"}}}}; it can be done once, and they know nothing of your part but what you '
    "write. Otherwise report: what you found or did, and what it rests on."
)
_REPORT = (
    "Your workers report:\n\n{reports}\n\nReport on your part: what was found or done, and what it rests on."
)
_TOGETHER = (
    "Your team leads report:\n\n{reports}\n\nPut the answer to the whole task together from this. Where they contradict "
    "each other, look yourself; say what is missing."
)
