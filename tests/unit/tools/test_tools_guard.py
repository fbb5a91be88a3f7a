"""What commands leave behind when codeflow, their guard or their memory comes to an end."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.tools.processes import at_work_in, nothing_is_left_in

from codeflow.tools.commands import run_command
from codeflow.tools.execution import execute_code
from codeflow.tools.memory import command_memory_bytes, half_of_memory
from codeflow.tools.process import Outcome, execute
from codeflow.tools.workspace import Workspace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the guard adopts orphans on Linux only")

# A daemon: two forks, a session of its own, an empty environment, deaf to SIGTERM; says its process id.
DAEMON = """
import os, signal, sys
if os.fork(): sys.exit()
os.setsid()
if os.fork(): sys.exit()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.execve(sys.executable, [sys.executable, "-c",
    "import os, time; open('daemon.part', 'w').write(str(os.getpid())); os.rename('daemon.part', 'daemon');"
    "time.sleep(100)"], {})
"""
STUBBORN = f"trap '' TERM HUP INT; {shlex.quote(sys.executable)} -c {shlex.quote(DAEMON)}; echo $$ > shell; sleep 100 & wait; sleep 100"
CLIENT = """
import asyncio, os, sys
from pathlib import Path
from codeflow.tools.process import execute
asyncio.run(execute(sys.argv[1], cwd=Path.cwd(), env=os.environ, timeout_s=100, output_limit_chars=1000))
"""
HOLD = "import time\nheld = bytearray(SIZE)\nfor n in range(0, SIZE, 4096): held[n] = 1\n"


async def run(
    command: str | list[str], cwd: Path, *, timeout_s: float = 30, memory_bytes: int | None = None
) -> Outcome:
    return await execute(
        command,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd)},
        timeout_s=timeout_s,
        output_limit_chars=2000,
        memory_bytes=memory_bytes,
    )


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def appears(path: Path) -> int:
    """The process id that a command writes to a file once it has started."""
    while not path.exists() or not path.read_text().strip():
        time.sleep(0.01)
    return int(path.read_text())


def ends(pid: int) -> bool:
    for _ in range(1000):
        if not is_running(pid):
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_codeflow_leaves_no_command_and_no_daemon(tmp_path: Path, number: signal.Signals):
    client = subprocess.Popen([sys.executable, "-c", CLIENT, STUBBORN], cwd=tmp_path)
    pids = [appears(tmp_path / "shell"), appears(tmp_path / "daemon")]
    assert all(map(is_running, pids))
    client.send_signal(number)
    client.wait()
    assert [ends(pid) for pid in pids] == [True, True]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("run_command", {"command": STUBBORN}),
        ("execute_code", {"language": "shell", "code": "cd FOLDER_OF_TEST\n" + STUBBORN}),
        ("run_tests", {}),
    ],
)
def test_a_tool_run_by_hand_leaves_nothing_when_it_is_ended(
    tmp_path: Path, tool: str, arguments: dict[str, object], number: signal.Signals
):
    env = {
        name: os.environ[name]
        for name in ("PATH", "PYTHONPATH", "CODEFLOW_SANDBOX__BACKEND")
        if name in os.environ
    }
    env |= {
        "HOME": str(tmp_path / "home"),
        "CODEFLOW_GATES__TESTS": STUBBORN,
    }
    argv = [
        "tools",
        "run",
        tool,
        "--mode",
        "auto",
        "--json",
        json.dumps(arguments).replace("FOLDER_OF_TEST", str(tmp_path)),
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "codeflow", *argv], cwd=tmp_path, env=env, stderr=subprocess.DEVNULL
    )
    for name in ("shell", "daemon"):
        appears(tmp_path / name)
    assert len(at_work_in(tmp_path)) > 2
    process.send_signal(number)
    assert process.wait() == (-number if number is signal.SIGKILL else 130)
    assert nothing_is_left_in(tmp_path)


async def test_a_daemon_with_an_empty_environment_ends_with_its_command(tmp_path: Path):
    script = (
        f"{shlex.quote(sys.executable)} -c {shlex.quote(DAEMON)}; until [ -s daemon ]; do sleep 0.01; done"
    )
    assert (await run(script, tmp_path)).exit_code == 0
    assert not is_running(int((tmp_path / "daemon").read_text()))


async def test_a_command_that_kills_its_guard_is_told_and_leaves_nothing(tmp_path: Path):
    outcome = await run(
        "sleep 100 & echo $! > child; echo so far; kill -9 $PPID; sleep 100", tmp_path, timeout_s=20
    )
    assert (outcome.exit_code, outcome.timed_out) == (-9, False)
    assert outcome.output.startswith("so far\n\n[stopped: the command's parent process")
    assert "kill -9 $PPID" in outcome.problem
    assert ends(int((tmp_path / "child").read_text()))


@pytest.mark.slow
@pytest.mark.parametrize("kill", ["kill $PPID", "kill -INT $PPID", "kill -9 0", "kill -9 -$$"])
async def test_other_kills_reach_no_guard(tmp_path: Path, kill: str):
    outcome = await run(f"{kill}; echo alive", tmp_path)
    assert outcome.problem == ""
    assert (outcome.exit_code, outcome.output) in [(0, "alive\n"), (-9, "")]


@pytest.mark.slow
async def test_a_stopped_guard_does_not_outlive_the_time_limit(tmp_path: Path):
    outcome = await run("echo $PPID > guard; kill -STOP $PPID; sleep 100", tmp_path, timeout_s=1)
    assert outcome.timed_out
    assert ends(int((tmp_path / "guard").read_text()))


async def test_too_much_memory_ends_the_whole_tree_with_a_reason(tmp_path: Path):
    hold = HOLD.replace("SIZE", "400_000_000") + "time.sleep(100)"
    command = f"sleep 100 & echo $! > child; {shlex.quote(sys.executable)} -c {shlex.quote(hold)}; echo never"
    outcome = await run(command, tmp_path, memory_bytes=200_000_000)
    assert (outcome.exit_code, outcome.timed_out, outcome.was_stopped) == (-9, False, True)
    assert "more than the 0.2 GB of tools.command_memory_mb" in outcome.output
    assert "never" not in outcome.output
    assert not is_running(int((tmp_path / "child").read_text()))


async def test_memory_that_forked_processes_share_is_counted_once(tmp_path: Path):
    fork = "import os\nfor _ in range(5):\n    if not os.fork(): time.sleep(1); os._exit(0)\nfor _ in range(5): os.wait()\n"
    hold = HOLD.replace("SIZE", "100_000_000") + fork
    outcome = await run([sys.executable, "-c", hold], tmp_path, memory_bytes=300_000_000)
    assert (outcome.exit_code, outcome.problem) == (0, "")


async def test_the_setting_limits_commands_and_snippets(make_workspace: Callable[..., Workspace]):
    ws = make_workspace(memory_mb=100)
    hold = HOLD.replace("SIZE", "300_000_000") + "time.sleep(100)"
    for result in (
        await run_command.function(ws, f"{shlex.quote(sys.executable)} -c {shlex.quote(hold)}"),
        await execute_code.function(ws, "python", hold),
    ):
        assert result.is_error
        assert result.display.startswith("stopped: the command and what it started held ")
        assert "make it use or print less" in result.content


def test_the_limit_is_half_of_the_machine_unless_set():
    assert command_memory_bytes("auto") == half_of_memory()
    assert 0 < half_of_memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    assert command_memory_bytes(512) == 512_000_000
