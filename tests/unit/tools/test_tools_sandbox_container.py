"""Commands in containers of Docker's or Podman's, where this machine can run any."""

import os
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from codeflow.core.errors import UsageError
from codeflow.core.settings import load_settings
from codeflow.tools.process import Outcome, execute
from codeflow.tools.sandbox import container
from codeflow.tools.sandbox.choosing import choose
from codeflow.tools.workspace import Workspace

PROGRAM, PROBLEM = container.find(os.environ["PATH"])
needs_containers = pytest.mark.skipif(bool(PROBLEM), reason=f"no container runs here: {PROBLEM}")

Run = Callable[..., Awaitable[Outcome]]


@pytest.fixture
def root(tmp_path: Path, env: dict[str, str]) -> Path:
    folder = Path(env["HOME"]) / "work"
    folder.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    return folder


@pytest.fixture
def run(root: Path, env: dict[str, str], tmp_path: Path) -> Iterator[Run]:
    env = env | {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("CACHE", "CONFIG", "STATE")}
    settings = load_settings(root, env={}, flags={"sandbox": {"backend": "docker"}})
    ws = Workspace(root, settings.tools, env, sandbox=choose(settings.sandbox, root, env).sandbox)

    async def run(line: str, timeout_s: float = 60) -> Outcome:
        return await execute(
            line, cwd=root, env=ws.env, timeout_s=timeout_s, output_limit_chars=20_000, confine=ws.confining()
        )

    yield run
    ws.runs.close()


def containers() -> list[str]:
    listing = [PROGRAM, "ps", "--all", "--quiet", "--filter", "name=codeflow-"]
    return subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()


@needs_containers
async def test_a_command_sees_what_is_listed_and_changes_the_workspace_only(run: Run, root: Path):
    (root.parent / "secret").write_text("secret")
    outcome = await run(
        "echo x > made; cat ../secret; echo x > ../secret; touch .git/hooks/x; touch /usr/x; id -un; echo y > ~/kept"
    )
    assert (root / "made").read_text() == "x\n"
    assert (root.parent / "secret").read_text() == "secret"
    assert "No such file" in outcome.output
    assert outcome.output.count("Read-only file system") == 2
    assert (await run("cat ~/kept")).output == "y\n"


@needs_containers
async def test_there_is_a_loopback_and_no_other_network(run: Run):
    serve = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(socket.create_connection(s.getsockname()) and 'fine')"
    assert (await run(f'python3 -c "{serve}"')).output == "fine\n"
    assert (await run("ls /sys/class/net")).output == "lo\n"


@needs_containers
async def test_a_command_ends_as_it_would_elsewhere_and_leaves_no_container(run: Run):
    before = containers()
    assert (await run("exit 7")).exit_code == 7
    assert (await run("kill -9 $$")).exit_code == -9
    assert (await run("sleep 300 & echo begun; exit 3")).exit_code == 3
    assert (await run("sleep 300", timeout_s=2)).timed_out
    assert containers() == before


@needs_containers
async def test_the_environment_is_the_command_s_and_not_in_its_arguments(
    run: Run, root: Path, env: dict[str, str]
):
    assert (await run("echo $GIT_AUTHOR_NAME")).output == "Ada\n"
    settings = load_settings(root, env={}, flags={"sandbox": {"backend": "docker"}}).sandbox
    confined = choose(settings, root, env).sandbox.confine(["true"], cwd=root, env=env, looks=True)
    assert not any("Ada" in word for word in confined.argv)


def test_without_docker_and_podman_that_is_said(root: Path, env: dict[str, str], tmp_path: Path):
    settings = load_settings(root, env={}, flags={"sandbox": {"backend": "docker"}}).sandbox
    choice = choose(settings, root, env | {"PATH": str(tmp_path)})
    assert choice.missing == "no container runs here: neither docker nor podman is installed"
    assert choice.cure


@needs_containers
def test_a_path_that_cannot_be_mounted_is_refused(env: dict[str, str], tmp_path: Path):
    root = tmp_path / "a,b"
    root.mkdir()
    settings = load_settings(root, env={}, flags={"sandbox": {"backend": "docker"}}).sandbox
    with pytest.raises(UsageError, match="comma"):
        choose(settings, root, env).sandbox.confine(["true"], cwd=root, env=env)
