"""Servers that misbehave, each a real process that speaks just enough of the protocol."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from codeflow.core.errors import UsageError
from codeflow.tools.environment import scrubbed_environment
from codeflow.tools.lsp.languages import load_languages
from codeflow.tools.lsp.servers import Servers
from codeflow.tools.lsp.values import Deadlines, Location, NoAnswer, Position
from codeflow.tools.tool import Mistake

SERVER = r"""#!{python}
import json, os, signal, sys, time
from pathlib import Path

MANNERS = sys.argv[1]
STARTS = Path(sys.argv[2])
STARTS.open("a").write(f"{{os.getpid()}}\n")
STATUS = ["Starting", "Starting", "Starting", "ServiceReady"]

def read():
    length = 0
    while (line := sys.stdin.buffer.readline()).strip():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    if not length:
        signal.pause() if MANNERS == "deaf" else sys.exit(0)
    return json.loads(sys.stdin.buffer.read(length))

def write(body):
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    sys.stdout.buffer.flush()

def answer(message, result):
    write(json.dumps({{"jsonrpc": "2.0", "id": message["id"], "result": result}}).encode())

def define(message):
    starts = len(STARTS.read_text().splitlines())
    if MANNERS == "dies always" or (MANNERS == "dies once" and starts == 1):
        print("out of luck", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    if MANNERS == "no json":
        return write(b"{{this is no json")
    if MANNERS == "no lsp":
        return answer(message, {{"uri": 42}})
    if MANNERS == "no frames":
        sys.stdout.write("x" * 200_000)
        return sys.stdout.flush()
    if MANNERS == "silent":
        return None
    if MANNERS == "refuses":
        error = {{"code": -32803, "message": "not today"}}
        return write(json.dumps({{"jsonrpc": "2.0", "id": message["id"], "error": error}}).encode())
    if MANNERS == "complains":
        write(json.dumps({{"jsonrpc": "2.0", "method": "window/showMessage", "params": {{"type": 1, "message": "no\nsysroot"}}}}).encode())
        return answer(message, None)
    if MANNERS == "reads on" and STATUS:
        status = {{"type": STATUS.pop(0), "message": ""}}
        write(json.dumps({{"jsonrpc": "2.0", "method": "language/status", "params": status}}).encode())
        if STATUS:
            return answer(message, None)
    place = {{"line": 1, "character": 2}}
    uri = message["params"]["textDocument"]["uri"]
    return answer(message, {{"uri": uri, "range": {{"start": place, "end": place}}}})

if MANNERS == "floods":
    sys.stderr.write("noise\n" * 200_000)
if MANNERS == "no start":
    sys.exit("starting up\nerror: cannot read its configuration\nStack backtrace:\n   15: <unknown>")
while True:
    message = read()
    match message.get("method"):
        case "initialize" if MANNERS != "mute":
            answer(message, {{"capabilities": {{}}}})
        case "textDocument/definition":
            define(message)
        case "shutdown":
            answer(message, None)
        case "exit" if MANNERS != "deaf":
            sys.exit(0)
"""

QUICK = Deadlines(start=5.0, place=5.0)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.odd").write_text("first\nsecond\n")
    return folder


@pytest.fixture
def starts(tmp_path: Path) -> Callable[[], list[int]]:
    """The process id of each start so far."""
    return lambda: [int(line) for line in (tmp_path / "starts").read_text().split()]


@pytest.fixture
def configure(tmp_path: Path, env: dict[str, str]) -> Callable[..., dict[str, str]]:
    """Makes servers with these manners the ones for .odd files."""
    program = tmp_path / "bin/odd-server"
    program.parent.mkdir()
    program.write_text(SERVER.format(python=sys.executable))
    program.chmod(0o755)

    def write(*manners: str) -> dict[str, str]:
        commands = [{"command": ["odd-server", manner, str(tmp_path / "starts")]} for manner in manners]
        rows = ", ".join(f"{{ command = {json.dumps(entry['command'])} }}" for entry in commands)
        own = tmp_path / "config/codeflow/languages.toml"
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(
            f'[odd]\nextensions = {{ ".odd" = "odd" }}\nroots = ["odd.top"]\ninstall = "odd"\nservers = [{rows}]\n'
        )
        env["PATH"] = f"{program.parent}:{env['PATH']}"
        env["XDG_CONFIG_HOME"] = str(tmp_path / "config")
        return env

    return write


@pytest.fixture
async def serve(top: Path, configure: Callable[..., dict[str, str]]) -> AsyncIterator[Callable[..., Servers]]:
    made: list[Servers] = []

    def make(*manners: str, deadlines: Deadlines = QUICK) -> Servers:
        env = scrubbed_environment(configure(*manners), top)
        made.append(Servers(top, env, deadlines=deadlines))
        return made[-1]

    yield make
    for servers in made:
        await servers.close()


async def define(servers: Servers, top: Path) -> list[Location]:
    file = top / "a.odd"
    return await servers.ask(file, lambda server: server.definition(file, Position(0, 0)))


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def environment(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_bytes().decode()


async def test_a_server_is_started_once_and_ends_with_close(
    serve: Callable[..., Servers], top: Path, starts: Callable[[], list[int]]
):
    servers = serve("polite")
    for _ in range(3):
        assert await define(servers, top) == [Location(top / "a.odd", Position(1, 2), Position(1, 2))]
    (pid,) = starts()
    assert running(pid)
    await servers.close()
    assert not running(pid)


async def test_parallel_questions_share_one_server(
    serve: Callable[..., Servers], top: Path, starts: Callable[[], list[int]]
):
    servers = serve("polite")
    answers = await asyncio.gather(*(define(servers, top) for _ in range(5)))
    assert len(answers) == 5
    assert len(starts()) == 1


async def test_one_that_is_killed_is_restarted_and_asked_again(
    serve: Callable[..., Servers], top: Path, starts: Callable[[], list[int]]
):
    servers = serve("dies once")
    assert await define(servers, top)
    assert len(starts()) == 2


async def test_the_least_used_server_makes_room(
    serve: Callable[..., Servers], top: Path, starts: Callable[[], list[int]]
):
    servers = serve("polite")
    places = [top / f"{number}/a.odd" for number in range(6)]
    for place in places:
        place.parent.mkdir()
        (place.parent / "odd.top").touch()
        place.write_text("x")
    for place in [*places, places[0]]:
        assert await define(servers, place.parent)
    assert sum(running(pid) for pid in starts()) == 4


async def test_one_that_dies_while_idle_is_restarted(
    serve: Callable[..., Servers], top: Path, starts: Callable[[], list[int]]
):
    servers = serve("polite")
    await define(servers, top)
    os.kill(starts()[0], signal.SIGKILL)
    assert await define(servers, top)


@pytest.mark.parametrize("manners", ["dies always", "no json", "no frames"])
async def test_one_that_keeps_dying_is_left_alone(
    serve: Callable[..., Servers], top: Path, starts: Callable[[], list[int]], manners: str
):
    servers = serve(manners)
    for _ in range(2):
        with pytest.raises(NoAnswer, match="keeps ending"):
            await define(servers, top)
    assert len(starts()) == 2


async def test_an_answer_that_is_not_the_protocols_fails_its_question(
    serve: Callable[..., Servers], top: Path
):
    with pytest.raises(Mistake, match="does not follow the protocol"):
        await define(serve("no lsp"), top)


async def test_a_refusal_is_passed_on(serve: Callable[..., Servers], top: Path):
    with pytest.raises(Mistake, match="not today"):
        await define(serve("refuses"), top)


async def test_silence_ends_with_the_deadline_and_the_server_stays(
    serve: Callable[..., Servers], top: Path, starts: Callable[[], list[int]]
):
    servers = serve("silent", deadlines=Deadlines(place=0.2))
    for _ in range(2):
        with pytest.raises(NoAnswer, match=r"within 0\.2 s"):
            await define(servers, top)
    assert len(starts()) == 1


async def test_one_that_never_greets_back_is_ended(
    serve: Callable[..., Servers], top: Path, starts: Callable[[], list[int]]
):
    servers = serve("mute", deadlines=Deadlines(start=0.5))
    with pytest.raises(NoAnswer, match="did not answer"):
        await define(servers, top)
    assert not running(starts()[0])


async def test_noise_on_stderr_holds_nothing_up(serve: Callable[..., Servers], top: Path):
    assert await define(serve("floods"), top)


async def test_one_that_does_not_start_gives_way_to_the_next(serve: Callable[..., Servers], top: Path):
    assert await define(serve("no start", "polite"), top)


async def test_the_reason_for_not_starting_is_told(serve: Callable[..., Servers], top: Path):
    with pytest.raises(NoAnswer) as told:
        await define(serve("no start"), top)
    assert str(told.value).endswith(": error: cannot read its configuration. If it is not installed: odd.")


async def test_a_complaint_counts_more_than_an_empty_answer(serve: Callable[..., Servers], top: Path):
    with pytest.raises(NoAnswer, match="odd-server knows nothing of it and says: no sysroot"):
        await define(serve("complains"), top)


async def test_an_empty_answer_of_one_that_still_reads_the_project_is_not_believed(
    serve: Callable[..., Servers], top: Path
):
    assert await define(serve("reads on", deadlines=Deadlines(start=5.0, place=5.0, settle=0.1)), top)


async def test_credentials_do_not_reach_it(
    serve: Callable[..., Servers], top: Path, env: dict[str, str], starts: Callable[[], list[int]]
):
    env["AWS_SECRET_ACCESS_KEY"] = "hush"
    await define(serve("polite"), top)
    assert "hush" not in environment(starts()[0])


CLIENT = """\
import asyncio, json, sys
from pathlib import Path
from codeflow.tools.lsp.servers import Servers
from codeflow.tools.lsp.values import Position

async def main():
    top = Path(sys.argv[1])
    servers = Servers(top, json.loads(sys.argv[2]))
    await servers.ask(top / "a.odd", lambda server: server.definition(top / "a.odd", Position(0, 0)))
    print("up", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_killed_codeflow_leaves_no_server_even_one_that_ignores_the_end_of_its_input(
    configure: Callable[..., dict[str, str]], top: Path, starts: Callable[[], list[int]]
):
    env = configure("deaf")
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(top), json.dumps(env)], stdout=subprocess.PIPE, text=True
    )
    with client:
        assert client.stdout
        assert client.stdout.readline() == "up\n"
        pid = starts()[0]
        assert running(pid)
        client.kill()
    for _ in range(200):
        if not running(pid):
            break
        time.sleep(0.05)
    assert not running(pid)


async def test_a_project_brings_its_own_server_only_when_trusted(
    configure: Callable[..., dict[str, str]], top: Path, env: dict[str, str], tmp_path: Path
):
    path = env["PATH"]
    configure("polite")
    env["PATH"] = path
    own = top / "node_modules/.bin/odd-server"
    own.parent.mkdir(parents=True)
    (tmp_path / "bin/odd-server").rename(own)
    stranger, friend = Servers(top, env), Servers(top, env, trusted=True)
    with pytest.raises(NoAnswer, match="trusted_folders"):
        await define(stranger, top)
    assert await define(friend, top)
    await friend.close()


async def test_a_server_that_may_not_run_is_named_beside_one_that_does_not_start(
    top: Path, env: dict[str, str], tmp_path: Path
):
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("tsc", "typescript-language-server"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)
    env = {**env, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    servers = Servers(top, env)
    with pytest.raises(NoAnswer) as refused:
        await servers.ask(top / "a.ts", lambda server: server.hover(top / "a.ts", Position(0, 0)))
    assert "tsc: " in str(refused.value)
    assert str(refused.value).startswith(
        "typescript-language-server may not run, as the user has not trusted this folder"
    )
    assert "npm install" not in str(refused.value)


async def test_without_a_server_the_answer_says_how_to_get_one(top: Path, env: dict[str, str]):
    servers = Servers(top, {**env, "PATH": ""})
    with pytest.raises(NoAnswer, match="get one with: go install"):
        await servers.ask(top / "a.go", lambda server: server.hover(top / "a.go", Position(0, 0)))
    with pytest.raises(NoAnswer, match=r"known for \.txt files"):
        await servers.ask(top / "a.txt", lambda server: server.hover(top / "a.txt", Position(0, 0)))


def test_the_nearest_marker_is_the_root(top: Path, env: dict[str, str]):
    python = load_languages(env)["python"]
    inner = top / "packages/one"
    inner.mkdir(parents=True)
    (inner / "pyproject.toml").touch()
    (top.parent / "setup.py").touch()
    assert python.root(inner / "src/a.py", top) == inner
    assert python.root(top / "a.py", top) == top


def test_an_unusable_file_of_the_users_is_named(tmp_path: Path, env: dict[str, str]):
    env["XDG_CONFIG_HOME"] = str(tmp_path)
    (tmp_path / "codeflow").mkdir()
    (tmp_path / "codeflow/languages.toml").write_text("[x]\nserver = 1\n")
    with pytest.raises(UsageError, match=r"languages\.toml"):
        load_languages(env)
