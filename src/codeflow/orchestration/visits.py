"""A node's visit under its fault policy: another specialist takes over, the run goes on without, or a person decides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from codeflow.agents.crew import Crew, Visit
from codeflow.core.errors import CredentialsError, DecisionNeededError, ModelError
from codeflow.core.events import Decided, Notice
from codeflow.core.messages import Topic
from codeflow.core.ports import Emit
from codeflow.core.reliability import FaultSettings
from codeflow.core.values import Choice, Decide, FailedVisit, Status
from codeflow.orchestration.briefs import takeover_message
from codeflow.policies.faults import Move, next_move
from codeflow.sessions.past import Past

Prompt = str | Callable[[str], str]
"""What is said at a visit; a function says it to whoever sits in a seat, who may have to be told more than others."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Who is visited where."""

    agent: str
    node: str
    seat: str
    reads_only: bool
    instead_of: str
    subscribes: Sequence[Topic]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """Makes the visits of one run; `decide` is None where nobody can be asked."""

    crew: Crew
    faults: FaultSettings
    emit: Emit
    decide: Decide | None
    past: Past

    async def make(
        self,
        agent: str,
        prompt: Prompt,
        *,
        node: str,
        dispensable: bool = False,
        seat: str = "",
        reads_only: bool = False,
        subscribes: Sequence[Topic] = (),
    ) -> Visit:
        """One visit, and what its node's policy makes of a failure; `dispensable`: the pattern goes on without it.

        `seat`, `reads_only` and `subscribes` are the crew's; whoever takes over has a seat of its own beside it.

        Raises:
            ModelError: the failure of a required agent that nobody takes over.
            DecisionNeededError: a person has to decide, and none is there.
        """
        policy = self.faults.of(node)
        own = seat or agent
        who, there = agent, own
        message = begun = _said_to(own, prompt)
        while True:
            visit, error = await self._try(_Place(who, node, there, reads_only, agent, subscribes), message)
            if visit.ok:
                return visit
            hopeless = isinstance(error, CredentialsError)
            match next_move(policy, agent=who, dispensable=dispensable, hopeless=hopeless):
                case Move.HAND_OVER:
                    self._tell(f"{who} did not finish ({visit.text}); {policy.fallback_agent} takes over")
                    successor = policy.fallback_agent
                    there = f"{seat}+{successor}" if seat else successor
                    message = takeover_message(_said_to(there, prompt), who, visit.text, visit.said)
                    who = successor
                case Move.GO_ON:
                    self._tell(f"{who} did not finish ({visit.text}); the run goes on without it")
                    return visit
                case Move.ASK if (choice := await self._ask(who, node, visit, error)) is not Choice.STOP:
                    self._tell(f"{who} did not finish ({visit.text}); you chose to {choice}")
                    if choice is Choice.SKIP:
                        return Visit(ok=True, text=visit.said, skipped=True)
                    who, there, message = agent, own, begun
                case _:
                    return _ended(visit, error)

    async def _try(self, place: "_Place", prompt: str) -> tuple[Visit, ModelError | None]:
        try:
            visit = await self.crew.visit(
                place.agent,
                prompt,
                node=place.node,
                seat=place.seat,
                reads_only=place.reads_only,
                instead_of=place.instead_of,
                subscribes=place.subscribes,
            )
        except ModelError as error:
            said = self.crew.last_words(place.seat)
            return Visit(ok=False, text=str(error), said=said), error
        return visit, None

    async def _ask(self, agent: str, node: str, visit: Visit, error: ModelError | None) -> Choice:
        """The person's choice; one that is in the log of a resumed run is not asked for again."""
        question = f"how to go on without {agent} at {node}"
        known = self.past.run.decided[question]
        if known:
            return Choice(known.popleft())
        if self.decide is None:
            _refer(agent, visit, error)
        hint = error.hint if error else ""
        choice = await self.decide(FailedVisit(agent=agent, node=node, problem=visit.text, hint=hint))
        self.emit(Decided(question=question, answer=choice.value))
        return choice

    def _tell(self, text: str) -> None:
        self.emit(Notice(level="warning", text=text))


def _said_to(seat: str, prompt: Prompt) -> str:
    return prompt if isinstance(prompt, str) else prompt(seat)


def _refer(agent: str, visit: Visit, error: ModelError | None) -> NoReturn:
    hint = (
        "Run it again in a terminal to choose between retry, skip and stop, or set faults.on_failure to stop."
    )
    raise DecisionNeededError(
        f"{agent} did not finish, and nobody is here to decide how to go on: {visit.text}",
        hint=f"{error.hint} {hint}" if error else hint,
        status=error.status if error else Status.FAILED,
    ) from error


def _ended(visit: Visit, error: ModelError | None) -> Visit:
    if error is not None:
        raise error
    return visit
