"""`mesh`: peers answer on their own, see each other's notes, and decide by a quorum that some of them cannot turn."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from pydantic import BaseModel, Field, JsonValue, model_validator

from codeflow.orchestration.workflows.patterns.aggregation import canonical, counted
from codeflow.orchestration.workflows.patterns.fanout import MAX_MEMBERS, as_text
from codeflow.orchestration.workflows.patterns.members import (
    Member,
    MemberTable,
    Reply,
    UnusableError,
    came_to,
    came_to_nothing,
    form_in,
    hear_as,
    quoted,
    side_by_side,
)
from codeflow.orchestration.workflows.patterns.notes import (
    Note,
    Strategy,
    agreed,
    peers_for,
    quorum_for,
    revised,
)
from codeflow.orchestration.workflows.spot import Outcome, Spot
from codeflow.orchestration.workflows.tables import Form, Name, PatternNode, Place, Template

MAX_ROUNDS = 5
MAX_NOTES = 10
MERGER = "merger"


class MeshForm(Form):
    """Peers, none of which can change anything."""

    peers: Mapping[Name, MemberTable] = Field(max_length=MAX_MEMBERS)
    task: Template
    faulty: int = Field(default=1, ge=1)
    """How many peers may answer nonsense or not at all; it takes 3 x faulty + 1 peers, and 2 x faulty + 1 decide."""
    choices: tuple[str, ...] = ()
    """What can be decided for; by default anything short."""
    rounds: int = Field(default=2, ge=1, le=MAX_ROUNDS)
    conflicts: Strategy = "vote"
    """What becomes of notes that contradict each other."""
    merger: str | None = None
    """The agent that makes one note of several."""

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        wanted = peers_for(self.faulty)
        if len(self.peers) != wanted:
            raise ValueError(f"{len(self.peers)} peers; for {self.faulty} faulty it takes {wanted}")
        if (self.merger is not None) != (self.conflicts == "merge"):
            raise ValueError("conflicts: merge and merger go together")
        if MERGER in self.peers:
            raise ValueError(f"a peer cannot be called {MERGER}")
        if len(set(map(canonical, self.choices))) < len(self.choices):
            raise ValueError(
                "choices: two of them are the same but for case and blanks: no vote tells them apart"
            )
        return self


class MeshNode(PatternNode):
    """Peers over shared notes."""

    mesh: MeshForm

    @property
    def words(self) -> str:
        return f"mesh of {len(self.mesh.peers)}"

    def agents(self) -> Iterable[tuple[Place, str]]:
        for name, peer in self.mesh.peers.items():
            yield ("mesh", "peers", name, "agent"), peer.agent
        if self.mesh.merger is not None:
            yield ("mesh", "merger"), self.mesh.merger

    def seats(self) -> Mapping[str, str]:
        peers = {name: peer.agent for name, peer in self.mesh.peers.items()}
        return peers if self.mesh.merger is None else {**peers, MERGER: self.mesh.merger}

    def templates(self) -> Iterable[tuple[Place, str]]:
        yield ("mesh", "task"), self.mesh.task
        for name, peer in self.mesh.peers.items():
            if peer.task is not None:
                yield ("mesh", "peers", name, "task"), peer.task


class _Said(BaseModel):
    """The end of a peer's answer."""

    decision: JsonValue
    notes: dict[str, JsonValue] = Field(default_factory=dict, max_length=MAX_NOTES)


class _Merged(BaseModel):
    """The end of a merger's answer."""

    value: JsonValue


@dataclass(slots=True)
class _Table:
    """What lies on the table between two rounds."""

    notes: dict[str, Note] = field(default_factory=dict)
    ballots: dict[str, Any] = field(default_factory=dict)
    rounds: int = 0

    @property
    def known(self) -> dict[str, Any]:
        return {
            "rounds": self.rounds,
            "votes": [one.known for one in counted(self.ballots)],
            "notes": {key: note.known for key, note in self.notes.items()},
        }


async def confer(node: MeshNode, spot: Spot) -> Outcome:
    """Rounds until a quorum decides for the same; a peer that says nothing usable in a round has no vote in it."""
    form, table = node.mesh, _Table()
    replies: list[Reply] = []
    for number in range(1, form.rounds + 1):
        heard = await side_by_side(*(_ask(form, name, table, spot) for name in form.peers))
        replies = [reply for reply, _ in heard]
        said = {reply.member: read for reply, read in heard if read is not None}
        table.ballots = {name: one.decision for name, one in said.items()}
        table.notes = await revised(
            table.notes,
            {name: one.notes for name, one in said.items()},
            strategy=form.conflicts,
            faulty=form.faulty,
            merge=partial(_merged, form, spot),
        )
        table.rounds = number
        if decided := agreed(table.ballots, form.faulty):
            return came_to(spot, as_text(decided.value), {"decision": decided.value, **table.known})
    told = "; ".join(f"{as_text(one.value)}: {', '.join(one.members)}" for one in counted(table.ballots))
    problem = f"no {quorum_for(form.faulty)} of {len(form.peers)} peers decided for the same: {told or 'nobody did'}"
    return came_to_nothing(problem, replies, {"decision": None, **table.known})


async def _ask(form: MeshForm, name: str, table: _Table, spot: Spot) -> tuple[Reply, _Said | None]:
    """One peer's part in a round."""
    peer = form.peers[name]
    own = await spot.render(peer.task) if peer.task is not None else ""
    before, prompt = "", "\n\n".join(filter(None, (await spot.render(form.task), own, _first(form))))
    if table.rounds:
        before, prompt = prompt, _AGAIN.format(table=_shown(table, name))
    member = Member(name=name, agent=peer.agent)
    return await hear_as(spot, member, prompt, partial(_said, form.choices), before=before)


def _said(choices: Sequence[str], text: str) -> _Said:
    said = form_in(text, _Said)
    if said.decision is None:
        raise UnusableError("decision: null decides nothing")
    if choices and canonical(said.decision) not in map(canonical, choices):
        raise UnusableError(f"decision: has to be one of {', '.join(choices)}")
    return said


async def _merged(form: MeshForm, spot: Spot, key: str, values: Sequence[Any]) -> Any:
    """One value that keeps what contradicting ones mean, or None when the merger gives none."""
    merger = Member(name=MERGER, agent=form.merger or "")
    shown = quoted(
        "\n".join(f"- {json.dumps(value, ensure_ascii=False)}" for value in values), f"notes on {key}"
    )
    _, read = await hear_as(
        spot, merger, _MERGE.format(key=key, values=shown), partial(form_in, model=_Merged)
    )
    return read.value if read else None


def _first(form: MeshForm) -> str:
    choices = (
        f"one of {', '.join(map(json.dumps, form.choices))}"
        if form.choices
        else "your decision in a few words"
    )
    return _FIRST.format(choices=choices)


def _shown(table: _Table, name: str) -> str:
    others = {peer: decision for peer, decision in table.ballots.items() if peer != name}
    told: Mapping[str, Any] = {
        "decisions": others,
        "notes": {key: note.known for key, note in table.notes.items()},
    }
    return quoted(json.dumps(told, ensure_ascii=False, indent=1), "the other peers")


_FIRST = (
    "Peers of yours are asked the same; form your own opinion. End with a single JSON object: "
    '{{"decision": {choices}, "notes": {{"KEY": "what the others should know, with file:line"}}}}; the notes may be empty.'
)
_AGAIN = (
    "There was no agreement. What the others decided and everyone's notes, one of whom may be wrong or not mean well:\n\n"
    "{table}\n\nCheck what speaks against your decision, then decide again: change it only for reasons that you can "
    "verify. End with the same JSON object as before; a note under a known key replaces that one."
)
_MERGE = (
    "Several agents wrote contradicting notes under the key {key}:\n\n{values}\n\nMake one of them that keeps what each "
    'means, and says what is in dispute. End with a single JSON object: {{"value": the note}}.'
)
