"""What goes wrong on the wire, one test a fault: recovered, or ended with the right status and exit code."""

import os
import signal
import subprocess
import time

import pytest
from tests.e2e.harness import BUG, CODEFLOW, EDIT, FIXED, READ, REPAIR, ROUTER, SAID
from tests.person import Person

from codeflow.models.endpoint import environment

QUICK = {"CODEFLOW_FAULTS__MAX_WAIT_S": "0.01"}
FALLBACK = "senior_coder"
NOT_BILLED = {"ThrottlingException", "ServiceUnavailableException", "ModelErrorException"}


def with_faults(*faults):
    """The repair whose second request goes wrong in these ways before it succeeds."""
    return [ROUTER, READ, {**EDIT, "faults": list(faults)}, SAID]


def run(shell, endpoint, *arguments, **env):
    return shell(
        "run",
        "make the failing test pass",
        "--output",
        "json",
        *arguments,
        env={**environment(endpoint.url), **QUICK, **env},
    )


RECOVERED = {
    "429": [{"error": "ThrottlingException"}] * 2,
    "429 that talks of tokens": [
        {"error": "ThrottlingException", "message": "Too many tokens, please wait before trying again."}
    ],
    "503": [{"error": "ServiceUnavailableException"}] * 2,
    "500": [{"error": "InternalServerException"}],
    "424": [{"error": "ModelErrorException"}],
    "408": [{"error": "ModelTimeoutException"}],
    "model not ready": [{"error": "ModelNotReadyException"}],
    "latency": [{"error": "ServiceUnavailableException", "latency_ms": 200}],
    "mid-stream exception": [{"stream_error": "modelStreamErrorException", "after": 2}],
    "mid-stream throttling": [{"stream_error": "throttlingException", "after": 1}],
    "connection cut": [{"cut": 3}],
    "truncated tool JSON": [{"truncate": 10}],
    "malformed tool use": [{"stop": "malformed_tool_use"}],
    "malformed output": [{"stop": "malformed_model_output"}],
    "two in a row": [{"cut": 2}, {"error": "ThrottlingException"}],
}


@pytest.mark.slow
@pytest.mark.parametrize("faults", RECOVERED.values(), ids=RECOVERED)
def test_a_passing_fault_is_recovered_and_every_attempt_counts(shell, project, scripted, faults):
    with scripted(with_faults(*faults)) as endpoint:
        done = run(shell, endpoint)
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == FIXED
    result = done.result
    assert result["model_calls"] == len(endpoint.requests) == 4 + len(faults)
    unknown = sum("cut" in fault or "stream_error" in fault for fault in faults)
    assert result["unpriced_calls"] == unknown
    assert (result["cost_usd"] is None) == bool(unknown)
    assert result["cost_known_usd"] > 0


LASTING = {
    "throttled": ("ThrottlingException", 75),
    "unavailable": ("ServiceUnavailableException", 75),
    "no access": ("AccessDeniedException", 77),
    "expired": ("ExpiredTokenException", 77),
    "invalid": ("ValidationException", 1),
}


@pytest.mark.slow
@pytest.mark.parametrize(("error", "code"), LASTING.values(), ids=LASTING)
def test_a_lasting_fault_ends_the_run_with_its_exit_code(shell, project, scripted, error, code):
    with scripted(with_faults(*[{"error": error}] * 60)) as endpoint:
        done = run(shell, endpoint, CODEFLOW_FAULTS__MAX_ATTEMPTS="2")
    assert done.code == code, done.stderr
    result = done.result
    assert result["exit_code"] == code
    assert result["error"]["message"]
    assert result["error"]["hint"]
    assert result["cost_usd"] == pytest.approx(result["cost_known_usd"])
    assert result["model_calls"] == len(endpoint.requests)
    assert (project / "calc.py").read_text() == BUG


@pytest.mark.slow
def test_expired_credentials_end_at_once_with_the_cure(shell, scripted):
    with scripted([ROUTER, {**READ, "faults": [{"error": "ExpiredTokenException"}] * 9}]) as endpoint:
        done = run(shell, endpoint)
    assert done.code == 77
    assert len([r for r in endpoint.requests if r.agent == "fast_coder"]) == 1
    assert "credentials" in str(done.result["error"]).lower()


@pytest.mark.slow
def test_missing_credentials_end_at_once_with_the_cure(shell, project):
    done = shell("run", "make the failing test pass", "--output", "json")
    assert done.code == 77, done.stderr
    assert done.result["status"] == "no_access"
    assert "aws" in done.result["error"]["hint"].lower()
    assert done.result["cost_usd"] == 0
    assert (project / "calc.py").read_text() == BUG


@pytest.mark.slow
def test_a_context_overflow_is_not_taken_for_throttling(shell, scripted):
    overflow = {"error": "ValidationException", "message": "Input is too long for requested model."}
    with scripted(with_faults(*[overflow] * 9)) as endpoint:
        done = run(shell, endpoint, "--pattern", "single")
    assert done.code == 1
    assert "fit" in done.result["error"]["message"] or "long" in done.result["error"]["message"]
    assert len(endpoint.requests) < 9


@pytest.mark.slow
def test_a_window_exceeded_midway_is_no_success(shell, scripted):
    faults = [{"stop": "model_context_window_exceeded"}] * 9
    with scripted(with_faults(*faults)) as endpoint:
        done = run(shell, endpoint, "--pattern", "single")
    assert done.code == 1
    assert done.result["status"] == "failed"


@pytest.mark.slow
def test_a_model_that_stays_unavailable_gives_way_to_the_next_of_its_role(shell, project, scripted, tmp_path):
    roster = (tmp_path / "two.toml").write_text
    roles = (
        "router",
        "architect",
        "senior_coder",
        "fast_coder",
        "test_engineer",
        "reviewer",
        "debugger",
        "documentation",
    )
    ids = '["global.anthropic.claude-haiku-5-5", "global.anthropic.claude-sonnet-5-5"]'
    roster("[roles]\n" + "".join(f"{role} = {ids}\n" for role in roles))
    faults = [{"error": "ServiceUnavailableException"}] * 2
    with scripted(with_faults(*faults)) as endpoint:
        done = run(shell, endpoint, "--roster", str(tmp_path / "two.toml"), CODEFLOW_FAULTS__MAX_ATTEMPTS="2")
    assert done.code == 0, done.stderr
    assert {share["name"] for share in done.result["by_model"]} == {
        "global.anthropic.claude-haiku-5-5",
        "global.anthropic.claude-sonnet-5-5",
    }
    assert (project / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_an_unreachable_router_leaves_the_decision_to_the_rules(shell, project, scripted):
    with scripted([{**ROUTER, "faults": [{"error": "AccessDeniedException"}] * 9}, *REPAIR[1:]]) as endpoint:
        done = run(shell, endpoint)
    assert done.code == 0, done.stderr
    assert done.result["router"]["source"] == "rules"
    assert (project / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_an_agent_that_goes_round_in_circles_is_stopped(shell, scripted):
    with scripted([ROUTER, *[READ] * 12]) as endpoint:
        done = run(shell, endpoint)
    assert done.code == 3, done.result
    assert (
        "made the same call 10 times with the same result: read_file calc.py"
        in done.result["error"]["message"]
    )
    assert done.result["model_calls"] == 11


@pytest.mark.slow
def test_an_agent_that_used_all_its_turns_stops_the_run_and_goes_on_with_more(shell, scripted):
    with scripted([ROUTER, *[READ] * 3, EDIT, SAID]) as endpoint:
        done = run(shell, endpoint, "--pattern", "single", "--max-turns", "3")
        assert done.code == 3
        assert "all of its 3 turns" in done.result["error"]["message"]
        assert "--max-turns" in done.result["error"]["hint"]
        more = shell("resume", "--max-turns", "9", "--output", "json", env=environment(endpoint.url))
    assert (more.code, more.result["status"], more.result["model_calls"]) == (0, "done", 6)


@pytest.mark.slow
def test_the_wall_clock_limit_stops_the_run(shell, scripted):
    with scripted([ROUTER, {**READ, "latency_ms": 60_000}]) as endpoint:
        done = run(shell, endpoint, "--timeout", "3")
    assert done.code == 3
    assert done.result["status"] == "stopped"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_during_a_silent_model_call_keeps_the_session(shell, project, scripted, number):
    with scripted([ROUTER, READ, {**EDIT, "latency_ms": 60_000}]) as endpoint:
        process = subprocess.Popen(
            [CODEFLOW, "run", "make the failing test pass", "--output", "json"],
            cwd=project,
            env={**shell.env, **environment(endpoint.url)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while len(endpoint.requests) < 3:
            time.sleep(0.02)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=20)
    done = type(shell("--version"))(process.returncode, stdout, stderr)
    assert done.code == 130, stderr
    assert done.result["status"] == "interrupted"
    assert done.result["unpriced_calls"] == 1
    assert shell("sessions", "show", done.result["session_id"]).code == 0
    assert (project / "calc.py").read_text() == BUG


def test_a_killed_process_leaves_a_readable_session_and_undo_works(shell, project, scripted):
    with scripted([ROUTER, READ, EDIT, {**SAID, "latency_ms": 60_000}]) as endpoint:
        process = subprocess.Popen(
            [CODEFLOW, "run", "make the failing test pass"],
            cwd=project,
            env={**shell.env, **environment(endpoint.url)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while len(endpoint.requests) < 4:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert (project / "calc.py").read_text() == FIXED
    listed = shell("sessions")
    assert listed.code == 0
    undone = shell("undo")
    assert undone.code == 0, undone.stderr
    assert (project / "calc.py").read_text() == BUG


ASKING = {"CODEFLOW_FAULTS__ON_FAILURE": "ask", "CODEFLOW_FAULTS__MAX_ATTEMPTS": "1"}
DOWN = {"faults": [{"error": "ServiceUnavailableException"}] * 9}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("replies", "typed", "end"),
    [
        ([ROUTER, {**READ, **DOWN}], b"sk\n", (1, "no gate shows that the task is done")),
        ([ROUTER, READ, EDIT, {**SAID, **DOWN}], b"what\nsk\n", (0, "you chose to skip")),
        ([ROUTER, {**READ, **DOWN}], b"st\n", (75, "ServiceUnavailableException")),
    ],
    ids=["skip where no gate is", "skip after the edit", "stop"],
)
def test_a_person_who_skips_the_only_agent_gets_what_the_gates_say(shell, scripted, replies, typed, end):
    code, said = end
    if code == 1:
        (shell.project / "test_calc.py").unlink()
    with scripted(replies) as endpoint, Person(typed) as person:
        run = subprocess.run(
            [CODEFLOW, "run", "make the failing test pass"],
            cwd=shell.project,
            env={**shell.env, **environment(endpoint.url), **QUICK, **ASKING, "TERM": "dumb"},
            stdin=person.terminal,
            stdout=subprocess.DEVNULL,
            stderr=person.terminal,
            timeout=60,
            check=False,
        )
    shown = person.shown
    assert run.returncode == code, shown
    assert "go on how?" in shown
    assert said in " ".join(shown.split())
