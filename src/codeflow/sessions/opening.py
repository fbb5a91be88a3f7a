"""From the setting `sessions.store` to the store it names; what a store needs is imported when it is chosen."""

import re
from collections.abc import Mapping
from pathlib import Path

from codeflow.core.errors import UsageError
from codeflow.core.places import state_home
from codeflow.core.settings import Settings
from codeflow.sessions.log import SessionStore
from codeflow.sessions.stores.port import LogStore

LOCAL = "local"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_TABLE_PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,240}")


def open_sessions(settings: Settings, env: Mapping[str, str], *, shared: bool = True) -> SessionStore:
    """The user's sessions; without `shared` only this machine's.

    Raises:
        UsageError: when `sessions.store` names no store.
    """
    return SessionStore(state_home(env) / "sessions", shared_store(settings) if shared else None)


def shared_store(settings: Settings) -> LogStore | None:
    """The store that the settings name besides this machine's own, or None. Nothing is connected yet.

    Raises:
        UsageError: when they name none that there is.
    """
    address = settings.sessions.store
    if address == LOCAL:
        return None
    scheme, _, place = address.partition(":")
    if scheme == "sqlite" and place:
        from codeflow.sessions.stores.sqlite import SQLiteStore

        return SQLiteStore(Path(place).expanduser().absolute())
    bucket, _, prefix = place.removeprefix("//").partition("/")
    if scheme == "s3" and place.startswith("//") and _BUCKET.fullmatch(bucket):
        from codeflow.sessions.stores.aws import Account
        from codeflow.sessions.stores.s3 import S3Store

        return S3Store(bucket, prefix, Account(**_account(settings)))
    if scheme == "dynamodb" and _TABLE_PREFIX.fullmatch(place):
        from codeflow.sessions.stores.aws import Account
        from codeflow.sessions.stores.dynamodb import DynamoStore

        return DynamoStore(place, Account(**_account(settings)))
    raise UsageError(
        f"sessions.store: {address!r} is not a store",
        hint="Use local, sqlite:PATH, s3://BUCKET/PREFIX or dynamodb:PREFIX.",
    )


def _account(settings: Settings) -> dict[str, str]:
    own, models = settings.sessions, settings.models
    return {
        "profile": own.profile or models.profile,
        "region": own.region or models.region,
        "kms_key": own.kms_key,
    }
