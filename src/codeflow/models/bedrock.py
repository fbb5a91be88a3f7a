"""Amazon Bedrock through Strands' own provider, set up for one model and one attempt at a time."""

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.eventstream import EventStream
from botocore.exceptions import BotoCoreError, NoRegionError
from strands.models import BedrockModel
from strands.models.model import CacheConfig
from typing_extensions import override

from codeflow.core.errors import UsageError
from codeflow.core.settings import ModelSettings, aws_region
from codeflow.models.catalogue import ModelSpec

_METADATA_REFUSES = re.compile(r"[^a-zA-Z0-9 :_@$#=/+,.-]")
_METADATA_CHARS = 256


_SIDE_BY_SIDE = 50
"""Connections kept for agents that work at the same time."""


class _Session(boto3.Session):
    """A session with one runtime client, so that all agents share its connections; making one takes 15 ms of CPU."""

    _runtime: Any = None

    @override
    def client(self, service_name: Any, **options: Any) -> Any:  # type: ignore[override]  # the stubs list every service
        if service_name != "bedrock-runtime":
            return super().client(service_name, **options)
        if self._runtime is None:
            self._runtime = super().client(service_name, **options)
        return self._runtime


def open_session(settings: ModelSettings, region: str = "") -> boto3.Session:
    """A session that reads AWS's files and variables anew, and has a region: this one, or the run's own.

    Raises:
        botocore.exceptions.BotoCoreError: no region is set, or the profile does not exist.
        UsageError: the settings' endpoint is not a URL.
    """
    if settings.endpoint_url and urlsplit(settings.endpoint_url).scheme not in ("http", "https"):
        raise UsageError(
            f"models.endpoint_url is not a URL: {settings.endpoint_url}",
            hint="Write it as https://HOST, or remove it to use AWS's own.",
        )
    session = _Session(
        profile_name=settings.profile or None,
        region_name=aws_region(region, settings.region),
    )
    if session.region_name is None:
        raise NoRegionError
    return session


def client_config(settings: ModelSettings) -> Config:
    """One attempt per call: the guarded model retries, and counts each one."""
    return Config(
        connect_timeout=settings.connect_timeout_s,
        read_timeout=settings.read_timeout_s,
        retries={"total_max_attempts": 1},
        tcp_keepalive=True,
        max_pool_connections=_SIDE_BY_SIDE,
    )


class BedrockConnection:
    """One model of Bedrock, reached with the credentials that were valid when it was opened."""

    def __init__(self, spec: ModelSpec, settings: ModelSettings, session: boto3.Session) -> None:
        self._spec = spec
        self._settings = settings
        self._session = session
        self._model = self._build()

    @property
    def profile(self) -> str:
        return self._session.profile_name

    @property
    def region(self) -> str:
        return self._session.region_name

    def prepared(self, *, max_tokens: int, metadata: Mapping[str, str], tools: bool) -> BedrockModel:
        """The model set up for one attempt; the previous attempt must have ended."""
        greedy = tools and self._spec.sampling == "greedy_with_tools"
        self._model.update_config(
            max_tokens=max_tokens,
            streaming=self._spec.streaming_tools or not tools,
            temperature=0.0 if greedy else None,
            additional_request_fields={"inferenceConfig": {"topK": 1}} if greedy else None,
            additional_args={"requestMetadata": {key: _accepted(value) for key, value in metadata.items()}},
        )
        return self._model

    def renew(self) -> bool:
        """Read the credentials again; True when they are not those of the calls so far."""
        fresh = open_session(self._settings, self._spec.region)
        credentials = _identity(fresh)
        if credentials is None or credentials == _identity(self._session):
            return False
        self.close()
        self._session = fresh
        self._model = self._build()
        return True

    def close(self) -> None:
        """Let go of sockets that no call uses."""
        self._model.client.close()

    def _build(self) -> BedrockModel:
        spec = self._spec
        model = BedrockModel(
            boto_session=self._session,
            boto_client_config=client_config(self._settings),
            endpoint_url=self._settings.endpoint_url or None,
            model_id=spec.model_id,
            cache_config=_cache_config(spec),
            service_tier=spec.service_tier or None,
            context_window_limit=spec.context,
        )
        model.client.meta.events.register(
            "after-call.bedrock-runtime.ConverseStream", _close_after_reading, unique_id="codeflow"
        )
        return model


class _ClosingStream:
    """The events of an answer; the socket of one that breaks off is closed at once, by the thread that reads it."""

    def __init__(self, events: "EventStream[Any]") -> None:
        self._events = events

    def __iter__(self) -> Iterator[Any]:
        with closing(self._events):
            yield from self._events

    def close(self) -> None:
        self._events.close()


def _close_after_reading(parsed: dict[str, Any], **_context: Any) -> None:
    if "stream" in parsed:
        parsed["stream"] = _ClosingStream(parsed["stream"])


def _cache_config(spec: ModelSpec) -> CacheConfig | None:
    """Strands' "auto" strategy recognizes Claude only, and leaves tools out."""
    if spec.cache != "explicit":
        return None
    return CacheConfig(
        strategy="anthropic",
        tools_ttl="tools" in spec.cache_points,
        system_prompt_ttl="system" in spec.cache_points,
    )


def _accepted(value: str) -> str:
    return _METADATA_REFUSES.sub("_", value)[:_METADATA_CHARS]


def _identity(session: boto3.Session) -> tuple[str | None, ...] | None:
    """The keys a session signs with; None when it cannot produce any."""
    try:
        credentials = session.get_credentials()
        return tuple(credentials.get_frozen_credentials()) if credentials else None
    except BotoCoreError:  # the failed call has already been reported as a credentials fault
        return None
