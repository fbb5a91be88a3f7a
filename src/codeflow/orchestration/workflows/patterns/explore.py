"""`explore`: readers hand a question on to whoever knows more, and one writes the answer with sources that exist."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, model_validator

from codeflow.orchestration.planner import is_inside
from codeflow.orchestration.workflows.patterns.members import (
    Member,
    Reply,
    UnusableError,
    came_to,
    came_to_nothing,
    form_in,
    hear_as,
    roles,
)
from codeflow.orchestration.workflows.spot import Outcome, Spot
from codeflow.orchestration.workflows.tables import Form, Name, PatternNode, Place, Template

MAX_HANDOFFS = 12
SYNTHESIS = "synthesis"
_LINE = re.compile(r"^(?P<path>.+?):(?P<line>\d+)(?:-\d+)?$")


class ExploreForm(Form):
    """Readers, none of which can change anything."""

    agents: Mapping[Name, str] = Field(min_length=2)
    start: Name
    task: Template
    handoffs: int = Field(default=4, ge=1, le=MAX_HANDOFFS)
    """How often the question may go from one reader to another."""
    writer: str
    """The agent that writes the answer."""

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.start not in self.agents:
            raise ValueError(f"start: {self.start} is none of the agents")
        if SYNTHESIS in self.agents:
            raise ValueError(f"an agent's place cannot be called {SYNTHESIS}")
        return self


class ExploreNode(PatternNode):
    """A swarm of readers."""

    explore: ExploreForm

    @property
    def words(self) -> str:
        return f"exploration by {', '.join(self.explore.agents)}"

    def agents(self) -> Iterable[tuple[Place, str]]:
        for name, agent in self.explore.agents.items():
            yield ("explore", "agents", name), agent
        yield ("explore", "writer"), self.explore.writer

    def seats(self) -> Mapping[str, str]:
        return {**self.explore.agents, SYNTHESIS: self.explore.writer}

    def templates(self) -> Iterable[tuple[Place, str]]:
        yield ("explore", "task"), self.explore.task


class _Handoff(BaseModel):
    """The end of a reader's answer."""

    hand_to: str | None
    ask: str = ""


class _Synthesis(BaseModel):
    """The end of the writer's answer."""

    sources: tuple[str, ...] = Field(min_length=1)


async def explore(node: ExploreNode, spot: Spot) -> Outcome:
    """Readers one after the other until one hands on no more, then the answer, whose sources are looked up."""
    form = node.explore
    task = await spot.render(form.task)
    found: list[Reply] = []
    path: list[str] = []
    place: str | None = form.start
    question = task
    while place is not None and len(path) <= form.handoffs:
        path.append(place)
        reader = Member(name=place, agent=form.agents[place])
        others = {name: agent for name, agent in form.agents.items() if name != place}
        prompt = _READ.format(
            task=task,
            earlier=f"What was found so far:\n\n{_told(found)}\n\n" if found else "",
            asked=f"You are asked: {question}\n\n" if question != task else "",
            others=roles(spot, others),
        )
        reply, handoff = await hear_as(spot, reader, prompt, _handoff(form, place))
        found.append(reply)
        place = handoff.hand_to if handoff else None
        question = handoff.ask if handoff and handoff.ask else task
    if not any(reply.ok for reply in found):
        return came_to_nothing("no reader found anything", found, {"path": path})
    writer = Member(name=SYNTHESIS, agent=form.writer)
    prompt = _WRITE.format(task=task, found=_told(found))
    cited = partial(_cited, spot.job.once, spot.job.task.workspace)
    reply, answer = await hear_as(spot, writer, prompt, cited)
    if answer is None:
        return came_to_nothing("there is no answer with sources", [*found, reply], {"path": path})
    return came_to(spot, reply.text, {"path": path, "sources": list(answer.sources)})


def _handoff(form: ExploreForm, place: str) -> Callable[[str], _Handoff]:
    def read(text: str) -> _Handoff:
        said = form_in(text, _Handoff)
        if said.hand_to is not None and (said.hand_to == place or said.hand_to not in form.agents):
            others = ", ".join(name for name in form.agents if name != place)
            raise UnusableError(f"hand_to: has to be null or one of {others}")
        return said

    return read


def _told(found: Iterable[Reply]) -> str:
    return "\n\n".join(reply.shown for reply in found)


def _cited(
    once: Callable[[str, Callable[[], list[str]]], list[str]], workspace: Path, text: str
) -> _Synthesis:
    """The answer's sources, of which those that name a line of a file have to exist."""
    said = form_in(text, _Synthesis)
    missing = once(
        f"which of these exist: {', '.join(said.sources)}",
        lambda: [source for source in said.sources if _is_missing(source, workspace)],
    )
    if missing:
        raise UnusableError(*(f"sources: there is no {source}" for source in missing))
    return said


def _is_missing(source: str, workspace: Path) -> bool:
    """Whether a source names a line of a file that is not there; pages and commits are not looked up."""
    named = _LINE.match(source)
    if named is None or "://" in source:
        return False
    path = workspace / named["path"]
    try:
        if not is_inside(workspace, named["path"]) or not path.is_file():
            return True
        with path.open("rb") as file:
            return sum(1 for _ in file) < int(named["line"])
    except (OSError, ValueError):
        return True


_READ = (
    "The question:\n{task}\n\n{earlier}{asked}Find out what you can with your tools, and write down what you found, each "
    "statement with its source (file:line, commit, page). Others who can look into it:\n{others}\n\nEnd with a single JSON "
    'object: {{"hand_to": "NAME", "ask": "what exactly they should find out"}}, or {{"hand_to": null}} when nothing that '
    "matters is left to find out."
)
_WRITE = (
    "The question:\n{task}\n\nColleagues looked into it:\n\n{found}\n\nWrite the answer: the conclusion first, then what it "
    "rests on; where they disagree, look yourself. Leave out what has no source. End with a single JSON object: "
    '{{"sources": ["path/to/file.py:12", "commit 1a2b3c", "https://…"]}}.'
)
