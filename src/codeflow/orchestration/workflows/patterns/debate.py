"""`debate`: one proposes, one looks for what is wrong with it, and where they do not agree a third decides."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pydantic import BaseModel, Field

from codeflow.orchestration.workflows.patterns.members import (
    Member,
    Reply,
    UnusableError,
    came_to,
    came_to_nothing,
    form_in,
    hear,
    hear_as,
    quoted,
)
from codeflow.orchestration.workflows.spot import Outcome, Spot
from codeflow.orchestration.workflows.tables import Form, PatternNode, Place, Template

MAX_ROUNDS = 5
PROPOSER, CRITIC, JUDGE = "proposer", "critic", "judge"


class DebateForm(Form):
    """Three agents, none of which can change anything."""

    proposer: str
    critic: str
    judge: str
    task: Template
    rounds: int = Field(default=2, ge=1, le=MAX_ROUNDS)
    """How often the critic looks; between two looks the proposer answers the objections."""


class DebateNode(PatternNode):
    """Proposer, critic and judge."""

    debate: DebateForm

    @property
    def words(self) -> str:
        return f"debate of {self.debate.proposer} and {self.debate.critic}"

    def agents(self) -> Iterable[tuple[Place, str]]:
        form = self.debate
        yield ("debate", "proposer"), form.proposer
        yield ("debate", "critic"), form.critic
        yield ("debate", "judge"), form.judge

    def seats(self) -> Mapping[str, str]:
        form = self.debate
        return {PROPOSER: form.proposer, CRITIC: form.critic, JUDGE: form.judge}

    def templates(self) -> Iterable[tuple[Place, str]]:
        yield ("debate", "task"), self.debate.task


class _Verdict(BaseModel):
    """The end of a critic's answer."""

    agree: bool


class _Choice(BaseModel):
    """The end of a judge's answer: the number of a proposal, 0 for none."""

    proposal: int = Field(ge=0)


@dataclass(frozen=True, slots=True)
class _Round:
    """A proposal and what was said against it."""

    proposal: str
    objections: Reply


async def debate(node: DebateNode, spot: Spot) -> Outcome:
    """Rounds until the critic agrees; else the judge picks one of the proposals, which is the answer word for word."""
    form = node.debate
    task = await spot.render(form.task)
    proposer = Member(name=PROPOSER, agent=form.proposer)
    critic = Member(name=CRITIC, agent=form.critic)
    rounds: list[_Round] = []
    opening = _OPENING.format(task=task)
    reply = await hear(spot, proposer, opening)
    if not reply.ok:
        return came_to_nothing("there is no proposal", [reply])
    while True:
        critique, verdict = await hear_as(
            spot,
            critic,
            _attack(task, reply, first=not rounds),
            partial(form_in, model=_Verdict),
            before=_QUESTION.format(task=task) if rounds else "",
        )
        rounds.append(_Round(reply.text, critique))
        if verdict is not None and verdict.agree:
            result = {
                "agreed": True,
                "rounds": len(rounds),
                "proposal": reply.text,
                "critic": critique.text,
            }
            return came_to(spot, reply.text, result)
        if verdict is None or len(rounds) == form.rounds:
            return await _judged(form, task, rounds, spot)
        reply = await hear(
            spot, proposer, _REVISE.format(objections=critique.shown), before=f"{opening}\n\n{reply.shown}"
        )
        if not reply.ok:
            return await _judged(form, task, rounds, spot)


async def _judged(form: DebateForm, task: str, rounds: Sequence[_Round], spot: Spot) -> Outcome:
    def read(text: str) -> int:
        choice = form_in(text, _Choice).proposal
        if choice > len(rounds):
            raise UnusableError(f"there is no proposal {choice}, only 1 to {len(rounds)}")
        return choice

    judge = Member(name=JUDGE, agent=form.judge)
    reply, choice = await hear_as(spot, judge, _docket(task, rounds), read)
    result = {"agreed": False, "rounds": len(rounds), "proposal": rounds[-1].proposal, "judge": reply.text}
    if choice is None:
        return came_to_nothing("nobody decided", [reply], result)
    if choice == 0:
        return came_to_nothing(f"no proposal holds: {reply.text}", [], result)
    chosen = rounds[choice - 1].proposal
    return came_to(spot, chosen, {**result, "proposal": chosen})


_OPENING = "{task}\n\nPropose an answer, whole, with what it rests on. A colleague will look for what is wrong with it."
_QUESTION = "The question:\n{task}"
_REVISE = (
    "Your colleague objects:\n\n{objections}\n\nGive your answer again, whole: take up what holds, and say of the "
    "rest why it does not."
)


def _attack(task: str, proposal: Reply, *, first: bool) -> str:
    asked = (
        f"{_QUESTION.format(task=task)}\n\nA colleague's answer:"
        if first
        else "What your colleague makes of your objections:"
    )
    return (
        f"{asked}\n\n{proposal.shown}\n\nLook for what is wrong with it that matters: claims that the code does not bear "
        'out, cases it forgets, a simpler way. Check before you object. End with {"agree": true} when nothing of that '
        'kind is left, else with {"agree": false}.'
    )


def _docket(task: str, rounds: Sequence[_Round]) -> str:
    told = "\n\n".join(
        f"{quoted(one.proposal, f'proposal {number}')}\n\nAgainst it:\n{one.objections.shown}"
        for number, one in enumerate(rounds, 1)
    )
    return (
        f"The question:\n{task}\n\n{told}\n\nDecide which proposal is to be followed; look at what they disagree about "
        'yourself. Say why in a few lines, and end with {"proposal": NUMBER}, 0 when none of them holds.'
    )
