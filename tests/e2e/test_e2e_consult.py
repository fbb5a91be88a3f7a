"""Asking the architect's model: one bounded call with a digest, priced, within the budget, and never paid twice."""

import json
from dataclasses import asdict

import pytest
from tests.e2e.harness import BUG, EDIT, FIXED, READ, ROUTER, SAID
from tests.e2e.test_e2e_resume import killed, resumed, started, steps, until

from codeflow.models.endpoint import environment

ADVICE = {"agent": "consultant", "say": "Line 2 of calc.py subtracts. Add instead."}


def ask(question="Which operator is wrong?", **more):
    return {"agent": "fast_coder", "call": [{"consult": {"question": question, **more}}]}


def answers(endpoint):
    """What the coder was told by the tool, call by call."""
    last = [request for request in endpoint.requests if request.agent == "fast_coder"][-1]
    results = [
        block["toolResult"]
        for message in last.body["messages"]
        for block in message["content"]
        if "toolResult" in block
    ]
    return [(one["status"], one["content"][0]["text"]) for one in results]


def consultants(endpoint):
    return [request for request in endpoint.requests if request.agent == "consultant"]


@pytest.mark.slow
def test_the_architects_model_answers_once_with_a_digest_and_without_tools(shell, project, scripted):
    halfway = {**EDIT, "call": [{"edit_file": {"path": "calc.py", "old_text": "a - b", "new_text": "a * b"}}]}
    fix = {**EDIT, "call": [{"edit_file": {"path": "calc.py", "old_text": "a * b", "new_text": "a + b"}}]}
    with scripted([ROUTER, READ, halfway, ask(files=["test_calc.py"]), ADVICE, fix, SAID]) as endpoint:
        done = shell.run(endpoint, "--output", "stream-json")
        *events, result = done.events
        assert asdict(endpoint.billed) == result["usage"]
        assert answers(endpoint)[2] == ("success", ADVICE["say"])
        (request,) = consultants(endpoint)
    assert done.code == 0, result["error"]
    assert request.model_id == "global.anthropic.claude-opus-5-5"
    assert "toolConfig" not in request.body
    (message,) = request.body["messages"]
    text = message["content"][0]["text"]
    for part in (
        "make the failing test pass",
        "+    return a * b",
        "AssertionError: -1 != 5",
        "from calc import add",
        "<question>\nWhich operator is wrong?",
    ):
        assert part in text
    assert "stands for a credential that nobody shows you" in json.dumps(request.body["system"])
    (share,) = [share for share in result["by_agent"] if share["name"] == "consultant"]
    assert share["calls"] == 1
    assert share["cost_usd"] > 0
    course = [
        (event["kind"], event["agent"], event.get("tool"))
        for event in events
        if event.get("agent") == "consultant" or event.get("tool") == "consult"
    ]
    assert [one for one in course if one[0] not in ("text_delta", "call_judged")] == [
        ("tool_started", "fast_coder", "consult"),
        ("model_started", "consultant", None),
        ("model_called", "consultant", None),
        ("tool_finished", "fast_coder", "consult"),
    ]
    assert (project / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_a_fourth_question_is_refused_and_not_asked(shell, scripted):
    questions = [ask(f"Question {number}?") for number in range(4)]
    with scripted([ROUTER, *questions, *[ADVICE] * 3, READ, EDIT, SAID]) as endpoint:
        done = shell.run(endpoint)
        assert len(consultants(endpoint)) == 3
        assert [status for status, _ in answers(endpoint)[:4]] == ["success"] * 3 + ["error"]
        assert "the 3 questions of this run have been asked. Go on without it." in answers(endpoint)[3][1]
    assert done.code == 0, done.stderr
    assert done.result["denied"] == []


@pytest.mark.slow
def test_a_digest_stays_within_its_bounds(shell, project, scripted):
    (project / "long.txt").write_text("word " * 60_000)
    with scripted([ROUTER, ask("Why? " * 9_000, files=["long.txt"]), ADVICE, READ, EDIT, SAID]) as endpoint:
        assert shell.run(endpoint).code == 0
        (request,) = consultants(endpoint)
    text = request.body["messages"][0]["content"][0]["text"]
    assert 20_000 < len(text) < 26_000
    assert text.count("characters after this left out]") == 2
    assert "make the failing test pass" in text


def test_a_consultant_that_fails_is_told_to_the_one_who_asked(shell, project, scripted):
    down = {**ADVICE, "faults": [{"error": "ServiceUnavailableException"}] * 9}
    with scripted([ROUTER, ask(), down, READ, EDIT, SAID]) as endpoint:
        done = shell(
            "run", "make the failing test pass", "--output", "json",
            env={**environment(endpoint.url), "CODEFLOW_FAULTS__MAX_WAIT_S": "0.01"},
        )  # fmt: skip
        assert len(consultants(endpoint)) == 4
        ((status, told), *_) = answers(endpoint)
    assert done.code == 0, done.stderr
    assert status == "error"
    assert told.startswith("No answer: ")
    assert told.endswith("Go on without it.")


@pytest.mark.slow
def test_a_question_that_the_budget_does_not_cover_stops_the_run_which_goes_on_with_more(
    shell, project, scripted
):
    with scripted([ROUTER, ask(), ADVICE, READ, EDIT, SAID]) as endpoint:
        stopped = shell.run(endpoint, "--max-cost", "0.012")
        assert consultants(endpoint) == []
        done = resumed(shell, endpoint, "--max-cost", "1")
        assert len(consultants(endpoint)) == 1
        assert max(steps(endpoint).values()) == 1
    assert stopped.code == 3
    assert "consultant" in stopped.result["error"]["message"]
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == FIXED


@pytest.mark.slow
@pytest.mark.parametrize("answered", [True, False])
def test_a_killed_run_pays_for_an_answer_once(shell, project, scripted, answered):
    slow = {"latency_ms": 60_000}
    advice = ADVICE if answered else {**ADVICE, **slow}
    reading = {**READ, **slow} if answered else READ
    with scripted([ROUTER, ask(), advice, reading]) as endpoint:
        run = started(shell, endpoint)
        until(run, "model_started", times=4 if answered else 3)
        killed(run)
    rest = [{**one, "step": step} for one, step in ((READ, 2), (EDIT, 3), (SAID, 4))]
    with scripted([{**ADVICE, "step": 1}, *rest]) as endpoint:
        done = resumed(shell, endpoint)
        assert len(consultants(endpoint)) == (0 if answered else 1)
        assert answers(endpoint)[0] == ("success", ADVICE["say"])
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_the_questions_of_a_killed_process_count(shell, scripted):
    with scripted(
        [ROUTER, ask("One?"), ask("Two?"), ADVICE, ADVICE, {**READ, "latency_ms": 60_000}]
    ) as endpoint:
        run = started(shell, endpoint)
        until(run, "model_started", times=6)
        killed(run)
    more = [ask("Three?"), ask("Four?"), READ, EDIT, SAID]
    numbered = [{**reply, "step": step} for step, reply in enumerate(more, 3)]
    with scripted([{**ADVICE, "step": 3}, *numbered]) as endpoint:
        done = resumed(shell, endpoint)
        assert len(consultants(endpoint)) == 1
        assert "questions of this run have been asked" in answers(endpoint)[3][1]
    assert done.code == 0, done.stderr


def offered(endpoint, agent):
    first = next(request for request in endpoint.requests if request.agent == agent)
    return {tool["toolSpec"]["name"] for tool in first.body["toolConfig"]["tools"] if "toolSpec" in tool}


@pytest.mark.slow
def test_nobody_asks_a_model_of_their_own_and_it_can_be_turned_off(shell, project, scripted):
    lead = {"agent": "lead_coder", "say": "Nothing to do."}
    with scripted([ROUTER, lead, READ, EDIT, SAID]) as endpoint:
        shell.run(endpoint, "--agent", "lead_coder", "--mode", "plan")
        assert "consult" not in offered(endpoint, "lead_coder")
    with scripted([ROUTER, READ, EDIT, SAID]) as endpoint:
        off = {**environment(endpoint.url), "CODEFLOW_CONSULT__MOST": "0"}
        assert shell("run", "make the failing test pass", env=off).code == 0
        assert "consult" not in offered(endpoint, "fast_coder")


def test_credentials_do_not_go_along_with_a_question(shell, project, scripted):
    (project / ".env").write_text("API_TOKEN=abcdefghijklmnop\n")
    (project / "conf.py").write_text('token = "ghp_' + "a1B2" * 9 + '"\n')
    with scripted(
        [ROUTER, ask(files=[".env"]), ask(files=["conf.py"]), ADVICE, READ, EDIT, SAID]
    ) as endpoint:
        assert shell.run(endpoint).code == 0
        (request,) = consultants(endpoint)
        assert answers(endpoint)[0][0] == "error"
    assert "ghp_a1B2" not in json.dumps(request.body)
    assert "[REDACTED:" in request.body["messages"][0]["content"][0]["text"]


def test_by_hand_nobody_can_be_asked(shell, project):
    done = shell("tools", "run", "consult", "--json", '{"question": "why?"}')
    assert "Nobody can be asked here" in done.stdout + done.stderr
    assert (project / "calc.py").read_text() == BUG
