"""The verified cascade on the wire: green gates end it, red ones and silence hand the task on, the ledger learns."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from tests.e2e.harness import BUG, EDIT, FIXED, READ, REPAIR, ROUTER, SAID, git
from tests.e2e.test_e2e_resume import killed, resumed, started, steps, until

from codeflow.models.endpoint import environment

WRONG = {
    "agent": "fast_coder",
    "call": [{"edit_file": {"path": "calc.py", "old_text": "a - b", "new_text": "a * b"}}],
}
CLAIM = {"agent": "fast_coder", "say": "SECRET-OF-THE-FIRST: it multiplies now."}
UNABLE = {"agent": "debugger", "say": "I cannot see it."}


def repair(agent, old="a * b"):
    """How somebody else ends it well."""
    return [
        {"agent": agent, "call": [{"read_file": {"path": "calc.py"}}]},
        {"agent": agent, "call": [{"edit_file": {"path": "calc.py", "old_text": old, "new_text": "a + b"}}]},
        {"agent": agent, "say": f"{agent}: it adds now."},
    ]


def stream(shell, endpoint, *arguments, **env):
    done = shell.run(endpoint, "--output", "stream-json", *arguments) if not env else shell(
        "run", "make the failing test pass", "--output", "stream-json", *arguments,
        env={**environment(endpoint.url), **env},
    )  # fmt: skip
    *events, result = done.events
    return done, events, result


def who(endpoint):
    """Agents in the order of their first request."""
    return list(dict.fromkeys(request.agent for request in endpoint.requests))


def handed(result):
    return [(one["from"], one["to"]) for one in result["escalations"]]


def test_green_gates_end_the_run_without_another_call(shell, project, scripted):
    with scripted(REPAIR) as endpoint:
        done, events, result = stream(shell, endpoint)
        assert len(endpoint.requests) == len(REPAIR) == result["model_calls"]
        assert asdict(endpoint.billed) == result["usage"]
    assert done.code == 0
    assert (result["pattern"], result["escalations"]) == ("cascade", [])
    (chosen,) = [event for event in events if event["kind"] == "pattern_chosen"]
    assert (chosen["agent"], chosen["reason"]) == (
        "fast_coder",
        "SIMPLE bugfix here: fast_coder first (no run like it here yet)",
    )
    assert (project / "calc.py").read_text() == FIXED


def test_red_gates_hand_on_task_diff_and_output_until_they_are_green(shell, project, scripted):
    with scripted([ROUTER, READ, WRONG, CLAIM, UNABLE, *repair("lead_coder")]) as endpoint:
        done, events, result = stream(shell, endpoint)
        assert asdict(endpoint.billed) == result["usage"]
        assert len(endpoint.requests) == result["model_calls"]
        told = next(r for r in endpoint.requests if r.agent == "lead_coder")
    assert done.code == 0, result["error"]
    course = ("agent_started", "gate_finished", "escalated")
    assert [event["kind"] for event in events if event["kind"] in course][-8:] == [
        "agent_started", "gate_finished", "escalated",
        "agent_started", "gate_finished", "escalated",
        "agent_started", "gate_finished",
    ]  # fmt: skip
    assert [e["agent"] for e in events if e["kind"] == "agent_started"] == [
        "fast_coder",
        "debugger",
        "lead_coder",
    ]
    assert result["escalations"] == [
        {"from": "fast_coder", "to": "debugger", "reason": "red gates: tests"},
        {"from": "debugger", "to": "lead_coder", "reason": "red gates: tests"},
    ]
    assert told.model_id == "global.anthropic.claude-opus-5-5"
    (message,) = told.body["messages"]
    text = message["content"][0]["text"]
    assert "make the failing test pass" in text
    assert "+    return a * b" in text
    assert "6 != 5" in text
    assert "SECRET-OF-THE-FIRST" not in json.dumps(told.body)
    assert (project / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_people_are_told_of_every_hand_over(shell, scripted):
    with scripted([ROUTER, READ, WRONG, CLAIM, *repair("debugger")]) as endpoint:
        done = shell("run", "make the failing test pass", env=environment(endpoint.url))
    assert done.code == 0
    assert "handed   fast_coder → debugger: red gates: tests" in done.stderr


@pytest.mark.slow
def test_nobody_stronger_is_left_and_the_run_has_failed(shell, project, scripted):
    lead = {"agent": "lead_coder", "say": "Nor can I."}
    with scripted([ROUTER, CLAIM, UNABLE, lead]) as endpoint:
        done = shell.run(endpoint)
    assert (done.code, done.result["error"]["message"]) == (1, "the gates are still red")
    assert handed(done.result) == [("fast_coder", "debugger"), ("debugger", "lead_coder")]
    assert (project / "calc.py").read_text() == BUG


@pytest.mark.slow
@pytest.mark.parametrize("escalations", [0, 1])
def test_the_settings_bound_the_hand_overs(shell, scripted, escalations):
    with scripted([ROUTER, CLAIM, *[UNABLE] * escalations]) as endpoint:
        _, _, result = stream(shell, endpoint, CODEFLOW_CASCADE__ESCALATIONS=str(escalations))
    assert (result["exit_code"], len(result["escalations"])) == (1, escalations)


@pytest.mark.slow
def test_one_agent_that_was_asked_for_gets_the_debugger_and_nobody_else(shell, scripted):
    with scripted([ROUTER, CLAIM, UNABLE, UNABLE]) as endpoint:
        done = shell.run(endpoint, "--pattern", "single")
        assert who(endpoint) == ["router", "fast_coder", "debugger"]
    assert (done.code, done.result["pattern"]) == (1, "single")


OVERFLOW = {"error": "ValidationException", "message": "Input is too long for requested model."}
SILENCES: dict[str, Any] = {
    "turns": ([READ, READ], ("--max-turns", "2"), {}, "used all of its 2 turns"),
    "time": (
        [READ, {**EDIT, "latency_ms": 60_000}],
        (),
        {"CODEFLOW_FAULTS__NODES__FAST_CODER__VISIT_TIMEOUT_S": "3"},
        "stopped after 3 s",
    ),
    "output": ([READ, {**SAID, "stop": "max_tokens"}], (), {}, "output limit"),
    "window": ([{**READ, "faults": [OVERFLOW] * 3}], (), {}, "it did not finish: "),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", SILENCES)
def test_a_visit_without_an_answer_is_red_for_the_next_coder(shell, project, scripted, case):
    replies, arguments, env, reason = SILENCES[case]
    senior = repair("senior_coder", old="a - b")
    senior = senior[1:] if arguments else senior
    senior = [{**senior[0], "call": [{"run_command": {"command": "sed -i s/-/+/ calc.py"}}]}, senior[-1]]
    with scripted([ROUTER, *replies, *senior]) as endpoint:
        done, _, result = stream(shell, endpoint, "--mode", "auto", *arguments, **env)
        told = next(r for r in endpoint.requests if r.agent == "senior_coder")
    assert done.code == 0, result["error"]
    assert handed(result) == [("fast_coder", "senior_coder")]
    assert reason in result["escalations"][0]["reason"]
    assert result["answer"] == "senior_coder: it adds now."
    text = told.body["messages"][0]["content"][0]["text"]
    assert "did not finish: " in text
    assert (project / "calc.py").read_text() == FIXED


def test_a_model_that_cannot_be_reached_is_no_reason_to_pay_for_a_dearer_one(shell, scripted):
    down = {**READ, "faults": [{"error": "ServiceUnavailableException"}] * 40}
    with scripted([ROUTER, down]) as endpoint:
        done, _, result = stream(
            shell, endpoint, CODEFLOW_FAULTS__MAX_WAIT_S="0.01", CODEFLOW_FAULTS__MAX_ATTEMPTS="2"
        )
        assert who(endpoint) == ["router", "fast_coder"]
    assert (done.code, result["escalations"]) == (75, [])


@pytest.mark.slow
def test_a_killed_cascade_goes_on_where_it_was_and_pays_nothing_twice(shell, project, scripted):
    script = [ROUTER, READ, WRONG, CLAIM, UNABLE, *repair("lead_coder")]
    slow = {**script[-1], "latency_ms": 60_000}
    with scripted([*script[:-1], slow]) as endpoint:
        run = started(shell, endpoint)
        until(run, "model_started", times=len(script))
        killed(run)
    with scripted([{**script[-1], "step": 3}]) as endpoint:
        done = resumed(shell, endpoint)
        assert steps(endpoint) == {("lead_coder", 3): 1}
    assert done.code == 0, done.stderr
    assert handed(done.result) == [("fast_coder", "debugger"), ("debugger", "lead_coder")]
    assert done.result["model_calls"] == len(script) + 1
    assert (project / "calc.py").read_text() == FIXED
    (row,) = [row for row in learned(shell) if row["kind"] == "bugfix" and row["begins"] == "fast_coder"]
    assert (row["green"], row["red"]) == (0, 1)


def learned(shell):
    return json.loads(shell("cascade", "--output", "json").stdout)


def reset(project):
    (project / "calc.py").write_text(BUG)


@pytest.mark.slow
def test_who_begins_is_learned_from_runs_and_explained(shell, project, scripted, tmp_path):
    (before,) = [row for row in learned(shell) if row["first"] and row["complexity"] == "SIMPLE"]
    assert (before["begins"], before["kind"]) == ("fast_coder", None)
    for _ in range(2):
        with scripted([ROUTER, READ, WRONG, CLAIM, *repair("debugger")]) as endpoint:
            assert shell.run(endpoint).code == 0
        reset(project)
    rows = {row["begins"]: row for row in learned(shell) if row["kind"] == "bugfix"}
    assert (rows["fast_coder"]["green"], rows["fast_coder"]["red"]) == (0, 2)
    assert [name for name, row in rows.items() if row["first"]] == ["senior_coder"]
    with scripted([ROUTER, *repair("senior_coder", old="a - b")]) as endpoint:
        dry = shell("run", "make the failing test pass", "--dry-run", env=environment(endpoint.url))
        done, events, _ = stream(shell, endpoint)
    assert "senior_coder first (fast_coder 0 of 2 went green; $" in dry.stderr
    assert done.code == 0
    (chosen,) = [event for event in events if event["kind"] == "pattern_chosen"]
    assert chosen["agent"] == "senior_coder"
    reset(project)
    with scripted([ROUTER]) as endpoint:
        again = shell("run", "make the failing test pass", "--dry-run", env=environment(endpoint.url))
        git(project, "worktree", "add", "-q", str(tmp_path / "beside"))
        beside = shell.at(tmp_path / "beside")("cascade")
    assert "senior_coder first (1 of 1 went green; fast_coder 0 of 2 went green; $" in again.stderr
    assert "bugfix" in beside.stdout
    off = {"CODEFLOW_CASCADE__LEARN": "false"}
    assert {row["kind"] for row in json.loads(shell("cascade", "--output", "json", env=off).stdout)} == {None}


@pytest.mark.slow
def test_runs_that_prove_nothing_teach_nothing(shell, project, scripted):
    (project / "test_calc.py").unlink()
    with scripted([ROUTER, READ, EDIT, SAID]) as endpoint:
        assert shell.run(endpoint).code == 0
        assert shell.run(endpoint, "--dry-run").code == 0
    assert {row["kind"] for row in learned(shell)} == {None}


@pytest.mark.slow
def test_a_recorded_cascade_that_began_higher_replays(shell, project, scripted, tmp_path):
    record = tmp_path / "recorded.yaml"
    with scripted([ROUTER, *repair("senior_coder", old="a - b")]) as endpoint:
        first = shell.run(
            endpoint, "--record", str(record), "--pattern", "cascade", "--agent", "senior_coder"
        )
    assert first.code == 0, first.stderr
    git(project, "checkout", "-q", "calc.py")
    second = shell("replay", str(record), "--output", "json")
    assert (second.code, second.result["answer"]) == (0, first.result["answer"]), second.stderr


@pytest.mark.slow
def test_an_empty_budget_stops_the_cascade_before_the_next_coder(shell, scripted):
    script = [ROUTER, CLAIM, *repair("debugger", old="a - b")]
    with scripted(script) as endpoint:
        stopped = shell.run(endpoint, "--max-cost", "0.003")
        assert who(endpoint) == ["router", "fast_coder"]
        done = resumed(shell, endpoint, "--max-cost", "1")
    assert stopped.code == 3
    assert handed(stopped.result) == [("fast_coder", "debugger")]
    assert (done.code, handed(done.result)) == (0, [("fast_coder", "debugger")])
