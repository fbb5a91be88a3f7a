"""Where a workflow's node stands in a run, and what comes of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from codeflow.core.errors import CodeflowError, CredentialsError, ModelError, NodeBudgetError, RunawayError
from codeflow.core.messages import Topic
from codeflow.core.values import LOOKING
from codeflow.orchestration.briefs import node_message
from codeflow.orchestration.workflows.expressions import placeholders, rendered, roots
from codeflow.tools.registry import TOOLS

if TYPE_CHECKING:  # the form of workflow files, which needs this, is read without an agent
    from codeflow.agents.crew import Visit
    from codeflow.orchestration.job import Job

NodeStatus = Literal["done", "failed", "green", "red", "unchecked", "approved", "refused"]
"""`unchecked`: no gate ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a node; expressions see its status, text and result."""

    ok: bool
    status: NodeStatus
    text: str = ""
    result: Any = None
    fault: CodeflowError | None = None
    """What made it fail, where that is known; it decides how the run ends."""

    @property
    def known(self) -> dict[str, Any]:
        return {"status": self.status, "text": self.text, "result": self.result}


def failed(text: str) -> Outcome:
    return Outcome(ok=False, status="failed", text=text)


def is_the_nodes_own(error: CodeflowError) -> bool:
    """Whether a fault leaves the rest of the run able to go on."""
    own = isinstance(error, ModelError | RunawayError | NodeBudgetError)
    return own and not isinstance(error, CredentialsError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A node in one round: its path through nested workflows, and what expressions may look at."""

    job: "Job"
    path: str
    visit: int
    required: bool
    known: Mapping[str, Any]
    subscribes: tuple[Topic, ...] = ()
    """What its agents are told of besides what they subscribe to themselves."""
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(8))
    """How many nodes may be at work."""

    async def render(self, template: str) -> str:
        return rendered(template, await self.seen(template))

    async def seen(self, *templates: str) -> Mapping[str, Any]:
        """What is known, with the diff of the run where a text asks for it."""
        names = {name for text in templates for one in placeholders(text) for name in roots(one)}
        if "diff" not in names:
            return self.known
        return {**self.known, "diff": await self.job.current_diff()}

    @contextlib.asynccontextmanager
    async def at_work(self, *, writes: bool) -> AsyncIterator[None]:
        """Its turn: one that may change something has the work tree to itself, apart from those who only read."""
        async with self.job.writer if writes else contextlib.nullcontext(), self.room:
            yield

    async def ask(
        self, agent: str, prompt: str, *, seat: str = "", reads_only: bool = False, before: str = ""
    ) -> "Visit":
        """A visit of this node by a specialist; `seat` is the place's name where a node has several of them.

        `before` is what was said there earlier, without which the prompt means nothing to somebody who takes over.
        """
        seat = f"{agent}@{seat or self.path}"
        job = self.job

        def words(seat: str) -> str:
            if job.crew.knows(seat):
                return prompt
            return node_message(job.task.text, job.facts, "\n\n".join(filter(None, (before, prompt))))

        writes = not reads_only and self._can_write(agent)
        async with self.at_work(writes=writes):
            self.job.is_unchecked |= writes
            return await self.job.visits.make(
                agent,
                words,
                node=self.path,
                dispensable=not self.required,
                seat=seat,
                reads_only=reads_only,
                subscribes=self.subscribes,
            )

    def _can_write(self, agent: str) -> bool:
        specialist = self.job.crew.specialists[agent]
        return any(TOOLS[name].effect not in LOOKING for name in specialist.tools)
