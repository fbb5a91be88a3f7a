"""Circuit breakers: a model that keeps failing is left alone for a while, by every agent of the run at once.

Own code rather than pybreaker or purgatory: those read the wall clock, which jumps, and wrap a call, while a guarded
model has to ask beforehand whether another model is the better choice (docs/decisions/003).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from codeflow.core.reliability import BreakerPolicy
from codeflow.models.faults import Fault, Outcome

State = Literal["closed", "open", "half_open"]
Key = tuple[str, str]
"""A model id and its region; an empty region is the run's own."""

COUNTED = frozenset(
    {
        Outcome.THROTTLED,
        Outcome.UNAVAILABLE,
        Outcome.TIMEOUT,
        Outcome.STREAM_CUT,
        Outcome.MODEL_ERROR,
        Outcome.QUOTA,
    }
)
"""Failures of the service. A refused request or a malformed answer says nothing about the next agent's call."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """One model in one region. `opened_at` is a time of the breaker's clock, None while closed."""

    failures: int = 0
    opened_at: float | None = None
    probed: bool = False
    """Half open: one call is under way to see whether the model answers again."""

    @property
    def state(self) -> State:
        if self.opened_at is None:
            return "closed"
        return "half_open" if self.probed else "open"


def wait_s(circuit: Circuit, now: float, policy: BreakerPolicy) -> float | None:
    """Seconds until a call may be made; 0 at once, None when somebody else's probe decides it."""
    if circuit.opened_at is None:
        return 0.0
    if circuit.probed:
        return None
    return max(0.0, circuit.opened_at + policy.cool_down_s - now)


def after_admission(circuit: Circuit) -> Circuit:
    """A call goes out: through an open circuit it is the probe."""
    return circuit if circuit.opened_at is None else replace(circuit, probed=True)


def after_failure(circuit: Circuit, now: float, policy: BreakerPolicy) -> Circuit:
    """Opens at the threshold; a failed probe, or a late failure of an open circuit, starts the cool-down again."""
    failures = circuit.failures + 1
    opens = circuit.opened_at is not None or failures >= policy.threshold
    return Circuit(failures=failures, opened_at=now if opens else None)


def after_no_verdict(circuit: Circuit) -> Circuit:
    """The call told nothing about the service, so a probe that ended so is somebody else's turn."""
    return replace(circuit, probed=False)


Changed = Callable[[State, str, float], None]
"""Told about a new state with the reason and the cool-down in seconds."""


@dataclass(slots=True)
class Breakers:
    """The circuits of one run. They live as long as the run, on a clock that never jumps."""

    policy: BreakerPolicy
    clock: Callable[[], float] = time.monotonic
    _circuits: dict[Key, Circuit] = field(default_factory=dict)

    def wait_s(self, key: Key) -> float | None:
        """Seconds until a call may be made; 0 at once, None when another agent's probe decides it."""
        return wait_s(self._circuit(key), self.clock(), self.policy)

    def admit(self, key: Key, changed: Changed) -> None:
        """A call is about to be made; only after `wait_s` said 0."""
        self._become(key, after_admission(self._circuit(key)), "the cool-down is over", changed)

    def settle(self, key: Key, failed: Fault | None, changed: Changed) -> None:
        """A call ended: `failed` says how, None that it succeeded."""
        circuit = self._circuit(key)
        if failed is None:
            self._become(key, Circuit(), "the model answers again", changed)
        elif failed.outcome in COUNTED:
            next_one = after_failure(circuit, self.clock(), self.policy)
            self._become(
                key, next_one, f"{next_one.failures} failures in a row, {failed.outcome} last", changed
            )
        else:
            self._become(key, after_no_verdict(circuit), "the probe told nothing", changed)

    def _circuit(self, key: Key) -> Circuit:
        return self._circuits.get(key, Circuit())

    def _become(self, key: Key, circuit: Circuit, reason: str, changed: Changed) -> None:
        before, self._circuits[key] = self._circuit(key).state, circuit
        if circuit.state != before:
            changed(circuit.state, reason, self.policy.cool_down_s if circuit.state == "open" else 0.0)
