"""One task in work: what every pattern needs, and what it leaves behind for the result."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar, cast

from codeflow.agents.crew import Crew, Visit
from codeflow.core.errors import ModelAccessError, ModelError
from codeflow.core.events import Decided, Notice
from codeflow.core.ports import Emit
from codeflow.core.settings import Settings
from codeflow.core.values import Gate, GateResult, Mode, Plan, Route, Task, TaskKind
from codeflow.orchestration.briefs import debug_message, first_message, follow_up
from codeflow.orchestration.gates import Gates, red
from codeflow.orchestration.safety import Safety
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
    plan: Plan | None = None
    answer: str = ""
    gate_results: tuple[GateResult, ...] = ()

    def first_message(self, agent: str) -> str:
        """What a specialist is told first: everything, or only the task when the session goes on."""
        if self.crew.knows(agent):
            return follow_up(self.task.text, self.gates.baseline.values())
        return first_message(self.task.text, self.facts, self.gates.baseline.values(), self.past.exchanges)

    def once(self, question: str, look: Callable[[], T]) -> T:
        """What a look at the world shows, the first time: the tree may differ when a resumed run comes by again.

        The answer is logged, so it has to be JSON.
        """
        known = self.past.run.decided[question]
        if known:
            return cast("T", known.popleft())
        answer = look()
        self.emit(Decided(question=question, answer=answer))
        return answer

    async def visit(self, agent: str, prompt: str, *, node: str) -> Visit:
        """A visit whose text becomes the run's answer when it went well."""
        visit = await self.crew.visit(agent, prompt, node=node)
        if visit.ok:
            self.answer = visit.text
        return visit

    async def visit_optional(self, agent: str, prompt: str, *, node: str) -> Visit:
        """A visit that the run can do without: a failure is said, and the run goes on.

        Missing credentials end it all the same: whoever comes next would not get further.
        """
        try:
            visit = await self.crew.visit(agent, prompt, node=node)
        except ModelAccessError:
            raise
        except ModelError as error:
            visit = Visit(ok=False, text=str(error))
        if not visit.ok:
            self.warn(f"{agent} did not finish ({visit.text}); the run goes on without it")
        return visit

    async def check(self, extra: Iterable[Gate] = ()) -> bool:
        """Run the gates; whether nothing stands in the way."""
        if self.task.mode is Mode.PLAN:
            return True
        if self.route.kind is TaskKind.QUESTION:
            diff = await self.current_diff()
            if not self.once("has the tree changed", lambda: bool(diff)):
                return True
        self.gate_results = await self.gates.run(extra)
        await self.safety.mark("red gates" if red(self.gate_results) else "green gates")
        return not red(self.gate_results)

    async def debug(self) -> bool:
        """Hand the red gates to the debugger; whether it finished its visit."""
        diff = await self.current_diff()
        prompt = debug_message(self.task.text, self.facts, diff, red(self.gate_results))
        return (await self.visit("debugger", prompt, node="debugger")).ok

    async def current_diff(self) -> str:
        """The patch since the checkpoint; empty when nothing changed or nothing can be compared."""
        return (await self.safety.changes())[1]

    def warn(self, text: str) -> None:
        self.emit(Notice(level="warning", text=text))
