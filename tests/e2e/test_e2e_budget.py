"""Limits of money and tokens: each stops the run before the call that could break it, and the run goes on with more."""

import pytest
from tests.e2e.harness import BUG, FIXED, REPAIR, ROUTER

from codeflow.models.endpoint import environment


def resume(shell, endpoint, *arguments, **settings):
    return shell("resume", "--output", "json", *arguments, env={**environment(endpoint.url), **settings})


def again(shell, endpoint, task, **settings):
    """The session's next task."""
    arguments = ("run", "--continue", task, "--output", "json")
    return shell(*arguments, env={**environment(endpoint.url), **settings})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "more", "name"),
    [
        (("--max-cost", "0.0001"), "1", "the $0.0001 budget has $0.0"),
        (("--max-cost", "0.0005"), "1", "the $0.0005 budget has $0.0"),
        (("--max-tokens", "3000"), "200000", "the limit of 3000 tokens has "),
        (("--max-tokens", "9000"), "none", "the limit of 9000 tokens has "),
    ],
)
def test_a_limit_stops_the_run_before_it_is_broken_and_more_lets_it_go_on(shell, scripted, limit, more, name):
    flag, less = limit
    with scripted(REPAIR) as endpoint:
        stopped = shell.run(endpoint, flag, less)
        result, spent = stopped.result, len(endpoint.requests)
        done = resume(shell, endpoint, flag, more)
    assert (stopped.code, result["status"]) == (3, "stopped")
    assert result["error"]["message"].startswith(name)
    assert f"`codeflow resume {flag}" in result["error"]["hint"]
    assert flag != "--max-cost" or result["cost_usd"] <= float(less)
    assert flag != "--max-tokens" or sum(result["usage"].values()) <= int(less)
    assert done.code == 0, done.stderr
    assert done.result["model_calls"] == 4 > spent
    assert (shell.project / "calc.py").read_text() == FIXED


def test_a_resumed_run_keeps_its_limits_and_what_it_used(shell, scripted):
    with scripted(REPAIR) as endpoint:
        assert shell.run(endpoint, "--max-tokens", "9000").code == 3
        spent = len(endpoint.requests)
        still = resume(shell, endpoint)
        assert len(endpoint.requests) == spent
    assert still.code == 3
    assert "the limit of 9000 tokens" in still.result["error"]["message"]


@pytest.mark.slow
def test_what_a_session_may_cost_counts_all_its_runs(shell, project, scripted):
    more = [{**ROUTER, "step": 2}, {"agent": "fast_coder", "say": "It was the minus sign."}]
    with scripted([*REPAIR, *more]) as endpoint:
        first = shell.run(endpoint)
        limit = {"CODEFLOW_RUN__MAX_COST_SESSION": str(first.result["cost_usd"])}
        second = again(shell, endpoint, "what was it?", **limit)
        assert first.code == 0, first.stderr
        assert (second.code, second.result["cost_usd"]) == (3, 0)
        assert "the session's $" in second.result["error"]["message"]
        assert "run.max_cost_session" in second.result["error"]["hint"]
        resumed = resume(shell, endpoint, CODEFLOW_RUN__MAX_COST_SESSION="1")
    assert resumed.code == 0, resumed.stderr
    assert resumed.result["answer"] == "It was the minus sign."


@pytest.mark.slow
def test_another_session_has_a_budget_of_its_own(shell, project, scripted):
    with scripted(REPAIR) as endpoint:
        first = shell.run(endpoint)
    (project / "calc.py").write_text(BUG)
    limit = {"CODEFLOW_RUN__MAX_COST_SESSION": str(max(0.1, first.result["cost_usd"]))}
    with scripted(REPAIR) as endpoint:
        second = shell(
            "run",
            "make the failing test pass",
            "--output",
            "json",
            env={**environment(endpoint.url), **limit},
        )
    assert second.code == 0, second.stderr


@pytest.mark.slow
def test_what_a_day_may_cost_counts_every_run_of_the_day(shell, project, scripted):
    with scripted(REPAIR) as endpoint:
        first = shell.run(endpoint)
    assert first.code == 0
    (project / "calc.py").write_text(BUG)
    limit = {"CODEFLOW_RUN__MAX_COST_DAY": str(first.result["cost_usd"])}
    with scripted(REPAIR) as endpoint:
        second = shell("run", "again", "--output", "json", env={**environment(endpoint.url), **limit})
    assert (second.code, second.result["cost_usd"]) == (3, 0)
    assert "today's $" in second.result["error"]["message"]
    assert "run.max_cost_day" in second.result["error"]["hint"]
    with scripted(REPAIR) as endpoint:
        resumed = resume(shell, endpoint)
    assert resumed.code == 0, resumed.stderr


def test_a_call_that_a_limit_leaves_little_for_is_made_shorter(shell, scripted):
    with scripted(REPAIR) as endpoint:
        shell.run(endpoint, "--max-tokens", "9000")
        asked = [request.body["inferenceConfig"]["maxTokens"] for request in endpoint.requests]
    assert asked
    assert all(tokens <= 9000 for tokens in asked)


def test_a_limit_that_is_none_is_one_line(shell):
    for flag in ("--max-tokens", "--max-cost"):
        refused = shell("run", "x", flag, "many")
        assert refused.code == 2
        assert refused.stderr.startswith(f"codeflow: {flag}: ")


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["--max-cost", "--max-tokens", "--max-turns", "--timeout"])
def test_an_empty_limit_is_refused_also_when_a_run_is_resumed(shell, scripted, flag):
    with scripted(REPAIR) as endpoint:
        assert shell.run(endpoint, "--pattern", "single", "--max-turns", "1").code == 3
        asked = len(endpoint.requests)
        for refused in (shell.run(endpoint, flag, ""), resume(shell, endpoint, flag, "")):
            assert refused.code == 2, refused.stdout
            assert flag in refused.stderr
        assert len(endpoint.requests) == asked


@pytest.mark.slow
def test_a_resumed_visit_that_is_out_of_turns_names_its_limit(shell, scripted):
    with scripted(REPAIR) as endpoint:
        first = shell.run(endpoint, "--pattern", "single", "--max-turns", "2")
        again = resume(shell, endpoint)
    assert (first.code, again.code) == (3, 3)
    assert "all of its 2 turns" in first.result["error"]["message"]
    assert again.result["error"] == first.result["error"]
