"""Commands held by Landlock and seccomp, as where bubblewrap cannot run."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.tools.web_server import running_web_server

from codeflow.core.settings import load_settings
from codeflow.tools.process import Outcome, execute
from codeflow.tools.sandbox import journal, landlock, restricted
from codeflow.tools.sandbox.choosing import choose
from codeflow.tools.sandbox.originals import copied
from codeflow.tools.sandbox.protected import Protection
from codeflow.tools.sandbox.watch import Watch
from codeflow.tools.workspace import Workspace

pytestmark = pytest.mark.skipif(bool(landlock.problem()), reason=f"no Landlock: {landlock.problem()}")

Run = Callable[..., Awaitable[Outcome]]


@pytest.fixture
def root(tmp_path: Path, env: dict[str, str]) -> Path:
    folder = tmp_path / "home/work"
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    return folder


@pytest.fixture
def env(tmp_path: Path, env: dict[str, str]) -> dict[str, str]:
    folders = {"CACHE": "cache", "CONFIG": "config", "STATE": "state"}
    return env | {f"XDG_{name}_HOME": str(tmp_path / folder) for name, folder in folders.items()}


@pytest.fixture
def run(root: Path, env: dict[str, str]) -> Iterator[Run]:
    settings = load_settings(root, env={}, flags={"sandbox": {"backend": "landlock"}})
    ws = Workspace(root, settings.tools, env, sandbox=choose(settings.sandbox, root, env).sandbox)

    async def run(line: str, manager: str = "") -> Outcome:
        confine = ws.confining(manager)
        return await execute(
            line, cwd=root, env=ws.env, timeout_s=60, output_limit_chars=20_000, confine=confine
        )

    yield run
    ws.runs.close()


WORKS = {
    "git": "git -c user.name=A -c user.email=a@b commit -q --allow-empty -m x && git log --format=%s",
    "a file of one's own": "mkdir -p a/b && echo x > a/b/c && mv a/b/c d && ln d e && cat e",
    "a here-document": "cat <<< x",
    "a pipe with a name": "mkfifo f && (echo x > f & cat f); rm f",
    "threads and programs": "python3 -c \"import threading,subprocess; t=threading.Thread(target=print,args=('x',)); t.start()\"",
    "a temporary file": "file=$(mktemp) && echo x > $file && cat $file",
    "the home folder": "echo x > ~/f && cat ~/f",
    "a pair of sockets": "python3 -c \"import asyncio;asyncio.run(asyncio.sleep(0));print('x')\"",
    "what is in another's process": "sleep 1 & cat /proc/$!/environ > /dev/null && echo x; kill $!",
}


@pytest.mark.parametrize("line", WORKS.values(), ids=WORKS)
async def test_usual_work_is_done(run: Run, line: str):
    outcome = await run(line)
    assert (outcome.exit_code, outcome.output.strip()) == (0, "x")


async def test_an_exit_code_and_a_signal_are_the_command_s(run: Run):
    assert (await run("exit 7")).exit_code == 7
    assert (await run("kill -TERM $$")).exit_code == -signal.SIGTERM
    plain = await run("grep -e SigIgn -e SigBlk /proc/self/status; ls /proc/self/fd | wc -l")
    _, blocked, _, ignored, descriptors = plain.output.split()
    known = sum(1 << number - 1 for number in signal.Signals)  # the C library keeps some of its own
    assert (int(blocked, 16) & known, int(ignored, 16) & known, descriptors) == (0, 0, "4")


async def test_the_home_lasts_and_the_temporary_folder_does_not(run: Run, tmp_path: Path):
    first = await run(
        "touch ~/kept; mkdir -p $TMPDIR/a/b; touch $TMPDIR/a/b/c; chmod 0 $TMPDIR/a; echo $TMPDIR"
    )
    assert "/commands/" in first.output
    assert not list((tmp_path / "cache").glob("codeflow/sandbox/*/commands/*"))
    assert (await run("ls ~")).output.split() == ["kept", "work"]
    assert not (tmp_path / "home/kept").exists()


async def test_toolchains_of_the_user_are_found_in_the_commands_home(run: Run, tmp_path: Path):
    tool = tmp_path / "home/.local/bin/tool"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/bin/sh\necho found")
    tool.chmod(0o755)
    assert (await run("~/.local/bin/tool")).output.strip() == "found"
    assert (await run("echo evil > ~/.local/bin/tool")).exit_code != 0
    assert "echo found" in tool.read_text()


async def test_secrets_of_the_system_are_hidden_in_what_is_shown(run: Run):
    assert (await run("cat /etc/passwd")).exit_code == 0
    assert (await run("cat /etc/shadow")).exit_code != 0
    assert (await run("cat /etc/ssh/* || cat /etc/ssl/private/*")).exit_code != 0


async def test_protected_files_are_put_back_and_told(run: Run, root: Path, tmp_path: Path):
    hook, workflow = root / ".git/hooks/pre-push", root / ".github/workflows/ci.yml"
    hook.write_text("#!/bin/sh\n")
    workflow.parent.mkdir(parents=True)
    workflow.write_text("run: tests\n")
    (root / ".envrc").symlink_to("elsewhere")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    outcome = await run(
        f"echo evil > {hook}; chmod +x {hook}; rm -r .github; ln -s {elsewhere} .github; rm .envrc; echo evil > .envrc; "
        "git config core.pager evil; touch .vscode"
    )
    assert hook.read_text() == "#!/bin/sh\n"
    assert not os.access(hook, os.X_OK)
    assert workflow.read_text() == "run: tests\n"
    assert not workflow.parent.parent.is_symlink()
    assert (root / ".envrc").readlink() == Path("elsewhere")
    assert "evil" not in (root / ".git/config").read_text()
    assert not list(elsewhere.iterdir())
    for name in (".git/hooks", ".github/workflows", ".envrc", ".git/config", ".vscode"):
        assert f"{root / name} is protected" in outcome.output
    assert len(outcome.notes) == 6  # .github itself


async def test_a_command_that_changes_nothing_protected_is_told_nothing(run: Run, root: Path):
    (root / ".github/workflows").mkdir(parents=True)
    (root / ".github/workflows/ci.yml").write_text("run: tests\n")
    assert not (await run("touch a; git add a; git status --short")).notes


def test_a_change_that_nobody_could_put_back_is_told_later(root: Path, tmp_path: Path):
    config = root / ".git/config"
    copies = copied([config, root / ".git/hooks"], [root], tmp_path)
    watch = Watch(Protection((), (), (), ()), tmp_path / "aside", None, copies=copies)
    held = journal.begin(tmp_path / "journals", watch)
    config.write_text("evil")
    assert not list(journal.told_late(tmp_path / "journals"))  # it is still held
    held._held.close()
    (told,) = journal.told_late(tmp_path / "journals")
    assert told.endswith(f"before the command: {config}")


NETWORK = {
    "TCP": "socket.create_connection(('127.0.0.1', 9))",
    "its own loopback": "socket.socket().bind(('127.0.0.1', 0))",
    "UDP": "socket.socket(2, 2)",
    "IPv6": "socket.socket(10)",
    "raw": "socket.socket(2, 3, 1)",
    "netlink": "socket.socket(16, 3)",
    "packets": "socket.socket(17, 3)",
    "a socket with a path": "socket.socket(1)",
    "a pair of datagram sockets": "socket.socketpair(1, 2)",
    "a virtual machine's host": "socket.socket(40, 1)",
}


@pytest.mark.parametrize("expression", NETWORK.values(), ids=NETWORK)
async def test_there_is_no_socket(run: Run, expression: str):
    outcome = await run(f'python3 -c "import socket; {expression}"')
    assert "PermissionError: [Errno 1]" in outcome.output


async def test_a_package_manager_has_the_network(run: Run):
    with running_web_server() as server:
        server.says("/x", "hello")
        assert (await run(f"curl -sS {server.url}/x", manager="pip")).output == "hello"
        assert (await run(f"curl -sS {server.url}/x")).exit_code == 7
    unix = await run('python3 -c "import socket; socket.socket(1)"', manager="pip")
    assert "PermissionError" in unix.output


async def test_others_cannot_be_ended_looked_into_or_limited(run: Run):
    me = os.getpid()
    outcome = await run(
        f"kill -0 {me} && echo broken; kill -9 $PPID; cat /proc/{me}/environ && echo broken; readlink /proc/{me}/fd/* && echo broken; "
        f"prlimit --pid {me} --nofile=1024:1024 && echo broken; echo end"
    )
    assert "broken" not in outcome.output
    assert outcome.output.rstrip().endswith("end")


MACHINE = os.uname().machine
CALLS = restricted._REFUSED[MACHINE] | restricted._REFUSED_EVERYWHERE


async def test_system_calls_that_loosen_a_sandbox_are_refused(run: Run):
    program = (
        "import ctypes, json, os; call = ctypes.CDLL(None, use_errno=True).syscall\n"
        f"for name, number in json.loads({json.dumps(CALLS)!r}).items():\n"
        "    ctypes.set_errno(0)\n"
        "    if (call(number, -1, -1, -1, -1, -1), ctypes.get_errno()) != (-1, 1): print(name, ctypes.get_errno())\n"
        "for flag in (0x20000, 0x10000000, 0x40000000):\n"
        f"    if call({restricted._JUDGED[MACHINE]['clone']}, flag, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 1: print('clone', flag)\n"
        "if call(435, 0, 0) != -1 or ctypes.get_errno() != 38: print('clone3')\n"
    )
    outcome = await run(f"{sys.executable} - <<'END'\n{program}END\n")
    assert (outcome.exit_code, outcome.output) == (0, "")


async def test_rights_are_gone(run: Run):
    outcome = await run("grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; mknod d b 8 0")
    fields = dict(line.split(":\t") for line in outcome.output.splitlines()[:4])
    assert fields["CapEff"] == "0" * 16
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")
    assert outcome.exit_code != 0


async def test_a_missing_program_says_so(root: Path, env: dict[str, str]):
    settings = load_settings(root, env={}, flags={"sandbox": {"backend": "landlock"}})
    sandbox = choose(settings.sandbox, root, env).sandbox
    outcome = await execute(
        ["no-such-program"], cwd=root, env=env, timeout_s=20, output_limit_chars=1000,
        confine=lambda command, cwd, env: sandbox.confine(command, cwd=cwd, env=env),
    )  # fmt: skip
    assert outcome.exit_code == 127
    assert outcome.output.strip() == "no-such-program: No such file or directory"


def test_it_is_taken_where_bubblewrap_is_missing_and_says_that_it_is_weaker(
    root: Path, env: dict[str, str], tmp_path: Path
):
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").symlink_to(shutil.which("git") or "git")
    settings = load_settings(root, env={}).sandbox
    choice = choose(settings, root, env | {"PATH": str(programs)})
    assert choice.sandbox.name == "landlock"
    assert "bubblewrap is not installed" in choice.weaker
    assert "apt install bubblewrap" in choice.cure
    only = load_settings(root, env={}, flags={"sandbox": {"backend": "bubblewrap"}}).sandbox
    assert choose(only, root, env | {"PATH": str(programs)}).missing == "bubblewrap is not installed"


def test_it_is_not_taken_where_it_could_hide_nothing(env: dict[str, str], tmp_path: Path):
    (tmp_path / "home/.ssh").mkdir()
    settings = load_settings(tmp_path, env={}, flags={"sandbox": {"backend": "landlock"}}).sandbox
    choice = choose(settings, tmp_path / "home", env)
    assert f"cannot hide {tmp_path / 'home/.ssh'}" in choice.missing
