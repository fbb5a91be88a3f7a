import asyncio
import os
import sys
from functools import partial
from pathlib import Path

import pytest

from codeflow.core.events import Event, GateFinished, GateStarted
from codeflow.core.settings import ToolSettings
from codeflow.core.values import Gate, GateStatus
from codeflow.orchestration.gates import Gates, red
from codeflow.tools.testing.evidence import gather
from codeflow.tools.workspace import Workspace


def gates(folder: Path, *commands: tuple[str, str], refuse: str = "", **more) -> tuple[Gates, list[Event]]:
    events: list[Event] = []
    settings = ToolSettings(
        command_timeout_s=20, command_memory_mb="auto", output_limit_chars=2_000, read_limit_lines=800
    )

    async def permit(gate: Gate) -> str | None:
        return "not today" if gate.name == refuse else None

    listed = [Gate(name=name, command=command, timeout_s=20) for name, command in commands]
    run = partial(gather, Workspace(folder, settings, os.environ))
    return Gates(gates=listed, execute=run, permit=permit, emit=events.append, **more), events


async def statuses(made: Gates) -> dict[str, GateStatus]:
    return {result.name: result.status for result in await made.run()}


async def test_the_exit_code_is_the_verdict(tmp_path):
    made, events = gates(tmp_path, ("tests", "true"), ("lint", "echo bad; exit 3"))
    results = await made.run()
    assert [(r.name, r.status, r.exit_code) for r in results] == [
        ("tests", GateStatus.GREEN, 0),
        ("lint", GateStatus.RED, 3),
    ]
    assert results[1].output.strip() == "bad"
    assert [type(event) for event in events] == [GateStarted, GateFinished] * 2
    assert [result.name for result in red(results)] == ["lint"]


async def test_a_failure_that_says_nothing_new_is_not_the_runs_own(tmp_path):
    (tmp_path / "log").write_text("error in line 3: old\n")
    made, _ = gates(tmp_path, ("lint", "cat log; exit 1"))
    made.measure_baseline()
    await made.baseline_ready()
    (tmp_path / "log").write_text("error in line 12: old\n")
    assert await statuses(made) == {"lint": GateStatus.ALREADY_RED}
    (tmp_path / "log").write_text("error in line 12: old\nerror in line 1: new\n")
    assert await statuses(made) == {"lint": GateStatus.RED}


async def test_a_strict_gate_has_to_be_green_whatever_it_was_before(tmp_path):
    made, _ = gates(tmp_path, ("tests", "echo same; exit 1"), strict=frozenset({"tests"}))
    made.measure_baseline()
    await made.baseline_ready()
    assert await statuses(made) == {"tests": GateStatus.RED}


async def test_what_was_green_before_is_red_now(tmp_path):
    made, _ = gates(tmp_path, ("tests", "test ! -e broken"))
    made.measure_baseline()
    await made.baseline_ready()
    (tmp_path / "broken").touch()
    assert await statuses(made) == {"tests": GateStatus.RED}


@pytest.mark.parametrize("command", ["no-such-program-here", "pytest() { return 5; }; pytest"])
async def test_a_gate_that_cannot_show_anything_is_skipped(tmp_path, command):
    made, _ = gates(tmp_path, ("types", command))
    assert await statuses(made) == {"types": GateStatus.SKIPPED}


async def test_a_gate_that_is_not_permitted_does_not_run_and_says_why(tmp_path):
    made, _ = gates(tmp_path, ("tests", "touch ran"), refuse="tests")
    made.measure_baseline()
    await made.baseline_ready()
    (result,) = await made.run()
    assert (result.status, result.exit_code) == (GateStatus.SKIPPED, None)
    assert "not today" in result.output
    assert not (tmp_path / "ran").exists()


async def test_a_gate_that_takes_too_long_is_red(tmp_path):
    made, _ = gates(tmp_path)
    slow = Gate(name="tests", command="echo begun; sleep 60", timeout_s=0.3)
    (result,) = await made.run([slow])
    assert (result.status, result.exit_code) == (GateStatus.RED, None)
    assert "begun" in result.output
    assert "stopped after" in result.output


async def test_stopping_ends_a_baseline_and_its_processes(tmp_path):
    made, _ = gates(tmp_path, ("tests", "echo $$ > pid; sleep 60"))
    made.measure_baseline()
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.01)
    await made.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert made.baseline == {}


@pytest.mark.parametrize(
    "after", ["exit 2", "kill -SEGV $$", "echo 9 failed; exit 1", "echo 1 failed; echo new; exit 1"]
)
async def test_another_failure_than_before_is_the_runs_own(tmp_path, after):
    (tmp_path / "gate.sh").write_text("echo 1 failed in 0.12s; exit 1")
    made, _ = gates(tmp_path, ("tests", "sh gate.sh"))
    made.measure_baseline()
    await made.baseline_ready()
    assert await statuses(made) == {"tests": GateStatus.ALREADY_RED}
    (tmp_path / "gate.sh").write_text(after)
    assert await statuses(made) == {"tests": GateStatus.RED}


async def test_a_gate_that_ran_before_is_not_skipped_when_its_program_is_gone(tmp_path):
    (tmp_path / "gate.sh").write_text("exit 1")
    made, _ = gates(tmp_path, ("tests", "sh gate.sh"))
    made.measure_baseline()
    await made.baseline_ready()
    (tmp_path / "gate.sh").write_text("no-such-program-here")
    assert await statuses(made) == {"tests": GateStatus.RED}


async def test_a_proposed_command_that_cannot_run_is_red(tmp_path):
    made, _ = gates(tmp_path)
    proposed = [Gate(name="acceptance-1", command=c, timeout_s=5) for c in ("no-such-program-here", "true\0")]
    assert [result.status for result in await made.run(proposed)] == [GateStatus.RED] * 2


async def test_gates_wait_for_a_baseline_under_way(tmp_path):
    made, _ = gates(tmp_path, ("tests", "mkdir lock && sleep 0.2 && rmdir lock"))
    made.measure_baseline()
    assert await statuses(made) == {"tests": GateStatus.GREEN}


async def test_pytest_that_is_not_installed_shows_nothing_until_it_is(tmp_path):
    python = f"{sys.executable} -S"  # without the installed packages
    made, _ = gates(tmp_path, ("tests", "$(cat python) -m pytest"))
    (tmp_path / "python").write_text(python)
    made.measure_baseline()
    await made.baseline_ready()
    assert await statuses(made) == {"tests": GateStatus.SKIPPED}
    (tmp_path / "python").write_text(sys.executable)
    (tmp_path / "test_a.py").write_text("def test_a(): assert 0\n")
    assert await statuses(made) == {"tests": GateStatus.RED}
