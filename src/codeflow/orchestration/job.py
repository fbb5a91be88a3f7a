"""One task in work: what every pattern needs, and what it leaves behind for the result."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from codeflow.agents.crew import Crew, Visit
from codeflow.core.cascade import Escalated
from codeflow.core.errors import CodeflowError
from codeflow.core.events import Decided, Notice
from codeflow.core.ports import Emit
from codeflow.core.settings import Settings
from codeflow.core.values import Decide, Gate, GateResult, GateStatus, Mode, Plan, Route, Task, TaskKind
from codeflow.orchestration.briefs import debug_message, first_message, follow_up
from codeflow.orchestration.gates import Gates, red
from codeflow.orchestration.safety import Safety
from codeflow.orchestration.visits import Prompt, Visits
from codeflow.policies.faults import enough
from codeflow.sessions.past import Past

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Job:
    """Shared by the steps of a pattern; `plan`, `answer` and `gate_results` end up in the run's result."""

    task: Task
    route: Route
    facts: str
    crew: Crew
    gates: Gates
    settings: Settings
    emit: Emit
    safety: Safety
    past: Past
    decide: Decide | None
    not_as_said: tuple[str, ...] = ()
    """Files that are not as the session's conversation says any more."""
    plan: Plan | None = None
    answer: str = ""
    gate_results: tuple[GateResult, ...] = ()
    outputs: dict[str, Any] | None = None
    helpers: dict[str, bool] = field(default_factory=dict)
    """Node -> whether its last visit went well, of those that the work does not depend on."""
    writer: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the one node that may change the work tree."""
    is_unchecked: bool = False
    """Whether something may have changed since all gates ran."""
    escalations: list[Escalated] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    """Agents that the work depends on, whose last visit a person chose to go on without."""

    @property
    def visits(self) -> Visits:
        return Visits(
            crew=self.crew,
            faults=self.settings.faults,
            emit=self.emit,
            decide=self.decide,
            past=self.past,
        )

    def first_message(self, agent: str) -> str:
        """What a specialist is told first: everything, or only the task when the session goes on."""
        if self.crew.knows(agent):
            return follow_up(self.task.text, self.gates.baseline.values(), self.not_as_said)
        return first_message(
            self.task.text,
            self.facts,
            self.gates.baseline.values(),
            self.past.exchanges,
            not_as_said=self.not_as_said,
        )

    def next_message(self, text: str) -> Prompt:
        """What the specialist at work is told next; one that takes over and knows nothing of it, the task before.

        Without a text it is the task alone.
        """

        def words(agent: str) -> str:
            if text and self.crew.knows(agent):
                return text
            return "\n\n".join(filter(None, (self.first_message(agent), text)))

        return words

    def once(self, question: str, look: Callable[[], T]) -> T:
        """What a look at the world shows, the first time: the tree may differ when a resumed run comes by again.

        The answer is logged, so it has to be JSON.
        """
        known = self.past.run.decided[question]
        return cast("T", known.popleft()) if known else self._decided(question, look())

    async def once_done(self, question: str, do: Callable[[], Awaitable[T]]) -> T:
        """What came of something, done once; otherwise like `once`."""
        known = self.past.run.decided[question]
        return cast("T", known.popleft()) if known else self._decided(question, await do())

    def _decided(self, question: str, answer: T) -> T:
        self.emit(Decided(question=question, answer=answer))
        return answer

    async def visit(self, agent: str, prompt: Prompt, *, node: str) -> Visit:
        """A visit whose text becomes the run's answer when it went well."""
        visit = await self.visits.make(agent, prompt, node=node)
        if visit.ok:
            self.answer = visit.text
        (self.skipped.add if visit.skipped else self.skipped.discard)(agent)
        return visit

    async def visit_optional(self, agent: str, prompt: Prompt, *, node: str) -> Visit:
        """A visit that the work does not depend on; whether the run does, the node's policy says.

        Raises:
            CodeflowError: the node is required and did not finish, or whoever comes next would not get further.
        """
        visit = await self.visits.make(agent, prompt, node=node, dispensable=True)
        if not visit.ok and self.settings.faults.of(node).required:
            raise CodeflowError(
                f"{agent} did not finish: {visit.text}", hint=f"faults.nodes.{node} requires it."
            )
        self.helpers[node] = visit.ok
        return visit

    def unproven(self) -> str | None:
        """None when every agent that the work depends on finished, or a gate that ran accepts what there is."""
        if not self.skipped or any(gate.status is GateStatus.GREEN for gate in self.gate_results):
            return None
        return f"{', '.join(sorted(self.skipped))} did not finish, and no gate shows that the task is done"

    def missing_helpers(self) -> str | None:
        """None when enough of the agents that the work does not depend on have finished."""
        done, asked = sum(self.helpers.values()), len(self.helpers)
        if enough(done, asked, self.settings.faults.minimum_completion):
            return None
        failed = ", ".join(node for node, ok in self.helpers.items() if not ok)
        return f"{done} of {asked} agents finished beside the coder, too few for faults.minimum_completion: {failed} did not"

    async def check(self, extra: Iterable[Gate] = ()) -> bool:
        """Run the gates; whether nothing stands in the way."""
        if self.task.mode is Mode.PLAN:
            return True
        if self.route.kind is TaskKind.QUESTION:
            diff = await self.current_diff()
            if not self.once("has the tree changed", lambda: bool(diff)):
                return True
        await self.took(await self.gates.run(extra))
        return not red(self.gate_results)

    async def took(self, results: Iterable[GateResult]) -> None:
        """Take note of what gates showed, in place of what the same ones showed before, and save the tree."""
        latest = {result.name: result for result in results}
        kept = () if latest.keys() >= {gate.name for gate in self.gates.gates} else self.gate_results
        self.is_unchecked = self.is_unchecked and bool(kept)
        self.gate_results = (*(old for old in kept if old.name not in latest), *latest.values())
        await self.safety.mark("red gates" if red(self.gate_results) else "green gates")

    async def debug(self) -> bool:
        """Hand the red gates to the debugger; whether it finished its visit."""
        return (await self.visit("debugger", await self.handover(), node="debugger")).ok

    async def handover(self, unfinished: str = "") -> str:
        """What whoever takes over is told: task, diff and failing output, and why the last visit was `unfinished`."""
        diff = await self.current_diff()
        return debug_message(self.task.text, self.facts, diff, red(self.gate_results), unfinished)

    def escalate(self, from_agent: str, to_agent: str, reason: str) -> None:
        """Tell that the task goes to another specialist; a resumed run that comes by again tells nothing new."""
        known = self.past.run.escalated
        told = known.popleft() if known else None
        event = Escalated(from_agent=from_agent, to_agent=to_agent, reason=reason)
        self.escalations.append(event)
        if told is None or (told.from_agent, told.to_agent) != (from_agent, to_agent):
            self.emit(event)

    async def current_diff(self) -> str:
        """The patch since the checkpoint; empty when nothing changed or nothing can be compared."""
        return (await self.safety.changes())[1]

    def warn(self, text: str) -> None:
        self.emit(Notice(level="warning", text=text))
