import asyncio
import shlex
import sys
from collections.abc import Callable

import pytest
from tests.unit.tools.processes import nothing_is_left_in

from codeflow.tools.commands import read_output, run_command, stop_command
from codeflow.tools.process_runs import KEPT_BYTES
from codeflow.tools.workspace import Workspace


async def test_a_cut_output_can_be_read_page_by_page_to_its_end(make_workspace: Callable[..., Workspace]):
    ws = make_workspace(limit=200)
    cut = await run_command.function(ws, "seq 1 1000")
    assert cut.content.endswith(
        "[the output had 3,893 characters; all of it: read_output cmd-1 with a start_line]"
    )
    seen: list[str] = []
    next_line = 1
    while next_line <= 1000:
        content = (await read_output.function(ws, "cmd-1", next_line)).content
        lines = content.split("\n")[3:]
        seen += [line for line in lines if not line.startswith("[")]
        next_line = len(seen) + 1
    assert seen == [str(number) for number in range(1, 1001)]


async def test_the_end_is_read_with_a_negative_line(ws: Workspace):
    await run_command.function(ws, "seq 1 1000")
    content = (await read_output.function(ws, "cmd-1", -2)).content
    assert content.endswith("lines 999-1000 of 1,000:\n999\n1000")


async def test_reading_behind_the_end_says_so(ws: Workspace):
    await run_command.function(ws, "true")
    assert "(no output from line 5 on)" in (await read_output.function(ws, "cmd-1", 5)).content


async def test_an_unknown_id_names_the_known_ones(ws: Workspace):
    await run_command.function(ws, "true")
    result = await read_output.function(ws, "cmd-9")
    assert result.content == "There is no output 'cmd-9'; known are: cmd-1."


async def test_a_background_command_is_followed_and_ends_by_itself(ws: Workspace):
    started = await run_command.function(
        ws, "echo up; until [ -e go ]; do sleep 0.02; done; echo down; exit 3", background=True
    )
    assert started.content.split("\n")[1:] == ["running", "lines 1-1 of 1:", "up"]
    (ws.root / "go").touch()
    ended = await read_output.function(ws, "cmd-1", 2, 20)
    assert ended.display.startswith("cmd-1 ended: exit code 3, ")
    assert ended.content.endswith("\ndown")


async def test_a_background_command_that_fails_at_once_is_seen_at_once(ws: Workspace):
    started = await run_command.function(ws, "no-such-program", background=True)
    assert "ended: exit code 127" in started.content


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
async def test_stopping_ends_the_whole_tree(ws: Workspace):
    await run_command.function(ws, "sleep 60 & echo $! > pid; echo $$ > shell; wait", background=True)
    stopped = await stop_command.function(ws, "cmd-1")
    assert stopped.display == "cmd-1 stopped"
    assert await asyncio.to_thread(nothing_is_left_in, ws.root)
    assert "is not running" in (await stop_command.function(ws, "cmd-1")).content


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
async def test_closing_ends_background_commands_and_removes_what_was_kept(ws: Workspace):
    await run_command.function(ws, "echo $$ > pid; sleep 60", background=True)
    run = ws.runs.find("cmd-1")
    folders = (ws.runs.folder(), run.path.parent)
    for folder in folders:
        assert folder.stat().st_mode & 0o077 == 0
        assert not folder.is_relative_to(ws.root)
    ws.runs.close()
    with pytest.raises(BaseException):  # noqa: B017, PT011 - a cancelled task ends with CancelledError
        await run.task  # type: ignore[misc]
    assert await asyncio.to_thread(nothing_is_left_in, ws.root)
    assert not any(folder.exists() for folder in folders)


async def test_agents_share_the_commands_of_their_run(ws: Workspace):
    await run_command.function(ws, "echo seen")
    assert "seen" in (await read_output.function(ws.for_agent("coder"), "cmd-1")).content


@pytest.mark.slow
async def test_a_gigabyte_of_output_stays_within_its_bounds(make_workspace: Callable[..., Workspace]):
    ws = make_workspace(timeout_s=60)
    writer = "import os\nfor _ in range(1000): os.write(1, b'x' * 999_999 + b'\\n')"
    result = await run_command.function(ws, f"{shlex.quote(sys.executable)} -c {shlex.quote(writer)}")
    assert result.display.startswith("exit code 0")
    assert "the first 20 MB of it: read_output cmd-1" in result.content
    assert ws.runs.find("cmd-1").path.stat().st_size == KEPT_BYTES
    page = (await read_output.function(ws, "cmd-1")).content
    assert len(page) < 25_000
    assert page.endswith("[only the first 20 MB of 1,000,000,000 bytes were kept]")


async def test_a_kept_result_is_private_and_read_like_an_output(ws: Workspace):
    ws.runs.outputs = ws.root.parent / "outputs" / "s1"
    name = ws.runs.keep("look a.py", "first\nsecond\n")
    assert name == "res-1"
    assert (ws.runs.outputs / "res-1.txt").stat().st_mode & 0o077 == 0
    assert ws.runs.outputs.stat().st_mode & 0o077 == 0
    content = (await read_output.function(ws, name, 2)).content
    assert content == "res-1: look a.py\nlines 2-2 of 2:\nsecond"


async def test_a_resumed_session_reads_on_and_counts_on(
    ws: Workspace, make_workspace: Callable[..., Workspace]
):
    ws.runs.outputs = ws.root.parent / "outputs" / "s1"
    await run_command.function(ws, "echo before")
    ws.runs.close()
    resumed = make_workspace()
    resumed.runs.outputs = ws.runs.outputs
    assert "before" in (await read_output.function(resumed, "cmd-1")).content
    assert (await run_command.function(resumed, "echo after")).content.startswith("$ echo after\nexit code 0")
    assert "after" in (await read_output.function(resumed, "cmd-2")).content
    assert "no output '../s1/cmd-1'" in (await read_output.function(resumed, "../s1/cmd-1")).content


async def test_what_cannot_be_stored_has_no_id(ws: Workspace):
    (ws.root / "taken").touch()
    ws.runs.outputs = ws.root / "taken" / "s1"
    assert ws.runs.keep("look", "text") == ""
