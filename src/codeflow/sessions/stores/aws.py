"""What the AWS stores share: clients, and botocore's errors as one line with a hint."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own tree
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from codeflow.core.errors import SessionError
from codeflow.core.settings import aws_region
from codeflow.sessions.stores.port import UnreachableError

LOST_RACE = frozenset(
    {
        "PreconditionFailed",
        "ConditionalRequestConflict",
        "412",
        "409",
        "ConditionalCheckFailedException",
        "TransactionCanceledException",
    }
)
"""Codes of a condition that did not hold."""

_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "InvalidClientTokenId",
}
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "403",
    "KMSAccessDeniedException",
    "KMS.DisabledException",
}
_MISSING = {"NoSuchBucket", "ResourceNotFoundException"}
_LATER = {
    "SlowDown",
    "ThrottlingException",
    "Throttling",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "InternalError",
    "InternalServerError",
    "ServiceUnavailable",
    "RequestTimeout",
    "TransactionConflictException",
    "TransactionInProgressException",
    "500",
    "502",
    "503",
    "504",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How to reach AWS; empty fields leave it to the AWS configuration."""

    profile: str = ""
    region: str = ""
    kms_key: str = ""
    """The KMS key that encrypts what is stored; empty: the service's own key."""

    def client(self, service: str) -> Any:
        """A client of a service that retries for less than half a minute.

        Raises:
            SessionError: when the profile or the region is missing.
        """
        with translated(service):
            session = boto3.Session(profile_name=self.profile or None, region_name=aws_region(self.region))
            return session.client(
                service,  # type: ignore[call-overload]  # the name is not a literal here
                config=Config(
                    connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 3}
                ),
            )


@contextmanager
def translated(store: str) -> Iterator[None]:
    """Turns botocore's exceptions into the port's; those of a lost race pass.

    Raises:
        UnreachableError: for what may pass by itself.
        SessionError: for the rest.
    """
    try:
        yield
    except ClientError as error:
        if code_of(error) in LOST_RACE:
            raise
        raise _refused(store, error) from error
    except _NO_CREDENTIALS as error:
        raise SessionError(
            f"{store}: no AWS credentials: {error}",
            hint="Run `aws sso login` or `aws configure`, or set sessions.profile; `codeflow doctor` checks them.",
        ) from error
    except NoRegionError as error:
        raise SessionError(
            f"{store}: no AWS region is set", hint="Set sessions.region or AWS_REGION."
        ) from error
    except (ConnectionError, HTTPClientError) as error:
        raise UnreachableError(
            f"{store}: cannot be reached: {error}", hint="Check the network, then try again."
        ) from error
    except BotoCoreError as error:
        raise SessionError(
            f"{store}: {error}", hint="Check sessions.store and the AWS configuration."
        ) from error


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(store: str, error: ClientError) -> SessionError:
    code = code_of(error)
    said = str(error.response.get("Error", {}).get("Message", "")) or code
    if code in _LATER:
        return UnreachableError(f"{store}: {code}: {said}", hint="Try again later.")
    if code in _MISSING:
        return SessionError(
            f"{store}: it does not exist ({code})",
            hint="`codeflow sessions setup` makes it; check the name, the region and the account.",
        )
    if code in _EXPIRED:
        return SessionError(
            f"{store}: the AWS credentials have expired", hint="Renew them, for example with `aws sso login`."
        )
    if code in _UNKNOWN:
        return SessionError(
            f"{store}: AWS does not know these credentials ({code})", hint="Check sessions.profile."
        )
    if code in _DENIED:
        return SessionError(
            f"{store}: access denied to {error.operation_name}: {said}",
            hint="docs/sessions.md lists the permissions that a store needs.",
        )
    return SessionError(
        f"{store}: {error.operation_name} failed: {code}: {said}", hint="Check sessions.store."
    )
