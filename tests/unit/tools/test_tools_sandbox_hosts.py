"""Commands in the real sandbox that may reach some hosts, with the programs that people use."""

import os
import shutil
import ssl
import subprocess
import sys
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from tests.attacks.world import NO_SANDBOX

from codeflow.core.settings import load_settings
from codeflow.tools.commands import verdict
from codeflow.tools.process import Outcome, execute
from codeflow.tools.sandbox.choosing import choose
from codeflow.tools.workspace import Workspace

pytestmark = pytest.mark.skipif(bool(NO_SANDBOX), reason=f"no sandbox on this machine: {NO_SANDBOX}")

Run = Callable[..., Awaitable[Outcome]]
VIA_PROXY = "export NO_PROXY= no_proxy=; "
"""Else programs go straight to the port of the sandbox's loopback that stands for the machine's."""


@pytest.fixture
def run(tmp_path: Path, env: dict[str, str]) -> Iterator[Run]:
    """Runs a shell line in a sandbox that reaches the hosts."""
    root = tmp_path / "work"
    root.mkdir()
    made: list[Workspace] = []

    async def run(line: str, *hosts: str) -> Outcome:
        settings = load_settings(root, env={}, flags={"sandbox": {"hosts": hosts}})
        ws = Workspace(root, settings.tools, env, sandbox=choose(settings.sandbox, root, env).sandbox)
        made.append(ws)
        return await execute(
            line, cwd=root, env=ws.env, timeout_s=60, output_limit_chars=20_000, confine=ws.confining()
        )

    yield run
    for ws in made:
        ws.runs.close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


class Files(ThreadingHTTPServer):
    """A web server of the files in a folder; `host` is how a setting names it."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(("127.0.0.1", 0), partial(_Quiet, directory=folder))
        self.folder = folder
        self.host = f"localhost:{self.server_port}"


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    with Files(tmp_path / "served") as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_a_named_port_of_this_machine_is_there_with_and_without_the_proxy(run: Run, files: Files):
    (files.folder / "x").write_text("hello")
    line = f"curl -sS http://{files.host}/x"
    assert (await run(line, files.host)).output == "hello"
    assert (await run(VIA_PROXY + line, files.host)).output == "hello"
    assert (await run(line)).exit_code == 7  # not without the setting


async def test_several_requests_of_one_program_are_answered(run: Run, files: Files):
    for name in "abc":
        (files.folder / name).write_text(name * 100_000)
    line = f"curl -sS http://{files.host}/[a-c] | wc -c"
    assert (await run(VIA_PROXY + line, files.host)).output.strip() == "300000"


async def test_an_encrypted_connection_is_the_command_s_own(run: Run, files: Files, tmp_path: Path):
    context = _certificate(tmp_path, tmp_path / "work/cert.pem")
    files.socket = context.wrap_socket(files.socket, server_side=True)
    (files.folder / "x").write_text("hello")
    outcome = await run(f"{VIA_PROXY}curl -sS --cacert cert.pem https://{files.host}/x", files.host)
    assert outcome.output == "hello"


def _publish(folder: Path, scratch: Path) -> None:
    """A repository and an index with one package."""
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q", "-b", "main", "made"], cwd=scratch, check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], cwd=scratch / "made", check=True)
    subprocess.run([*git, "clone", "-q", "--bare", "made", folder / "made.git"], cwd=scratch, check=True)
    subprocess.run([*git, "update-server-info"], cwd=folder / "made.git", check=True)
    index = folder / "simple/tiny-made"
    index.mkdir(parents=True)
    about = "Metadata-Version: 2.1\nName: tiny-made\nVersion: 1.0\n"
    with zipfile.ZipFile(index / "tiny_made-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_made-1.0.dist-info/METADATA", about)
        wheel.writestr("tiny_made-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr("tiny_made-1.0.dist-info/RECORD", "")


def _certificate(scratch: Path, file: Path) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate of its own for localhost."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl makes the certificate and is not installed")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make = [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    key = scratch / "key.pem"
    subprocess.run([*make, "-keyout", str(key), "-out", str(file)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return context


async def test_git_clones_and_pip_downloads(run: Run, files: Files, tmp_path: Path):
    _publish(files.folder, tmp_path)
    outcome = await run(
        f"{VIA_PROXY}git clone -q http://{files.host}/made.git && git -C made log --format=%s && "
        f"{sys.executable} -m pip --isolated download -q --disable-pip-version-check --no-deps "
        f"-i http://{files.host}/simple tiny-made && ls *.whl",
        files.host,
    )
    assert outcome.output.split() == ["first", "tiny_made-1.0-py3-none-any.whl"]


async def test_a_refused_host_is_told(run: Run):
    outcome = await run("curl -sS https://secret.loot.example/; curl -sS http://other.example/", "pypi.org")
    assert "403" in outcome.output
    assert "codeflow: other.example:80 is not in sandbox.hosts" in outcome.output
    assert outcome.output.rstrip().endswith(
        "[refused by the user's sandbox.hosts: secret.loot.example:443, other.example:80; only the user can allow more]"
    )
    assert verdict(outcome, 1).endswith("; 2 hosts refused")


async def test_the_command_is_as_it_would_be_without_a_proxy(run: Run):
    line = "ls /proc/self/fd | wc -l; cat /proc/self/status | grep -e SigIgn -e SigBlk; ps -e --no-headers | wc -l; exit 7"
    plain, proxied = await run(line), await run(line, "pypi.org")
    assert plain.output == proxied.output
    assert plain.exit_code == proxied.exit_code == 7
    killed = await run("kill -TERM $$", "pypi.org")
    assert killed.exit_code == -15


async def test_a_missing_program_says_so(run: Run, tmp_path: Path, env: dict[str, str]):
    root = tmp_path / "work"
    settings = load_settings(root, env={}, flags={"sandbox": {"hosts": ["pypi.org"]}})
    sandbox = choose(settings.sandbox, root, env).sandbox
    outcome = await execute(
        ["no-such-program"], cwd=root, env=env, timeout_s=20, output_limit_chars=1000,
        confine=lambda command, cwd, env: sandbox.confine(command, cwd=cwd, env=env),
    )  # fmt: skip
    assert outcome.exit_code == 127
    assert outcome.output.strip() == "no-such-program: No such file or directory"


async def test_the_proxy_is_gone_with_the_command(run: Run, files: Files):
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - as short as can be
    await run(
        f"(curl -sN http://{files.host}/ >/dev/null; sleep 60) & curl -s http://{files.host}/", files.host
    )
    await run("exit 1", files.host)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
