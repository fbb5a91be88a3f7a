import asyncio

import pytest
import urllib3.exceptions
from botocore import exceptions as boto
from botocore.eventstream import ChecksumMismatch
from strands.types.exceptions import ContextWindowOverflowException, ModelThrottledException

from codeflow.core.errors import (
    BadReplyError,
    ContextOverflowError,
    CredentialsError,
    ModelAccessError,
    ModelError,
)
from codeflow.models.catalogue import Catalogue
from codeflow.models.diagnosis import classify
from codeflow.models.faults import Outcome, RequestRefusedError, fault, to_error

SPEC = Catalogue.load().require("global.anthropic.claude-opus-5-5")


def refused(code: str, text: str = "", status: int = 400) -> boto.ClientError:
    response = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return boto.ClientError(response, "ConverseStream")  # type: ignore[arg-type]  # the stubs want every header


def in_stream(code: str) -> boto.EventStreamError:
    return boto.EventStreamError({"Error": {"Code": code, "Message": "mid-stream"}}, "ConverseStream")


def from_strands(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


SERVICE: list[tuple[BaseException, Outcome]] = [
    (refused("ThrottlingException", "Too many tokens, please wait", 429), Outcome.THROTTLED),
    (refused("ServiceQuotaExceededException"), Outcome.QUOTA),
    (refused("ModelNotReadyException", status=429), Outcome.UNAVAILABLE),
    (refused("ServiceUnavailableException", status=503), Outcome.UNAVAILABLE),
    (refused("InternalServerException", status=500), Outcome.UNAVAILABLE),
    (refused("ModelTimeoutException", status=408), Outcome.TIMEOUT),
    (refused("ModelErrorException", status=424), Outcome.MODEL_ERROR),
    (refused("ResourceNotFoundException", status=404), Outcome.ACCESS),
    (refused("AccessDeniedException", status=403), Outcome.ACCESS),
    (
        refused("AccessDeniedException", "The security token included is expired", 403),
        Outcome.CREDENTIALS,
    ),
    (refused("ExpiredTokenException", status=403), Outcome.CREDENTIALS),
    (refused("UnrecognizedClientException", status=403), Outcome.CREDENTIALS),
    (refused("InvalidSignatureException", status=403), Outcome.CREDENTIALS),
    (refused("ValidationException", "messages.0 is wrong"), Outcome.VALIDATION),
    (refused("ValidationException", "Input is too long for requested model."), Outcome.OVERFLOW),
    (
        refused("ValidationException", "input length and `max_tokens` exceed context limit: 1 > 0"),
        Outcome.OVERFLOW,
    ),
    (refused("ValidationException", "The provided model identifier is invalid."), Outcome.ACCESS),
    (refused("ValidationException", "Operation not allowed"), Outcome.ACCESS),
    (refused("Brandnew", status=429), Outcome.THROTTLED),
    (refused("Brandnew", status=502), Outcome.UNAVAILABLE),
    (refused("Brandnew", status=401), Outcome.CREDENTIALS),
    (refused("Brandnew", status=418), Outcome.VALIDATION),
    (in_stream("modelStreamErrorException"), Outcome.STREAM_CUT),
    (in_stream("internalServerException"), Outcome.STREAM_CUT),
    (in_stream("throttlingException"), Outcome.THROTTLED),
    (in_stream("serviceUnavailableException"), Outcome.UNAVAILABLE),
    (in_stream("validationException"), Outcome.VALIDATION),
]
LOCAL: list[tuple[BaseException, Outcome]] = [
    (boto.NoCredentialsError(), Outcome.CREDENTIALS),
    (boto.NoRegionError(), Outcome.CREDENTIALS),
    (boto.PartialCredentialsError(provider="env", cred_var="x"), Outcome.CREDENTIALS),
    (boto.CredentialRetrievalError(provider="process", error_msg="x"), Outcome.CREDENTIALS),
    (boto.ProfileNotFound(profile="x"), Outcome.CREDENTIALS),
    (boto.UnauthorizedSSOTokenError(), Outcome.CREDENTIALS),
    (boto.SSOTokenLoadError(error_msg="x"), Outcome.CREDENTIALS),
    (boto.TokenRetrievalError(provider="sso", error_msg="x"), Outcome.CREDENTIALS),
    (boto.ParamValidationError(report="x"), Outcome.VALIDATION),
    (boto.EndpointConnectionError(endpoint_url="x"), Outcome.UNAVAILABLE),
    (boto.ConnectTimeoutError(endpoint_url="x"), Outcome.UNAVAILABLE),
    (boto.ConnectionClosedError(endpoint_url="x"), Outcome.UNAVAILABLE),
    (boto.ReadTimeoutError(endpoint_url="x"), Outcome.TIMEOUT),
    (boto.ResponseStreamingError(error="x"), Outcome.STREAM_CUT),
    (urllib3.exceptions.ProtocolError("cut"), Outcome.STREAM_CUT),
    (ChecksumMismatch(1, 2), Outcome.STREAM_CUT),
    (ConnectionRefusedError(), Outcome.UNAVAILABLE),
    (TimeoutError(), Outcome.TIMEOUT),
    (asyncio.CancelledError(), Outcome.CANCELLED),
    (KeyError("a bug"), Outcome.INTERNAL),
    (ModelThrottledException("slow down"), Outcome.THROTTLED),
    (ContextWindowOverflowException("too long"), Outcome.OVERFLOW),
]


@pytest.mark.parametrize(("error", "outcome"), SERVICE + LOCAL)
def test_each_error_has_its_own_class(error, outcome):
    assert classify(error, spec=SPEC).outcome is outcome


def test_strands_overflow_guess_is_overruled_by_the_services_code():
    throttled = refused("ThrottlingException", "prompt is too long, please wait", 429)
    error = from_strands(ContextWindowOverflowException("x"), throttled)
    assert classify(error, spec=SPEC).outcome is Outcome.THROTTLED


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (boto.UnauthorizedSSOTokenError(), "aws sso login --profile work"),
        (refused("ExpiredTokenException", status=403), "aws sso login --profile work"),
        (boto.NoRegionError(), "AWS_REGION"),
        (boto.NoCredentialsError(), "codeflow setup"),
        (boto.ProfileNotFound(profile="x"), "AWS_PROFILE"),
        (
            refused("AccessDeniedException", "User is not authorized to perform: bedrock:x", 403),
            "bedrock:InvokeModel",
        ),
        (refused("AccessDeniedException", "denied by a service control policy", 403), "organization"),
        (
            refused("ResourceNotFoundException", "Model use case details have not been submitted", 404),
            "use-case form",
        ),
        (
            refused("AccessDeniedException", "aws-marketplace actions needed", 403),
            "aws-marketplace:Subscribe",
        ),
        (refused("ResourceNotFoundException", "has reached the end of its life", 404), "codeflow models"),
        (refused("AccessDeniedException", "You don't have access to the model", 403), "codeflow doctor"),
        (
            refused("ValidationException", "with on-demand throughput isn’t supported."),  # noqa: RUF001 — as sent
            "global.anthropic.claude-opus-5-5",
        ),
    ],
)
def test_an_access_fault_names_its_cure(error, cure):
    assert cure in classify(error, spec=SPEC, profile="work").hint


def test_only_a_models_own_refusal_moves_on_to_another_model():
    assert classify(refused("AccessDeniedException", status=403), spec=SPEC).fallback
    assert not classify(boto.NoCredentialsError(), spec=SPEC).fallback
    assert not classify(refused("ValidationException", "wrong"), spec=SPEC).fallback
    text = "This model doesn't support tool use in streaming mode."
    assert classify(refused("ValidationException", text), spec=SPEC).fallback


@pytest.mark.parametrize(
    ("error", "billable"),
    [
        (refused("ThrottlingException", status=429), False),
        (in_stream("throttlingException"), True),
        (boto.NoCredentialsError(), False),
        (boto.EndpointConnectionError(endpoint_url="x"), False),
        (boto.ReadTimeoutError(endpoint_url="x"), True),
        (asyncio.CancelledError(), True),
    ],
)
def test_what_was_refused_or_never_sent_is_not_billed(error, billable):
    assert classify(error, spec=SPEC).billable is billable


def test_messages_stay_on_one_bounded_line_and_name_the_model():
    message = classify(refused("ValidationException", "a\nb " * 1000), spec=SPEC).message
    assert message.startswith(SPEC.model_id)
    assert "\n" not in message
    assert len(message) < 600


@pytest.mark.parametrize(
    ("outcome", "error", "exit_code"),
    [
        (Outcome.THROTTLED, ModelError, 75),
        (Outcome.CREDENTIALS, CredentialsError, 77),
        (Outcome.ACCESS, ModelAccessError, 77),
        (Outcome.OVERFLOW, ContextOverflowError, 1),
        (Outcome.MALFORMED, BadReplyError, 1),
        (Outcome.TRUNCATED, BadReplyError, 1),
        (Outcome.VALIDATION, RequestRefusedError, 1),
    ],
)
def test_the_last_fault_decides_the_error_and_its_exit_code(outcome, error, exit_code):
    ended = to_error(fault(outcome, "what happened"))
    assert type(ended) is error
    assert ended.exit_code == exit_code
    assert str(ended) == "what happened"
    assert ended.hint


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.OK}))
def test_every_outcome_but_success_has_a_treatment(outcome):
    assert fault(outcome, "x").outcome is outcome
