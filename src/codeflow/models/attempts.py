"""What the guarded model keeps of one call while it tries: the request, the failures, the clocks, the stop signal."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from strands.types.content import Messages
from strands.types.streaming import StreamEvent
from strands.types.tools import ToolSpec

from codeflow.core.events import ModelRetried
from codeflow.core.reliability import FaultPolicy
from codeflow.core.values import Cost, Usage
from codeflow.models.catalogue import Catalogue, ModelSpec
from codeflow.models.faults import Fault, Outcome
from codeflow.models.pricing import price
from codeflow.models.replies import Answer


@dataclass(slots=True, kw_only=True)
class Step:
    """One call as Strands asks for it, through all its attempts."""

    messages: Messages
    tool_specs: list[ToolSpec] | None
    options: dict[str, Any]
    cancel_signal: threading.Event | None
    prompt_tokens: int
    attempt: int = 0
    failures: list[Fault] = field(default_factory=list)
    """Of the current model only."""
    renewed: bool = False
    told: ModelRetried | None = None
    """The last retry that was made known."""

    @property
    def cancelled(self) -> bool:
        return self.cancel_signal is not None and self.cancel_signal.is_set()

    @property
    def truncated(self) -> bool:
        return any(failure.outcome is Outcome.TRUNCATED for failure in self.failures)


class Stop(threading.Event):
    """Set when the caller's signal is, or when the attempt is abandoned: the provider's thread looks at it."""

    def __init__(self, outer: threading.Event | None) -> None:
        super().__init__()
        self._outer = outer

    def is_set(self) -> bool:
        return super().is_set() or (self._outer is not None and self._outer.is_set())


class Meter:
    """Times one attempt while its answer arrives."""

    def __init__(self, clock: Callable[[], float], answer: Answer) -> None:
        self._clock = clock
        self._started = clock()
        self.answer = answer
        self.sent = False
        self.first_token_s: float | None = None

    def elapsed_s(self) -> float:
        return self._clock() - self._started

    def add(self, event: StreamEvent) -> str:
        if self.first_token_s is None and ("contentBlockDelta" in event or "contentBlockStart" in event):
            self.first_token_s = self.elapsed_s()
        return self.answer.add(event)


class TryLimit:
    """The time limits of one attempt, on the loop's clock: until the first token, and for the whole.

    Raises:
        TimeoutError: saying which one was broken.
    """

    def __init__(self, policy: FaultPolicy) -> None:
        self._policy = policy
        self._started = asyncio.get_running_loop().time()
        self._heard = False
        self._timeout = asyncio.timeout_at(self._at(policy.first_token_timeout_s, policy.call_timeout_s))

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as expired:
            raise TimeoutError(str(self)) from expired

    def heard(self) -> None:
        """The first token has come: from now on only the whole counts."""
        if not self._heard:
            self._heard = True
            self._timeout.reschedule(self._at(self._policy.call_timeout_s))

    def __str__(self) -> str:
        """Which limit the attempt broke."""
        first, whole = self._policy.first_token_timeout_s, self._policy.call_timeout_s
        if not self._heard and first is not None and (whole is None or first <= whole):
            return f"no token within {first:g} s"
        return f"not finished within {whole:g} s"

    def _at(self, *limits_s: float | None) -> float | None:
        return min((self._started + limit for limit in limits_s if limit is not None), default=None)


async def listen(
    events: AsyncGenerator[StreamEvent, None],
    *,
    stop: Stop,
    meter: Meter,
    policy: FaultPolicy,
    say: Callable[[str], None],
) -> None:
    """Fill the meter's answer from a stream, saying its text as it comes.

    Raises:
        TimeoutError: the stream took longer than the policy allows.
    """
    async with TryLimit(policy) as limit, contextlib.aclosing(_until(stop, events)) as heard:
        async for event in heard:
            text = meter.add(event)
            if meter.first_token_s is not None:
                limit.heard()
            if text:
                say(text)


async def _until(stop: Stop, events: AsyncGenerator[StreamEvent, None]) -> AsyncGenerator[StreamEvent, None]:
    """The events up to the stop signal; whoever leaves early sets it, so that Strands' reader thread ends too."""
    try:
        async for event in events:
            if stop.is_set():
                return
            yield event
    finally:
        stop.set()
        await events.aclose()


def bill(
    meter: Meter, failed: Fault | None, spec: ModelSpec, catalogue: Catalogue
) -> tuple[Usage | None, Cost]:
    """Usage and cost of an attempt with `spec`; nothing at all when it was not sent, or refused before any event."""
    answer = meter.answer
    if failed and not answer.events and not (failed.billable and meter.sent):
        return Usage(), Decimal(0)
    invoked = catalogue.find(answer.invoked_model) if answer.invoked_model else spec
    if answer.usage is None or invoked is None:
        return answer.usage, None
    tier = answer.service_tier or spec.service_tier or "default"
    return answer.usage, price(invoked, answer.usage, tier=tier)
