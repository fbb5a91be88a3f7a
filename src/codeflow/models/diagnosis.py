"""From a vendor's exception to a fault, and to the cure where the user has one."""

import asyncio
import re

import urllib3.exceptions as http
from botocore import eventstream
from botocore import exceptions as boto
from botocore.eventstream import ParserError
from strands.types.exceptions import ContextWindowOverflowException, ModelThrottledException

from codeflow.models.catalogue import ModelSpec
from codeflow.models.faults import Fault, Outcome, fault

_MESSAGE_CHARS = 400

_CODES = {
    "throttlingexception": Outcome.THROTTLED,
    "toomanyrequestsexception": Outcome.THROTTLED,
    "servicequotaexceededexception": Outcome.QUOTA,
    "modelnotreadyexception": Outcome.UNAVAILABLE,
    "conflictexception": Outcome.UNAVAILABLE,
    "serviceunavailableexception": Outcome.UNAVAILABLE,
    "internalserverexception": Outcome.UNAVAILABLE,
    "modeltimeoutexception": Outcome.TIMEOUT,
    "modelerrorexception": Outcome.MODEL_ERROR,
    "modelstreamerrorexception": Outcome.STREAM_CUT,
    "validationexception": Outcome.VALIDATION,
    "resourcenotfoundexception": Outcome.ACCESS,
    "accessdeniedexception": Outcome.ACCESS,
    "expiredtokenexception": Outcome.CREDENTIALS,
    "expiredtoken": Outcome.CREDENTIALS,
    "requestexpired": Outcome.CREDENTIALS,
    "unrecognizedclientexception": Outcome.CREDENTIALS,
    "invalidclienttokenid": Outcome.CREDENTIALS,
    "invalidsignatureexception": Outcome.CREDENTIALS,
    "signaturedoesnotmatch": Outcome.CREDENTIALS,
    "incompletesignature": Outcome.CREDENTIALS,
    "missingauthenticationtokenexception": Outcome.CREDENTIALS,
    "missingauthenticationtoken": Outcome.CREDENTIALS,
}
_STATUSES = {
    401: Outcome.CREDENTIALS,
    403: Outcome.ACCESS,
    404: Outcome.ACCESS,
    408: Outcome.TIMEOUT,
    424: Outcome.MODEL_ERROR,
    429: Outcome.THROTTLED,
}
_OVERFLOW = re.compile(
    r"input is too long|prompt is too long|exceed context limit|too many total text bytes"
    r"|maximum context length|exceeds? the (model's )?context window",
    re.IGNORECASE,
)
_UNSUPPORTED = re.compile(r"(does not|doesn't|isn't|is not) support|unsupported", re.IGNORECASE)

_CREDENTIAL_ERRORS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.NoAuthTokenError,
    boto.TokenRetrievalError,
    boto.SSOError,
    boto.LoginError,
    boto.ProfileNotFound,
    boto.ConfigParseError,
    boto.NoRegionError,
    boto.InvalidRegionError,
    boto.RefreshWithMFAUnsupportedError,
)
_TIMEOUTS = (boto.ReadTimeoutError, http.ReadTimeoutError, TimeoutError)
_NEVER_SENT = (
    boto.ParamValidationError,
    boto.EndpointConnectionError,
    boto.ConnectTimeoutError,
    boto.ProxyConnectionError,
    boto.SSLError,
)
_CUTS = (http.ProtocolError, boto.ResponseStreamingError, boto.IncompleteReadError, ParserError)
_UNREACHABLE = (boto.ConnectionError, boto.HTTPClientError, http.HTTPError, ConnectionError)
_LOCAL_OUTCOMES = {
    "APITimeoutError": Outcome.TIMEOUT,
    "TimeoutException": Outcome.TIMEOUT,
    "RemoteProtocolError": Outcome.STREAM_CUT,
    "APIConnectionError": Outcome.UNAVAILABLE,
    "TransportError": Outcome.UNAVAILABLE,
}
"""By class name, for openai and httpx: both belong to an extra that may not be installed."""


def classify(error: BaseException, *, spec: ModelSpec, profile: str = "default") -> Fault:
    """What an exception of a model call means; INTERNAL for one that no vendor raises."""
    if isinstance(error, asyncio.CancelledError):
        return fault(Outcome.CANCELLED, "cancelled", cause=error)
    if isinstance(error, ModelThrottledException | ContextWindowOverflowException):
        return _from_strands(error, spec, profile)
    if isinstance(error, boto.ClientError):
        return _from_service(error, spec, profile)
    message = f"{spec.model_id}: {_one_line(str(error) or type(error).__name__)}"
    if isinstance(error, _CREDENTIAL_ERRORS):
        return fault(
            Outcome.CREDENTIALS, message, hint=_login_hint(error, profile), billable=False, cause=error
        )
    hint = f"Check that the server at {spec.base_url} runs and has the model." if spec.base_url else ""
    if isinstance(error, boto.EndpointConnectionError):
        hint = "Check the network, and the region's name in that address: `codeflow setup` knows the regions."
    billable = not isinstance(error, _NEVER_SENT)
    headers = getattr(getattr(error, "response", None), "headers", {})  # openai's status errors have them
    return fault(
        _transport_outcome(error),
        message,
        hint=hint,
        billable=billable,
        retry_after_s=_seconds(headers.get("retry-after")),
        cause=error,
    )


def _from_strands(error: Exception, spec: ModelSpec, profile: str) -> Fault:
    """Strands looks for overflow texts in every error; the service's own code knows better."""
    if isinstance(error.__cause__, boto.ClientError):
        return _from_service(error.__cause__, spec, profile)
    throttled = isinstance(error, ModelThrottledException)
    outcome = Outcome.THROTTLED if throttled else Outcome.OVERFLOW
    return fault(outcome, f"{spec.model_id}: {_one_line(str(error))}", billable=False, cause=error)


def _from_service(error: boto.ClientError, spec: ModelSpec, profile: str) -> Fault:
    details = error.response.get("Error", {})
    code = details.get("Code", "")
    text = details.get("Message", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    streaming = isinstance(error, eventstream.EventStreamError)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    outcome = _CODES.get(code.lower()) or _by_status(status)
    if streaming and code.lower() == "internalserverexception":
        outcome = Outcome.STREAM_CUT
    hint = ""
    fallback = None
    if outcome is Outcome.VALIDATION:
        outcome, hint = _judge_validation(text, spec)
        fallback = True if _UNSUPPORTED.search(text) else None
    elif outcome is Outcome.ACCESS:
        outcome, hint = _judge_denial(text, spec, profile)
    elif outcome is Outcome.CREDENTIALS:
        hint = _renewal_hint(profile)
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return fault(
        outcome,
        f"{spec.model_id}: {code}: {_one_line(text)}",
        hint=hint,
        fallback=fallback,
        billable=streaming,
        retry_after_s=_seconds(headers.get("retry-after")),
        cause=error,
    )


def _seconds(retry_after: str | None) -> float:
    """The header's number of seconds; its other form, a date, would need a clock that agrees with the server's."""
    return float(retry_after) if retry_after and re.fullmatch(r"\d{1,6}(\.\d+)?", retry_after) else 0.0


def _by_status(status: int) -> Outcome:
    if status in _STATUSES:
        return _STATUSES[status]
    return Outcome.VALIDATION if 400 <= status < 500 else Outcome.UNAVAILABLE  # noqa: PLR2004 — HTTP classes


def _judge_validation(text: str, spec: ModelSpec) -> tuple[Outcome, str]:
    if _OVERFLOW.search(text):
        return Outcome.OVERFLOW, ""
    if "on-demand throughput" in text:
        offered = [f"{prefix}.{spec.id}" for prefix in spec.profiles if prefix]
        ids = " or ".join(offered) or f"its inference profile, for example us.{spec.id}"
        return Outcome.ACCESS, f"Use {ids} instead: this model is invoked through a profile."
    if "model identifier is invalid" in text:
        return Outcome.ACCESS, "Check the id with `codeflow models`, and that your region offers this model."
    if "Operation not allowed" in text:
        return Outcome.ACCESS, "Ask AWS Support to allow this account to invoke Bedrock models."
    return Outcome.VALIDATION, ""


def _judge_denial(text: str, spec: ModelSpec, profile: str) -> tuple[Outcome, str]:
    """403 and 404 have many causes; the text tells which, hence what to do."""
    lower = text.lower()
    if "security token" in lower or "api key" in lower or "expired" in lower:
        return Outcome.CREDENTIALS, _renewal_hint(profile)
    if "use case" in lower:
        return (
            Outcome.ACCESS,
            "Submit Anthropic's use-case form once: Bedrock console > Model catalog > the model.",
        )
    if "service control policy" in lower or "explicit deny" in lower:
        return (
            Outcome.ACCESS,
            "A policy of your organization denies it: use another region's profile id, or ask its owner.",
        )
    if "marketplace" in lower or "subscri" in lower or "agreement" in lower:
        return (
            Outcome.ACCESS,
            "Let someone with aws-marketplace:Subscribe invoke the model once in this account.",
        )
    if "not authorized to perform" in lower:
        return Outcome.ACCESS, (
            "Allow bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream in IAM, on the inference profile "
            f"and on arn:aws:bedrock:*::foundation-model/{spec.id}."
        )
    if "end of its life" in lower or "legacy" in lower:
        return Outcome.ACCESS, "The model is retired: choose another with `codeflow models`."
    return (
        Outcome.ACCESS,
        f"Enable {spec.name} for this account and region; `codeflow doctor` says what is missing.",
    )


def _login_hint(error: BaseException, profile: str) -> str:
    if isinstance(error, boto.NoRegionError | boto.InvalidRegionError):
        return "Run `codeflow setup`, or set AWS_REGION, for example `export AWS_REGION=us-east-1`."
    if isinstance(error, boto.ConfigParseError):
        return "Correct that file: its format is `[profile NAME]`, then lines of `key = value`."
    if isinstance(error, boto.ProfileNotFound):
        return "Correct AWS_PROFILE or models.profile; `codeflow setup` lists the profiles there are."
    if isinstance(error, boto.LoginError):
        return f"Run `aws login --profile {profile}`, then try again."
    if isinstance(error, boto.SSOError | boto.TokenRetrievalError | boto.NoAuthTokenError):
        return f"Run `aws sso login --profile {profile}`, then try again."
    if isinstance(error, boto.NoCredentialsError):
        return (
            "Run `codeflow setup`, or `aws configure sso` for a first profile, or set AWS_BEARER_TOKEN_BEDROCK; "
            "without an account, `codeflow demo` shows a recorded run."
        )
    return _renewal_hint(profile)


def _renewal_hint(profile: str) -> str:
    return (
        f"Renew the credentials: `aws sso login --profile {profile}`, or replace the AWS_* variables; "
        "they are read again without a restart."
    )


def _transport_outcome(error: BaseException) -> Outcome:
    """Connection trouble, whichever library noticed it."""
    if isinstance(error, _TIMEOUTS):
        return Outcome.TIMEOUT
    if isinstance(error, _CUTS):
        return Outcome.STREAM_CUT
    if isinstance(error, _UNREACHABLE):
        return Outcome.UNAVAILABLE
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return _by_status(status)
    names = [base.__name__ for base in type(error).__mro__]
    rest = Outcome.VALIDATION if isinstance(error, boto.BotoCoreError) else Outcome.INTERNAL
    return next((_LOCAL_OUTCOMES[name] for name in names if name in _LOCAL_OUTCOMES), rest)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MESSAGE_CHARS else f"{line[:_MESSAGE_CHARS]}…"
