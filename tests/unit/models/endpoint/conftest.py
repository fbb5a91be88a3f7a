from collections.abc import Callable, Iterator
from contextlib import ExitStack
from textwrap import dedent, indent
from typing import Any, Literal

import boto3
import pytest
from botocore.config import Config

from codeflow.models.endpoint import Endpoint, ModelRules, parse

Serve = Callable[..., Endpoint]
Connect = Callable[..., Any]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts an endpoint for a transcript given as its replies (YAML)."""
    with ExitStack() as running:

        def start(replies: str, *, rules: ModelRules | None = None, head: str = "") -> Endpoint:
            text = f"codeflow_transcript: 1\ntask: t\n{head}\nreplies:\n" + indent(dedent(replies), "  ")
            return running.enter_context(Endpoint(parse(text), rules_for=lambda _id: rules or ModelRules()))

        yield start


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A real boto3 client for an endpoint, without retries of its own."""
    with ExitStack() as running:

        def client(
            endpoint: Endpoint, service: Literal["bedrock-runtime", "bedrock"] = "bedrock-runtime"
        ) -> Any:
            session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="y", region_name="us-east-1")
            made = session.client(
                service,
                endpoint_url=endpoint.url,
                config=Config(retries={"total_max_attempts": 1}),
            )
            running.callback(made.close)
            return made

        yield client
