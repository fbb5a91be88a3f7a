"""`fanout`: several agents answer side by side, and their answers are merged or counted."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from codeflow.orchestration.workflows.patterns.aggregation import Shared, counted, is_tie, lines, merged
from codeflow.orchestration.workflows.patterns.members import (
    Member,
    MemberForm,
    MemberTable,
    Reply,
    UnusableError,
    came_to,
    came_to_nothing,
    hear_as,
    object_in,
    side_by_side,
)
from codeflow.orchestration.workflows.spot import Outcome, Spot
from codeflow.orchestration.workflows.tables import Form, HowMany, Name, PatternNode, Place, Template
from codeflow.policies.faults import enough

MAX_MEMBERS = 20


class MergeForm(Form):
    """The same item once."""

    items: str | None = None
    """Key of the list that each answer's JSON object has; without it, the lines of the answers are the items."""
    by: tuple[str, ...] = ()
    """Fields that make two items the same, such as [file, line]; by default everything in them."""

    @model_validator(mode="after")
    def _needs_items(self) -> Self:
        if self.by and self.items is None:
            raise ValueError("by names fields of items: say which key of the answers holds them, with items")
        return self


class VoteForm(Form):
    """The value that most members give."""

    key: str
    """Key of the answers' JSON objects."""
    tie: Literal["first", "fail"] = "first"
    """What happens when two values have the most: the one of the member written first wins, or the node fails."""


class FanoutForm(Form):
    """Agents side by side, none of which can change anything."""

    members: Mapping[Name, MemberTable] = Field(min_length=2, max_length=MAX_MEMBERS)
    task: Template | None = None
    merge: MergeForm | None = None
    vote: VoteForm | None = None
    minimum: HowMany = Field(default=1, validate_default=True)
    """How many members have to answer."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.merge and self.vote:
            raise ValueError("merge and vote exclude each other")
        idle = [name for name, member in self.members.items() if member.task is None]
        if idle and self.task is None:
            raise ValueError(f"{', '.join(idle)}: no task, neither here nor for all of them")
        return self


class FanoutNode(PatternNode):
    """Several agents side by side."""

    fanout: FanoutForm

    @property
    def words(self) -> str:
        return f"fanout of {len(self.fanout.members)}"

    def agents(self) -> Iterable[tuple[Place, str]]:
        return [
            (("fanout", "members", name, "agent"), one.agent) for name, one in self.fanout.members.items()
        ]

    def seats(self) -> Mapping[str, str]:
        return {name: one.agent for name, one in self.fanout.members.items()}

    def templates(self) -> Iterator[tuple[Place, str]]:
        if self.fanout.task is not None:
            yield ("fanout", "task"), self.fanout.task
        for name, member in self.fanout.members.items():
            if member.task is not None:
                yield ("fanout", "members", name, "task"), member.task


async def fan_out(node: FanoutNode, spot: Spot) -> Outcome:
    """Ask everybody at once; those who do not answer leave the others' answers as they are."""
    form = node.fanout
    heard = await side_by_side(*(_ask(form, name, one, spot) for name, one in form.members.items()))
    replies = [reply for reply, _ in heard]
    given = {reply.member: read for reply, read in heard if reply.ok}
    result: dict[str, Any] = {"members": {reply.member: reply.known for reply in replies}}
    if not given or not enough(len(given), len(replies), form.minimum):
        return came_to_nothing(f"{len(given)} of {len(replies)} members answered", replies, result)
    if form.vote:
        return _elected(form.vote, given, replies, result, spot)
    if form.merge:
        items = merged(given, form.merge.by)
        result |= {"items": [one.value for one in items], "found_by": [list(one.members) for one in items]}
        return came_to(spot, "\n".join(map(_listed, items)), result)
    return came_to(spot, "\n\n".join(f"## {name}\n\n{text}" for name, text in given.items()), result)


async def _ask(form: FanoutForm, name: str, one: MemberForm, spot: Spot) -> tuple[Reply, Any]:
    task = await spot.render(one.task or form.task or "")
    prompt = "\n\n".join(filter(None, (task, _wanted(form))))
    return await hear_as(spot, Member(name=name, agent=one.agent), prompt, lambda text: _read(form, text))


def _wanted(form: FanoutForm) -> str:
    """What an answer has to end with."""
    if form.vote:
        return f'End with a single JSON object that has the key "{form.vote.key}".'
    if form.merge and form.merge.items:
        fields = f", each an object with {', '.join(form.merge.by)}" if form.merge.by else ""
        return f'End with a single JSON object that has the key "{form.merge.items}": a list of what you found{fields}.'
    return "Answer with one finding a line, and nothing else." if form.merge else ""


def _read(form: FanoutForm, text: str) -> Any:
    """A member's vote, its items, or its answer as it is."""
    if form.vote:
        return _ballot(form.vote.key, text)
    if form.merge is None:
        return text
    if form.merge.items is None:
        return lines(text)
    items = _value(form.merge.items, text)
    if not isinstance(items, list):
        raise UnusableError(f'"{form.merge.items}" is no list')
    return items


def _value(key: str, text: str) -> Any:
    found = object_in(text)
    if key not in found:
        raise UnusableError(f'the JSON object has no "{key}"')
    return found[key]


def _ballot(key: str, text: str) -> str | int | float | bool:
    chosen = _value(key, text)
    if not isinstance(chosen, str | int | float) or not str(chosen).strip():
        raise UnusableError(f'"{key}" has to be a text, a number, true or false: anything else is no vote')
    return chosen


def _elected(
    vote: VoteForm, ballots: Mapping[str, Any], replies: list[Reply], result: dict[str, Any], spot: Spot
) -> Outcome:
    counts = counted(ballots)
    tie = is_tie(counts)
    told = "; ".join(f"{as_text(one.value)}: {', '.join(one.members)}" for one in counts)
    result |= {"choice": counts[0].value, "tie": tie, "votes": [one.known for one in counts]}
    if tie and vote.tie == "fail":
        return came_to_nothing(f"the vote is tied: {told}", replies, {**result, "choice": None})
    if tie:
        spot.job.warn(f"{spot.path}: the vote is tied, the first wins: {told}")
    return came_to(spot, as_text(counts[0].value), result)


def _listed(item: Shared) -> str:
    return f"- {as_text(item.value)} ({', '.join(item.members)})"


def as_text(value: Any) -> str:
    """A JSON value for people: texts as they are."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
