# ruff: noqa: ASYNC110, ASYNC240 - a test has the event loop to itself

import asyncio
import itertools
import os
import shlex
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.tools.output import HeadTail, plain
from codeflow.tools.process import Outcome, execute

# Sleeps for long, unaffected by SIGTERM, in a session of its own, its parents gone; says its process id.
ESCAPEE = """
import os, signal, sys, time
if os.fork(): sys.exit()
os.setsid()
if os.fork(): sys.exit()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(60)
"""


async def run(command: str | list[str], cwd: Path, *, timeout_s: float = 20, limit: int = 2000) -> Outcome:
    env = {"PATH": os.environ["PATH"], "HOME": str(cwd)}
    return await execute(command, cwd=cwd, env=env, timeout_s=timeout_s, output_limit_chars=limit)


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX"


async def appears(path: Path) -> int:
    """The process id that a command writes to a file once it has started."""
    while not path.exists() or not path.read_text().strip():
        await asyncio.sleep(0.01)
    return int(path.read_text())


async def ends(pid: int) -> bool:
    for _ in range(200):
        if not is_running(pid):
            return True
        await asyncio.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("command", "exit_code"), [("exit 7", 7), ("true", 0), ("kill -9 $$", -9), ("nonexistent-program", 127)]
)
async def test_the_exit_code_is_the_true_one(tmp_path: Path, command: str, exit_code: int):
    assert (await run(command, tmp_path)).exit_code == exit_code


async def test_both_streams_arrive_in_order_and_there_is_no_input(tmp_path: Path):
    outcome = await run("echo a; echo b >&2; cat; echo c", tmp_path)
    assert outcome.output == "a\nb\nc\n"


async def test_a_list_is_run_without_a_shell(tmp_path: Path):
    assert (await run(["printf", "%s", "$HOME; *"], tmp_path)).output == "$HOME; *"


async def test_a_program_that_cannot_be_started_is_an_os_error(tmp_path: Path):
    for command in (["no-such-program"], "echo \0", "echo \ud800"):
        with pytest.raises(OSError, match=r"No such file|no command can contain"):
            await run(command, tmp_path)


async def test_a_background_child_that_holds_the_pipe_is_ended_with_the_command(tmp_path: Path):
    outcome = await run("sleep 60 & echo $! > pid; echo done", tmp_path)
    assert (outcome.exit_code, outcome.output) == (0, "done\n")
    assert await ends(int((tmp_path / "pid").read_text()))


async def test_time_running_out_ends_the_whole_tree_and_keeps_the_output(tmp_path: Path):
    outcome = await run(
        "trap '' TERM; echo so far; sleep 60 & echo $! > pid; wait; sleep 60", tmp_path, timeout_s=0.3
    )
    assert (outcome.timed_out, outcome.exit_code, outcome.output) == (True, None, "so far\n")
    assert await ends(int((tmp_path / "pid").read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
async def test_a_daemon_in_its_own_session_does_not_outlive_the_command(tmp_path: Path):
    script = (
        f"{shlex.quote(sys.executable)} -c {shlex.quote(ESCAPEE)} pid; until [ -s pid ]; do sleep 0.01; done"
    )
    assert (await run(script, tmp_path)).exit_code == 0
    assert await ends(int((tmp_path / "pid").read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
async def test_cancelling_kills_everything_before_it_returns(tmp_path: Path):
    script = f"{shlex.quote(sys.executable)} -c {shlex.quote(ESCAPEE)} daemon; echo $$ > shell; sleep 60"
    task = asyncio.create_task(run(script, tmp_path))
    pids = [await appears(tmp_path / "shell"), await appears(tmp_path / "daemon")]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [await ends(pid) for pid in pids] == [True, True]


async def test_parallel_commands_do_not_end_each_other(tmp_path: Path):
    outcomes = await asyncio.gather(run("sleep 0.3; echo slow", tmp_path), run("echo fast", tmp_path))
    assert [outcome.output for outcome in outcomes] == ["slow\n", "fast\n"]


async def test_endless_output_is_bounded_and_cut_in_the_middle(tmp_path: Path):
    outcome = await run("seq 1 3000000; echo end; exit 3", tmp_path)
    assert outcome.exit_code == 3
    assert outcome.output.startswith("1\n2\n3\n")
    assert outcome.output.endswith("2999999\n3000000\nend\n")
    assert "lines left out ...]" in outcome.output
    assert len(outcome.output) < 2100
    assert outcome.total_chars == 22_888_900


def test_one_hundred_megabytes_stay_small_in_memory():
    output = HeadTail(1000)
    for _ in range(1600):
        output.add(b"x" * 65_536)
    assert output.total_chars == 1600 * 65_536
    assert output.text() == "x" * 500 + "\n[... the middle of a long line left out ...]\n" + "x" * 500


def test_what_fits_is_complete_and_left_out_lines_are_counted():
    output = HeadTail(200)
    output.add(b"".join(b"%03d\n" % n for n in range(50)))
    assert output.text() == "".join(f"{n:03}\n" for n in range(50))
    output.add(b"".join(b"%03d\n" % n for n in range(50, 1000)))
    assert output.text().split("\n")[24:27] == ["024", "[... 951 lines left out ...]", "976"]


@given(
    text=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=60),
    cuts=st.lists(st.integers(0, 240)),
)
def test_chunk_borders_never_show(text: str, cuts: list[int]):
    data = text.encode()
    output = HeadTail(200)
    borders = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(borders):
        output.add(data[start:end])
    assert output.text() == text
    assert output.total_chars == len(text)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1b[1;31mred\x1b[0m", "red"),
        (b"\x1b]0;title\x07x\x1b]8;;http://e\x1b\\link\x1b]8;;\x1b\\", "xlink"),
        (b"\x1b]0;never ended\nnext", "\nnext"),
        (b"10%\r50%\r100%\ndone\r\n", "100%\ndone\n"),
        (b"a\x00b\x08c\x1b(Bd\x1b=", "abcd"),
        (b"caf\xe9", "caf\ufffd"),
    ],
)
def test_terminal_output_becomes_text(data: bytes, text: str):
    assert plain(data) == text
