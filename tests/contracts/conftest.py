"""One suite for every store of sessions: a folder, SQLite, and moto's S3 and DynamoDB over HTTP."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from codeflow.core.places import state_home
from codeflow.core.settings import load_settings
from codeflow.sessions.log import SessionStore
from codeflow.sessions.opening import shared_store
from codeflow.sessions.stores.port import LogStore

KINDS = ("local", "sqlite", "s3", "dynamodb")
SHARED = KINDS[1:]
BUCKET = "codeflow-sessions"
TABLES = "bedrock-agent"


@pytest.fixture(scope="session")
def aws_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """AWS for this process and those it starts, empty."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    reset(aws_url)
    return aws_url


def reset(url: str) -> None:
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST")).close()


@dataclass(frozen=True)
class Machines:
    """Machines that share one store, each with a state folder of its own; of a local store there is one."""

    kind: str
    address: str
    folder: Path
    workspace: Path
    clients: dict[tuple[str, str], LogStore | None]
    """Of all tests: making an AWS client takes longer than using it."""

    def env(self, machine: str = "a") -> dict[str, str]:
        """What a process on a machine needs to find the store."""
        here = machine if self.kind != "local" else "a"
        return {
            "XDG_STATE_HOME": str(self.folder / here),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "CODEFLOW_SESSIONS__STORE": self.address,
        }

    def __call__(self, machine: str = "a") -> SessionStore:
        env, key = self.env(machine), (self.address, machine)
        if key not in self.clients:
            self.clients[key] = shared_store(load_settings(self.workspace, env=env))
        return SessionStore(state_home(env) / "sessions", self.clients[key])


@pytest.fixture(scope="session")
def clients() -> dict[tuple[str, str], LogStore | None]:
    return {}


@pytest.fixture
def machines_of(
    tmp_path: Path, clients: dict[tuple[str, str], LogStore | None], request: pytest.FixtureRequest
) -> Callable[[str], Machines]:
    def make(kind: str) -> Machines:
        if kind in ("s3", "dynamodb"):
            request.getfixturevalue("aws")
        address = {
            "local": "local",
            "sqlite": f"sqlite:{tmp_path}/shared/sessions.db",
            "s3": f"s3://{BUCKET}/team/a",
            "dynamodb": f"dynamodb:{TABLES}",
        }[kind]
        workspace = tmp_path / "project"
        workspace.mkdir()
        made = Machines(kind, address, tmp_path, workspace, clients)
        if shared := made().shared:
            shared.set_up()
        return made

    return make


@pytest.fixture(params=KINDS)
def machines(machines_of: Callable[[str], Machines], request: pytest.FixtureRequest) -> Machines:
    return machines_of(request.param)


@pytest.fixture(params=SHARED)
def shared_machines(machines_of: Callable[[str], Machines], request: pytest.FixtureRequest) -> Machines:
    return machines_of(request.param)


@pytest.fixture
def s3(aws: str):
    return boto3.client("s3")


@pytest.fixture
def dynamodb(aws: str):
    return boto3.client("dynamodb")
