"""What the rooms hand each other to call: where events go, and what is asked before a step."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from codeflow.core.events import Event
from codeflow.core.redacted_events import redacted
from codeflow.core.values import CallEstimate

Emit = Callable[[Event], None]
"""Called once per event, in order, on the event loop's thread; must not block and must not raise."""


@dataclass(slots=True)
class Broadcast:
    """Hands every event to each consumer in turn; the session log comes first, so nothing is shown unlogged."""

    consumers: list[Emit] = field(default_factory=list)
    redact: Callable[[str], str] = str
    """Takes credentials out of every text before any consumer gets it."""

    def __call__(self, event: Event) -> None:
        event = redacted(event, self.redact)
        for consumer in self.consumers:
            consumer(event)


Barrier = Callable[[], Awaitable[None]]
"""Awaited before each model call and each tool that may change something: every event so far is safe.

Raises SessionError when it is not, so that nothing happens which the session's log could not tell."""


async def no_barrier() -> None:
    """For work that has no session."""


Admit = Callable[[CallEstimate], int]
"""Asked before every attempt; returns how many output tokens it may use, or raises BudgetExceededError."""


class Closable(Protocol):
    """What is released when a run is over: the session's lock, the ledger's connection."""

    def close(self) -> None: ...


class Lifeline(Protocol):
    """The log of a session, where a run leaves signs of life and finds the last one of the process before it."""

    session_id: str
    ended_at: float | None

    def beat(self) -> None: ...
