"""What the guarded model keeps of one call while it tries: the request, the failures, the clock, the stop signal."""

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from strands.types.content import Messages
from strands.types.streaming import StreamEvent
from strands.types.tools import ToolSpec

from codeflow.models.faults import Fault, Outcome
from codeflow.models.replies import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How patiently one model is tried: attempts of one step, longest wait, first wait in seconds."""

    max_attempts: int
    max_wait_s: float
    first_wait_s: float = 2.0

    def allows(self, failures: Sequence[Fault]) -> bool:
        """Whether the same model gets the request again after these failures of it, last one last."""
        last = failures[-1]
        if last.retry == "never" or len(failures) >= self.max_attempts:
            return False
        return last.retry == "backoff" or [failure.outcome for failure in failures].count(last.outcome) == 1

    def wait_s(self, failures: int) -> float:
        """Exponential with full jitter, so that parallel agents do not come back together."""
        longest = min(self.max_wait_s, self.first_wait_s * 2 ** (failures - 1))
        return random.uniform(0, longest)  # noqa: S311 — jitter, not a secret


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
