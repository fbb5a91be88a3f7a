"""Runs that were cut short go on: what the log holds is not done again, and nothing is lost."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.harness import BUG, CODEFLOW, EDIT, FIXED, READ, REPAIR, ROUTER, SAID, Shell

from codeflow.models.endpoint import Endpoint, environment

NUMBERED = [{**reply, "step": step} for reply, step in zip(REPAIR, (1, 1, 2, 3), strict=True)]
COMMAND = {"agent": "fast_coder", "call": [{"run_command": {"command": "sed -i s/-/+/ calc.py"}}]}


def started(
    shell: Shell, endpoint: Endpoint, *arguments: str, task: Sequence[str] = ("make the failing test pass",)
) -> subprocess.Popen[str]:
    """A run under way."""
    return subprocess.Popen(
        [CODEFLOW, "run", *task, "--output", "stream-json", *arguments],
        cwd=shell.project,
        env={**shell.env, **environment(endpoint.url)},
        stdout=subprocess.PIPE,
        text=True,
    )


def until(process: subprocess.Popen[str], kind: str, times: int = 1) -> list[Any]:
    """The events up to the n-th of a kind."""
    assert process.stdout is not None
    events = []
    for line in process.stdout:
        events.append(json.loads(line))
        if [event["kind"] for event in events].count(kind) == times:
            return events
    raise AssertionError(f"no {kind}: {[event['kind'] for event in events]}")


def killed(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> None:
    os.kill(process.pid, number)
    process.wait(30)
    assert process.stdout is not None
    process.stdout.close()


def arrived(endpoint: Endpoint, count: int) -> None:
    """Returns when the endpoint has so many requests."""
    while len(endpoint.requests) < count:
        time.sleep(0.01)


def resumed(shell: Shell, endpoint: Endpoint, *arguments: str):
    return shell("resume", *arguments, "--output", "json", env=environment(endpoint.url))


def steps(endpoint: Endpoint) -> Counter[tuple[str, int | None]]:
    return Counter((request.agent, request.step) for request in endpoint.requests)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_repeats_only_the_call_in_flight(shell, project, scripted):
    slow = {**SAID, "latency_ms": 60_000}
    with scripted([ROUTER, READ, EDIT, slow]) as endpoint:
        run = started(shell, endpoint)
        until(run, "model_started", times=4)
        killed(run)
    assert (project / "calc.py").read_text() == FIXED
    with scripted(NUMBERED) as endpoint:
        done = resumed(shell, endpoint)
        assert steps(endpoint) == {("fast_coder", 3): 1}
    assert done.code == 0, done.stderr
    assert done.result["answer"] == SAID["say"]
    assert done.result["gates"][0]["status"] == "green"
    assert done.result["files_changed"][0]["path"] == "calc.py"
    assert (done.result["model_calls"], done.result["unpriced_calls"]) == (5, 1)
    assert done.result["cost_usd"] is None
    assert shell("undo").code == 0
    assert (project / "calc.py").read_text() == BUG


@pytest.mark.slow
def test_a_conversation_goes_on_word_for_word(shell, scripted):
    with scripted([ROUTER, READ, EDIT, {**SAID, "latency_ms": 60_000}]) as endpoint:
        run = started(shell, endpoint)
        until(run, "model_started", times=4)
        arrived(endpoint, 4)
        killed(run)
        (before,) = [r.body for r in endpoint.requests if (r.agent, r.step) == ("fast_coder", 3)]
    with scripted(NUMBERED) as endpoint:
        assert resumed(shell, endpoint).code == 0
        (after,) = [request.body for request in endpoint.requests]
    assert after["messages"] == before["messages"]
    assert after["system"] == before["system"]


@pytest.mark.slow
def test_an_interrupted_run_goes_on(shell, project, scripted):
    with scripted([ROUTER, {**READ, "latency_ms": 60_000}]) as endpoint:
        run = started(shell, endpoint)
        until(run, "model_started", times=2)
        killed(run, signal.SIGINT)
        assert run.returncode == 130
    with scripted(REPAIR) as endpoint:
        done = resumed(shell, endpoint)
        assert ("router", 1) not in steps(endpoint)
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_a_question_without_a_terminal_pauses_and_an_approval_goes_on(shell, project, scripted):
    with scripted([ROUTER, COMMAND, SAID]) as endpoint:
        paused = shell.run(endpoint)
        assert paused.code == 4
        assert paused.result["status"] == "paused"
        assert paused.result["question"]["tool"] == "run_command"
        assert "sed -i" in paused.result["question"]["preview"] + paused.result["question"]["summary"]
        assert "codeflow resume" in paused.result["error"]["hint"]
        assert (project / "calc.py").read_text() == BUG
        again = resumed(shell, endpoint)
        assert (again.code, again.result["question"]) == (4, paused.result["question"])
        done = resumed(shell, endpoint, "--approve")
        assert set(steps(endpoint).values()) == {1}
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == FIXED
    assert done.result["session_id"] == paused.result["session_id"]


@pytest.mark.slow
def test_a_refusal_is_told_to_the_model(shell, project, scripted):
    with scripted([ROUTER, COMMAND, EDIT, SAID]) as endpoint:
        assert shell.run(endpoint).code == 4
        done = resumed(shell, endpoint, "--deny", "edit the file yourself")
        (asked,) = [
            r.body["messages"][-1] for r in endpoint.requests if (r.agent, r.step) == ("fast_coder", 2)
        ]
    assert "edit the file yourself" in asked["content"][0]["toolResult"]["content"][0]["text"]
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_a_session_takes_another_task_with_its_conversation(shell, scripted):
    more = [{**ROUTER, "step": 2}, {"agent": "fast_coder", "say": "It was the minus sign."}]
    with scripted([*REPAIR, *more]) as endpoint:
        first = shell.run(endpoint)
        again = resumed(shell, endpoint)
        assert (again.code, again.result) == (0, first.result)
        assert "had come to its end" in again.stderr
        done = shell("run", "--continue", "what was it?", "--output", "json", env=environment(endpoint.url))
        asked = endpoint.requests[-1].body["messages"]
    assert done.code == 0, done.stderr
    assert done.result["answer"] == "It was the minus sign."
    assert done.result["session_id"] == first.result["session_id"]
    assert done.result["model_calls"] == 2
    assert asked[0]["content"][0]["text"].count("make the failing test pass") == 1
    assert "what was it?" in asked[-1]["content"][0]["text"]


@pytest.mark.slow
def test_what_cannot_be_resumed_is_one_line(shell, scripted):
    assert shell("resume").code == 2
    assert shell("resume", "20990101-000000-zzzz").code == 2
    assert shell("run", "--continue", "x").code == 1
    with scripted(REPAIR) as endpoint:
        assert shell.run(endpoint).code == 0
    for arguments in (["--approve"], ["--approve", "--deny", "no"]):
        refused = shell("resume", *arguments)
        assert refused.code == 2
        assert len(refused.stderr.strip().splitlines()) <= 2


@pytest.mark.slow
def test_a_session_is_not_written_by_two_processes(shell, scripted):
    with scripted([ROUTER, {**READ, "latency_ms": 60_000}]) as endpoint:
        run = started(shell, endpoint)
        session = until(run, "model_started", times=2)[0]["session_id"]
        refused = shell("resume", session)
        killed(run)
    assert refused.code == 1
    assert f"is being written by process {run.pid} on " in refused.stderr
    assert Path(shell.env["XDG_STATE_HOME"]).is_dir()


SLOW = {
    "agent": "fast_coder",
    "call": [{"run_command": {"command": "echo one >> log.txt; touch began; test -e mine.txt || sleep 60"}}],
}


def interrupted_in_a_command(shell: Shell, endpoint: Endpoint, number: int) -> None:
    run = started(shell, endpoint, "--mode", "auto")
    while not (shell.project / "began").exists():
        time.sleep(0.01)
    killed(run, number)
    past = time.time() - 2  # as if two seconds had gone by: what follows is the user's work
    (log,) = Path(shell.env["XDG_STATE_HOME"]).glob("codeflow/sessions/*/*.jsonl")
    os.utime(log, (past, past))
    time.sleep(0.05)  # file times are that coarse


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.slow
def test_work_of_the_user_since_a_command_was_cut_is_not_undone(shell, project, scripted, number):
    with scripted([ROUTER, SLOW, EDIT, SAID]) as endpoint:
        interrupted_in_a_command(shell, endpoint, number)
        (project / "calc.py").write_text(BUG + "# mine\n")
        (project / "mine.txt").write_text("mine")
        for _ in range(2):  # being refused makes it nobody else's
            refused = resumed(shell, endpoint)
            assert refused.code == 1
            assert "calc.py" in refused.result["error"]["message"]
            assert (project / "mine.txt").read_text() == "mine"
            assert (project / "calc.py").read_text() == BUG + "# mine\n"


@pytest.mark.parametrize("way", ["undo", "rename, then undo", "resume as is, then undo"])
@pytest.mark.slow
def test_undo_of_a_killed_run_leaves_the_work_of_the_user_since(shell, project, scripted, way):
    with scripted([ROUTER, SLOW, {**SAID, "step": 2}]) as endpoint:
        interrupted_in_a_command(shell, endpoint, signal.SIGKILL)
        (project / "calc.py").write_text(FIXED + "# mine\n")
        (project / "mine.txt").write_text("mine")
        if way.startswith("rename"):
            (log,) = Path(shell.env["XDG_STATE_HOME"]).glob("codeflow/sessions/*/*.jsonl")
            assert shell("sessions", "rename", log.stem, "cut").code == 0
        if way.startswith("resume"):
            again = resumed(shell, endpoint, "--as-is").result
            assert {change["path"] for change in again["files_changed"]} == {"began", "log.txt"}
    undone = shell("undo")
    assert undone.code == 0, undone.stderr
    assert (project / "mine.txt").read_text() == "mine"
    assert (project / "calc.py").read_text() == FIXED + "# mine\n"
    assert not (project / "log.txt").exists()


@pytest.mark.slow
def test_a_command_that_was_cut_is_made_again_from_the_files_before_it(shell, project, scripted):
    quick = {
        **SLOW,
        "call": [{"run_command": {"command": "echo one >> log.txt; touch began; sleep $(cat pause)"}}],
    }
    (project / "pause").write_text("60")
    with scripted([ROUTER, quick, EDIT, SAID]) as endpoint:
        run = started(shell, endpoint, "--mode", "auto")
        while not (project / "began").exists():
            time.sleep(0.01)
        killed(run)
        saved = (project / "pause").stat()
        assert (project / "log.txt").read_text() == "one\n"
        subprocess.run(["sh", "-c", "printf 0 > pause"], cwd=project, check=True)
        refused_or_done = resumed(shell, endpoint, "--as-is")
    assert saved
    assert refused_or_done.code == 0, refused_or_done.stderr
    assert (project / "log.txt").read_text() == "one\none\n"


@pytest.mark.slow
def test_what_the_user_did_while_a_run_was_paused_is_not_the_runs(shell, project, scripted):
    with scripted([ROUTER, COMMAND, SAID]) as endpoint:
        assert shell.run(endpoint).code == 4
        (project / "mine.txt").write_text("mine")
        done = resumed(shell, endpoint, "--approve")
    assert done.code == 0, done.stderr
    assert [change["path"] for change in done.result["files_changed"]] == ["calc.py"]
    assert "mine.txt" not in done.result["diff"]


@pytest.mark.slow
def test_a_log_whose_last_line_was_cut_off_is_resumed_without_its_id(shell, project, scripted):
    with scripted([ROUTER, READ, EDIT, {**SAID, "latency_ms": 60_000}]) as endpoint:
        run = started(shell, endpoint)
        arrived(endpoint, 4)
        killed(run)
    (log,) = Path(shell.env["XDG_STATE_HOME"]).glob("codeflow/sessions/*/*.jsonl")
    log.write_bytes(log.read_bytes()[:-15])
    with scripted([{**SAID, "step": 3}]) as endpoint:
        done = resumed(shell, endpoint)
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_calls_of_one_message_are_made_in_their_order_also_when_they_are_asked_for(shell, project, scripted):
    commands = [{"run_command": {"command": command}} for command in ("cp calc.py kept.py", "rm calc.py")]
    write = {"write_file": {"path": "calc.py", "content": FIXED}}
    with scripted([ROUTER, {"agent": "fast_coder", "call": [*commands, write]}, SAID]) as endpoint:
        asked = [shell.run(endpoint), resumed(shell, endpoint, "--approve")]
        assert [run.result["question"]["summary"] for run in asked] == ["cp calc.py kept.py", "rm calc.py"]
        assert (project / "calc.py").exists()
        done = resumed(shell, endpoint, "--approve")
    assert done.code == 0, done.stderr
    assert (project / "kept.py").read_text() == BUG
    assert (project / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_no_sandbox_holds_for_one_run_and_that_is_said(shell, project, scripted):
    with scripted([ROUTER, READ, EDIT, SAID]) as endpoint:
        assert shell.run(endpoint, "--no-sandbox", "--max-cost", "0.000001").code == 3
        done = shell("resume", "--max-cost", "1", env=environment(endpoint.url))
        assert "began with --no-sandbox" in done.stdout + done.stderr
    with scripted([ROUTER, READ, EDIT, SAID]) as endpoint:
        assert shell.run(endpoint, "--no-sandbox", "--max-cost", "0.000001").code == 3
        done = shell("resume", "--max-cost", "1", "--no-sandbox", env=environment(endpoint.url))
        assert "began with --no-sandbox" not in done.stdout + done.stderr
