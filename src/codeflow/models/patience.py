"""How often a model is tried again, and how long an agent waits before it."""

import random
from collections.abc import Sequence

from codeflow.core.errors import ModelError
from codeflow.core.reliability import FaultPolicy
from codeflow.models.faults import Fault

FIRST_WAIT_S = 2.0
_PROBE_POLL_S = 1.0
"""How often an agent without another model looks whether somebody else's probe of its model has ended."""


def allows_retry(policy: FaultPolicy, failures: Sequence[Fault]) -> bool:
    """Whether the same model gets the request again after these failures of it, last one last."""
    last = failures[-1]
    if last.retry == "never" or len(failures) >= policy.max_attempts:
        return False
    return last.retry == "backoff" or [failure.outcome for failure in failures].count(last.outcome) == 1


def retry_wait_s(policy: FaultPolicy, failures: Sequence[Fault]) -> float:
    """Exponential with full jitter, so that parallel agents do not come back together, but not before the service
    asked for.
    """
    longest = min(policy.max_wait_s, FIRST_WAIT_S * 2 ** (len(failures) - 1))
    jittered = random.uniform(0, longest)  # noqa: S311 — jitter, not a secret
    return min(policy.max_wait_s, max(jittered, failures[-1].retry_after_s))


def breaker_wait_s(policy: FaultPolicy, left_alone_s: float | None, model: str) -> float:
    """The next pause of an agent whose only model's circuit is open for so long; None: a probe is under way.

    Raises:
        ModelError: it is left alone for longer than a retry may wait.
    """
    if left_alone_s is None:
        return _PROBE_POLL_S
    if left_alone_s > policy.max_wait_s:
        raise ModelError(
            f"{model} kept failing and is left alone for {left_alone_s:.0f} s, longer than faults.max_wait_s; "
            "no other model is left to ask",
            hint="Try again later, or add a fallback model to the role.",
        )
    return left_alone_s
