"""From a model's entry to a live connection: Bedrock, Ollama, or any OpenAI-compatible server."""

import os
from collections.abc import Callable, Mapping
from typing import Protocol

import boto3
from strands.models import Model

from codeflow.core.errors import UsageError
from codeflow.core.settings import ModelSettings
from codeflow.models.bedrock import BedrockConnection, open_session
from codeflow.models.catalogue import ModelSpec


class Connection(Protocol):
    """A way to one model. Attempts over one connection follow each other, they never overlap."""

    @property
    def profile(self) -> str:
        """The AWS profile behind it, for the advice in an error."""

    @property
    def region(self) -> str:
        """Where the model is called: an AWS region, or the URL of a server."""

    def prepared(self, *, max_tokens: int, metadata: Mapping[str, str], tools: bool) -> Model:
        """The model set up for one attempt."""

    def renew(self) -> bool:
        """Look for new credentials, after some were refused; True when the call is worth repeating."""

    def close(self) -> None:
        """Let go of sockets that no call uses."""


Connect = Callable[[ModelSpec], Connection]


class Connector:
    """Opens connections that share one AWS session a region, made when the first of them needs it."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._sessions: dict[str, boto3.Session] = {}
        self._opened: list[Connection] = []

    def __call__(self, spec: ModelSpec) -> Connection:
        connection = self._connect(spec)
        self._opened.append(connection)
        return connection

    def close(self) -> None:
        for connection in self._opened:
            connection.close()

    def _connect(self, spec: ModelSpec) -> Connection:
        if spec.provider != "bedrock":
            return LocalConnection(spec, self._settings)
        if spec.region not in self._sessions:
            self._sessions[spec.region] = open_session(self._settings, spec.region)
        return BedrockConnection(spec, self._settings, self._sessions[spec.region])


class LocalConnection:
    """A model of a server that needs no AWS account."""

    profile = ""

    def __init__(self, spec: ModelSpec, settings: ModelSettings) -> None:
        if not spec.base_url:
            raise UsageError(
                f"{spec.model_id}: no base_url is known for this model",
                hint="Give it one in a roster file, as config/rosters/local.toml does.",
            )
        self._spec = spec
        self.region = spec.base_url
        self._timeout_s = settings.read_timeout_s

    def prepared(self, *, max_tokens: int, metadata: Mapping[str, str], tools: bool) -> Model:  # noqa: ARG002 — Bedrock's needs
        try:
            if self._spec.provider == "ollama":
                return self._ollama(max_tokens)
            return self._openai(max_tokens)
        except ImportError as error:
            raise UsageError(
                f"{self._spec.model_id}: the package {error.name!r} is not installed",
                hint="Run `pip install 'codeflow[local]'`.",
            ) from error

    def renew(self) -> bool:
        return False

    def close(self) -> None:
        """Each attempt has a client of its own, closed with it."""

    def _ollama(self, max_tokens: int) -> Model:
        from strands.models.ollama import OllamaModel

        return OllamaModel(
            self._spec.base_url,
            ollama_client_args={"timeout": self._timeout_s},
            model_id=self._spec.model_id.removeprefix("ollama:"),
            max_tokens=max_tokens,
            # Ollama drops the head of a prompt that exceeds its own small default, without a word.
            options={"num_ctx": self._spec.context},
        )

    def _openai(self, max_tokens: int) -> Model:
        from strands.models.openai import OpenAIModel

        return OpenAIModel(
            client_args={
                "base_url": self._spec.base_url,
                "api_key": os.environ.get("OPENAI_API_KEY", "none"),
                "timeout": self._timeout_s,
                "max_retries": 0,
            },
            model_id=self._spec.model_id.removeprefix("openai:"),
            params={"max_tokens": max_tokens},
        )
