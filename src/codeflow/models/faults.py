"""What went wrong with a model call, told apart so that each kind gets its own treatment."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from codeflow.core.errors import (
    BadReplyError,
    ContextOverflowError,
    CredentialsError,
    ModelAccessError,
    ModelError,
)
from codeflow.core.values import Status


class Outcome(StrEnum):
    """How one attempt at a model call ended."""

    OK = "ok"
    CANCELLED = "cancelled"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    MODEL_ERROR = "model_error"
    STREAM_CUT = "stream_cut"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    OVERFLOW = "overflow"
    QUOTA = "quota"
    CREDENTIALS = "credentials"
    ACCESS = "access"
    VALIDATION = "validation"
    INTERNAL = "internal"


class RequestRefusedError(ModelError):
    """The service calls the request invalid; sending it again cannot help."""

    status = Status.FAILED


Retry = Literal["backoff", "once", "never"]
"""Of the same request to the same model: until the policy's attempts are used up, one time, not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A failed attempt. `fallback` tells whether another model may succeed.

    `billable` is False when the service cannot have generated, hence billed, anything; `retry_after_s` is the pause
    that it asked for.
    """

    outcome: Outcome
    retry: Retry
    fallback: bool
    message: str
    hint: str = ""
    billable: bool = True
    retry_after_s: float = 0.0
    cause: BaseException | None = None


@dataclass(frozen=True, slots=True)
class _Treatment:
    retry: Retry
    fallback: bool
    error: type[ModelError]
    hint: str


_TREATMENTS = {
    Outcome.CANCELLED: _Treatment("never", False, ModelError, ""),
    Outcome.THROTTLED: _Treatment(
        "backoff",
        True,
        ModelError,
        "Try again later, add a fallback model to the role, or ask for more tokens per minute in Service Quotas.",
    ),
    Outcome.UNAVAILABLE: _Treatment(
        "backoff", True, ModelError, "Check the network and health.aws.amazon.com, then try again."
    ),
    Outcome.TIMEOUT: _Treatment(
        "backoff",
        True,
        ModelError,
        "Try again, or raise faults.first_token_timeout_s, faults.call_timeout_s or models.read_timeout_s.",
    ),
    Outcome.MODEL_ERROR: _Treatment(
        "once", True, ModelError, "Try again, or give the role another model with --model ROLE=ID."
    ),
    Outcome.STREAM_CUT: _Treatment("backoff", True, ModelError, "Check the network, then try again."),
    Outcome.MALFORMED: _Treatment(
        "once", True, BadReplyError, "Give the role another model with --model ROLE=ID."
    ),
    Outcome.TRUNCATED: _Treatment(
        "once",
        True,
        BadReplyError,
        "Ask for less at once, or give the role a model with a longer output with --model ROLE=ID.",
    ),
    Outcome.OVERFLOW: _Treatment(
        "never", False, ContextOverflowError, "Start a new session, or use a model with a larger context."
    ),
    Outcome.QUOTA: _Treatment("backoff", True, ModelError, "Ask for a higher limit in AWS Service Quotas."),
    Outcome.CREDENTIALS: _Treatment("never", False, CredentialsError, "Run `codeflow doctor`."),
    Outcome.ACCESS: _Treatment("never", True, ModelAccessError, "Run `codeflow doctor`."),
    Outcome.VALIDATION: _Treatment(
        "never",
        False,
        RequestRefusedError,
        "Please report this with the session's log: the request was ours.",
    ),
    Outcome.INTERNAL: _Treatment("never", False, ModelError, ""),
}


def fault(
    outcome: Outcome,
    message: str,
    *,
    hint: str = "",
    fallback: bool | None = None,
    billable: bool = True,
    retry_after_s: float = 0.0,
    cause: BaseException | None = None,
) -> Fault:
    """A fault with the usual treatment of its outcome."""
    treatment = _TREATMENTS[outcome]
    return Fault(
        outcome=outcome,
        retry=treatment.retry,
        fallback=treatment.fallback if fallback is None else fallback,
        message=message,
        hint=hint or treatment.hint,
        billable=billable,
        retry_after_s=retry_after_s,
        cause=cause,
    )


def to_error(failed: Fault) -> ModelError:
    """The error that ends a run once nothing is left to try."""
    return _TREATMENTS[failed.outcome].error(failed.message, hint=failed.hint)
