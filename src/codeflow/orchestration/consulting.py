"""Advice for the specialists of a run: a bounded number of questions, each with a digest of where the work stands."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from codeflow.core.consulting import CONSULTANT, Excerpt
from codeflow.core.errors import CodeflowError
from codeflow.core.events import ModelCalled
from codeflow.core.settings import ConsultSettings
from codeflow.core.values import Complexity
from codeflow.orchestration.briefs import consult_message
from codeflow.orchestration.gates import red
from codeflow.orchestration.job import Job
from codeflow.sessions.past import LastRun

Ask = Callable[[str], Awaitable[str]]
"""One call of the adviser's model."""


@dataclass(slots=True, kw_only=True)
class Consultations:
    """What the tools of a run ask; the engine hands in its job when the work begins."""

    adviser: Callable[[Complexity], Ask]
    settings: ConsultSettings
    one_writer: asyncio.Lock
    """Held while the tree is compared, for a command must not run meanwhile."""
    asked: int
    """Questions of this run so far, those of earlier processes included."""
    job: Job | None = None
    _ask: Ask | None = None
    _free: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self, question: str, excerpts: Sequence[Excerpt]) -> str:
        """The answer to a question of a specialist.

        Raises:
            BudgetExceededError, CredentialsError: the run cannot go on either.
            CodeflowError: there is no answer: none is left in this run, or the model failed.
        """
        job = self.job
        if job is None:
            raise CodeflowError("no task has begun")
        async with self._free:
            if self.asked >= self.settings.most:
                raise CodeflowError(f"the {self.settings.most} questions of this run have been asked")
            self._ask = self._ask or self.adviser(job.route.complexity)
            async with self.one_writer:
                diff = await job.current_diff()
            message = consult_message(
                task=job.task.text,
                plan=job.plan,
                diff=diff,
                failing=red(job.gate_results or tuple(job.gates.baseline.values())),
                excerpts=excerpts,
                question=question,
                tokens=self.settings.digest_tokens,
            )
            self.asked += 1
            return await self._ask(message)


def asked_before(run: LastRun) -> int:
    """How many questions of a run were answered, or failed, before this process; one that was cut short is asked again."""
    ended = (event for event in run.metered if isinstance(event, ModelCalled) and event.agent == CONSULTANT)
    return len({event.step for event in ended if event.outcome not in ("lost", "cancelled")})
