"""Several attempts at one task: the price first, each in a worktree of its own, gates and then a judge choose."""

import contextlib
import json
import os
import pty
import signal
import subprocess
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.harness import BUG, CODEFLOW, FIXED, ROUTER, Shell, git
from tests.e2e.test_e2e_resume import arrived, killed, started, until

from codeflow.models.endpoint import environment


@pytest.fixture
def project(project: Path) -> Path:
    git(project, "config", "user.name", "Ada")
    git(project, "config", "user.email", "ada@example.org")
    git(project, "branch", "-M", "main")
    return project


def attempt(agent: str, new: str = "a + b", **last: Any) -> list[dict[str, Any]]:
    """What one of them does."""
    edit = {"path": "calc.py", "old_text": "a - b", "new_text": new}
    return [
        {"agent": agent, "call": [{"read_file": {"path": "calc.py"}}]},
        {"agent": agent, "call": [{"edit_file": edit}]},
        {"agent": agent, "say": f"{agent} made it {new}.", **last},
    ]


def judge(answer: str) -> dict[str, Any]:
    return {"agent": "reviewer", "say": answer}


SECOND = 'Both add.\n{"attempt": 2, "reason": "it also works for lists"}'
TWO_GREEN = [ROUTER, *attempt("fast_coder"), *attempt("senior_coder", "b + a")]
UNABLE = [{"agent": "debugger", "say": "I cannot."}] * 2


def listed(shell: Shell) -> list[Any]:
    rows: list[Any] = json.loads(shell("worktrees", "list", "--output", "json").stdout)
    return rows


@pytest.mark.slow
def test_of_two_that_the_gates_accept_the_judge_takes_one(shell, project, scripted):
    with scripted([*TWO_GREEN, judge(SECOND)]) as endpoint:
        done = shell.run(endpoint, "--attempts", "2", "--output", "stream-json")
        assert endpoint.violations == []
        *events, result = done.events
        assert asdict(endpoint.billed) == result["usage"]
        assert len(endpoint.requests) == result["model_calls"] == 9
        asked = next(request for request in endpoint.requests if request.agent == "reviewer")
    assert done.code == 0, done.stderr
    assert result["answer"] == "senior_coder made it b + a."
    shown = [(one["by"], one["status"], one["chosen"], one["reason"]) for one in result["attempts"]]
    assert shown == [
        ("fast_coder", "done", False, None),
        ("senior_coder", "done", True, "reviewer: it also works for lists"),
    ]
    assert [one["gates"][0]["status"] for one in result["attempts"]] == ["green", "green"]
    spent = sum(share["cost_usd"] for share in result["by_model"])
    assert result["cost_usd"] == pytest.approx(spent)
    assert result["cost_usd"] > sum(one["cost_usd"] for one in result["attempts"]) > 0
    text = json.dumps(asked.body)
    assert "return a + b" in text
    assert "return b + a" in text
    assert {event["run"] for event in events} == {"1", "2", "judge"}
    assert (project / "calc.py").read_text() == BUG.replace("a - b", "b + a")
    assert git(project, "status", "--porcelain") == ""
    assert git(project, "branch", "--format=%(refname:short)").split() == ["main"]
    assert listed(shell) == []
    assert "attempt 1 begins with fast_coder: about $" in done.stderr
    assert "merged into main" in done.stderr
    assert "git revert" in done.stderr


@pytest.mark.slow
def test_one_that_the_gates_accept_needs_no_judge_and_people_see_who_does_what(shell, project, scripted):
    red = [*attempt("fast_coder", "a * b"), *UNABLE]
    with scripted([ROUTER, *red, *attempt("senior_coder")]) as endpoint:
        done = shell.run(endpoint, "--attempts", "2", "--output", "text", "--keep")
        assert "reviewer" not in {request.agent for request in endpoint.requests}
    assert done.code == 0, done.stderr
    assert done.stdout.startswith("senior_coder made it a + b.")
    assert "1 │ • edit_file" in done.stderr
    assert "the only one that the gates accept" in done.stderr
    assert (project / "calc.py").read_text() == FIXED
    (kept,) = listed(shell)
    assert f"merge: codeflow worktrees merge {kept['session']}" in done.stderr
    assert "a * b" in (Path(kept["folder"]) / "calc.py").read_text()


@pytest.mark.slow
def test_where_none_is_accepted_nothing_is_merged_and_all_are_kept(shell, project, scripted):
    fault = {"error": "AccessDeniedException"}
    broken = [{"agent": "senior_coder", "say": "never", "faults": [fault] * 8}]
    with scripted([ROUTER, *attempt("fast_coder", "a * b"), *UNABLE, *broken]) as endpoint:
        done = shell.run(endpoint, "--attempts", "2")
        assert asdict(endpoint.billed) == done.result["usage"]
    assert (done.code, done.result["status"]) == (1, "failed")
    assert [one["status"] for one in done.result["attempts"]] == ["failed", "no_access"]
    assert done.result["answer"] == ""
    assert (project / "calc.py").read_text() == BUG
    assert {row["session"] for row in listed(shell)} == {one["session_id"] for one in done.result["attempts"]}
    for row in listed(shell):
        assert f"look: git -C {row['path']}" in done.stderr


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("Number seven!", "its answer names none of 1, 2"),
        pytest.param('{"attempt": 7}', "names none", marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_a_judge_who_does_not_choose_leaves_it_to_the_price(shell, project, scripted, answer, why):
    with scripted([*TWO_GREEN, judge(answer)]) as endpoint:
        done = shell.run(endpoint, "--attempts", "2")
    assert done.code == 0, done.stderr
    (chosen,) = [one for one in done.result["attempts"] if one["chosen"]]
    assert chosen["by"] == "fast_coder"
    assert why in chosen["reason"]
    assert "the cheapest that the gates accept" in chosen["reason"]
    assert (project / "calc.py").read_text() == FIXED


@pytest.mark.parametrize("limit", ["MAX_COST", pytest.param("MAX_COST_DAY", marks=pytest.mark.slow)])
def test_the_budget_covers_all_of_them_and_the_judge(shell, project, scripted, limit):
    poor = replace(shell, env={**shell.env, f"CODEFLOW_RUN__{limit}": "0.02"})
    with scripted([*TWO_GREEN, judge(SECOND)]) as endpoint:
        done = poor.run(endpoint, "--attempts", "2")
        assert done.result["cost_usd"] <= 0.02
    assert "at most $0.0090" in done.stderr
    assert "at most $0.0200" in done.stderr
    statuses = [one["status"] for one in done.result["attempts"]]
    assert "stopped" in statuses


@pytest.mark.slow
def test_the_price_is_asked_for_over_the_threshold(shell, project, scripted):
    with scripted(TWO_GREEN) as endpoint:
        done = shell.run(endpoint, "--attempts", "8", "--max-cost", "9")
        assert endpoint.requests == []
        assert (done.code, done.result["status"]) == (2, "usage")
        assert "more than attempts.ask_over_usd ($0.5000)" in done.stderr
        assert "--yes" in done.stderr
        assert listed(shell) == []
        low = {**environment(endpoint.url), "CODEFLOW_ATTEMPTS__ASK_OVER_USD": "0.01"}
        agreed = shell(
            "run", "make the failing test pass", "--attempts", "2", "--yes", "--by", "fast_coder", env=low
        )
    assert agreed.code == 0, agreed.stderr
    assert "all made the same change; it cost least" in agreed.stderr
    assert (project / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_what_does_not_go_with_attempts_is_refused_in_one_line(shell, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    for folder, arguments, said in (
        (shell.project, ["--worktree"], "--worktree does not go with --attempts"),
        (shell.project, ["--pattern", "graph"], "--pattern does not go with --attempts"),
        (shell.project, ["--dry-run"], "--dry-run does not go with --attempts"),
        (shell.project, ["--by", "senior_codr"], "no agent is called 'senior_codr'"),
        (shell.project, ["--by", "reviewer"], "reviewer changes no files"),
        (
            shell.project,
            ["--by", "fast_coder", "--by", "senior_coder", "--by", "graph"],
            "3 names for 2 attempts: none is left for graph\n  Give --attempts 3",
        ),
        (plain, [], "is in no git repository"),
    ):
        done = shell.at(folder)("run", "--attempts", "2", *arguments, "do it")
        assert (done.code, said in done.stderr) == (2, True), done.stderr
        assert "leave --worktree out" not in done.stderr.lower()
    alone = shell("run", "--by", "fast_coder", "do it")
    assert (alone.code, "--attempts" in alone.stderr) == (2, True)


@pytest.mark.slow
def test_who_the_user_is_has_to_be_known_before_anything_is_spent(shell, project, scripted):
    git(project, "config", "--unset", "user.email")
    git(project, "config", "user.useConfigOnly", "true")
    with scripted([]) as endpoint:
        done = shell.run(endpoint, "--attempts", "2")
        assert endpoint.requests == []
    assert (done.code, "git does not know who you are" in done.stderr) == (2, True), done.stderr
    assert listed(shell) == []


ASKS = {
    "agent": "router",
    "say": '{"complexity": "SIMPLE", "kind": "question", "confidence": 0.9, "reason": "q"}',
}


@pytest.mark.slow
@pytest.mark.parametrize(("other", "chosen"), [("It subtracts: calc.py:2", 2), ("It adds.", 1)])
def test_answers_to_a_question_are_judged_where_they_differ(shell, scripted, other, chosen):
    said = [{"agent": "fast_coder", "say": "It adds."}, {"agent": "senior_coder", "say": other}]
    judges = chosen == 2
    with scripted([ASKS, *said, *([judge(SECOND)] if judges else [])]) as endpoint:
        done = shell.run(endpoint, "--attempts", "2")
        asked = [json.dumps(one.body) for one in endpoint.requests if one.agent == "reviewer"]
    assert done.code == 0, done.stderr
    assert [one["chosen"] for one in done.result["attempts"]] == [chosen == 1, chosen == 2]
    assert len(asked) == judges
    assert all("answer of attempt 2" in one and "It subtracts" in one for one in asked)
    assert done.result["answer"] == other
    assert ("all gave the same answer; it cost least" in done.stdout) != judges
    assert listed(shell) == []


@pytest.mark.slow
def test_a_merge_that_is_not_possible_keeps_everything(shell, project, scripted):
    (project / "calc.py").write_text(BUG + "# mine\n")
    with scripted([ROUTER, *attempt("fast_coder")]) as endpoint:
        done = shell.run(endpoint, "--attempts", "2", "--by", "fast_coder")
    assert done.code == 1
    assert "could not be merged: uncommitted changes of yours" in done.result["error"]["message"]
    assert "your uncommitted changes are in NO attempt, and none is merged over them: calc.py" in done.stderr
    assert (project / "calc.py").read_text() == BUG + "# mine\n"
    assert len(listed(shell)) == 2


@pytest.mark.slow
def test_a_killed_race_goes_on_attempt_by_attempt(shell, project, scripted):
    slow: dict[str, Any] = {"latency_ms": 60_000}
    replies = [ROUTER, *attempt("fast_coder", **slow), *attempt("senior_coder", "b + a", **slow)]
    with scripted(replies) as endpoint:
        run = started(shell, endpoint, "--attempts", "2", "--max-cost", "1")
        until(run, "model_started", times=8)
        killed(run)
    assert (project / "calc.py").read_text() == BUG
    rows = listed(shell)
    assert [row["state"] for row in rows] == ["unfinished", "unfinished"]
    steps = [
        {**reply, "step": step}
        for reply, step in zip(attempt("senior_coder", "b + a"), (1, 2, 3), strict=True)
    ]
    second = max(row["session"] for row in rows)
    with scripted([ROUTER, *steps]) as endpoint:
        done = shell("resume", second, "--output", "json", env=environment(endpoint.url))
        assert len(endpoint.requests) == 1
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == BUG
    assert shell("worktrees", "merge", second).code == 0
    assert (project / "calc.py").read_text() == BUG.replace("a - b", "b + a")


@pytest.mark.slow
def test_ctrl_c_ends_all_of_them_and_keeps_what_they_did(shell, project, scripted):
    slow: dict[str, Any] = {"latency_ms": 60_000}
    replies = [ROUTER, *attempt("fast_coder"), *attempt("senior_coder", "b + a", **slow)]
    with scripted(replies) as endpoint:
        run = started(shell, endpoint, "--attempts", "2")
        until(run, "attempt_result")
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=30)
    result = json.loads(out.splitlines()[-1])
    assert (run.returncode, result["status"]) == (130, "interrupted")
    assert [one["status"] for one in result["attempts"]] == ["done", "interrupted"]
    assert (project / "calc.py").read_text() == BUG
    assert len(listed(shell)) == 2


@pytest.mark.slow
def test_a_judge_that_was_cut_short_is_not_asked_again(shell, project, scripted):
    with scripted([*TWO_GREEN, {**judge(SECOND), "latency_ms": 60_000}]) as endpoint:
        run = started(shell, endpoint, "--attempts", "2")
        until(run, "attempt_result", times=2)
        arrived(endpoint, 9)
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=30)
    result = json.loads(out.splitlines()[-1])
    attempts = [one["session_id"] for one in result["attempts"]]
    ids = [row["id"] for row in json.loads(shell("sessions", "list", "--output", "json").stdout)]
    (judged,) = {*ids} - {*attempts}
    with scripted([]) as endpoint:
        for arguments in (["resume"], ["resume", judged], ["run", "--continue"]):
            done = shell(*arguments, env=environment(endpoint.url))
            assert (done.code, done.stdout) == (2, ""), done.stderr
            assert (
                "the judge of attempts, which is not asked again\n  `codeflow worktrees list`" in done.stderr
            )
        assert endpoint.requests == []
    assert len(listed(shell)) == 2
    with scripted([{"agent": "senior_coder", "say": "Because."}, ROUTER]) as endpoint:
        done = shell(
            "run", "--continue", "why?", "--mode", "plan", "--output", "json", env=environment(endpoint.url)
        )
    assert done.result["session_id"] in attempts, done.stderr


@pytest.mark.slow
def test_one_that_is_out_of_time_leaves_the_other_and_a_model_may_be_named(shell, project, scripted):
    late = [{"agent": "fast_coder", "say": "too late", "latency_ms": 60_000}]
    with scripted([ROUTER, *late, *attempt("senior_coder")]) as endpoint:
        limit = {"CODEFLOW_FAULTS__NODES__FAST_CODER__VISIT_TIMEOUT_S": "1"}
        named = ("--by", "fast_coder", "--by", "amazon.nova-pro-v1:0")
        done = replace(shell, env={**shell.env, **limit}).run(endpoint, "--attempts", "2", *named)
        asked = {request.model_id for request in endpoint.requests if request.agent == "senior_coder"}
    assert done.code == 0, done.stderr
    assert asked == {"amazon.nova-pro-v1:0"}
    assert [one["status"] for one in done.result["attempts"]] == ["failed", "done"]
    assert done.result["cost_usd"] is None
    assert (project / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_a_judge_whose_budget_is_out_leaves_it_to_the_price(shell, project, scripted):
    greedy: dict[str, Any] = {"usage": {"input": 45_000, "output": 10}}
    replies = [ROUTER, *attempt("fast_coder", **greedy), *attempt("senior_coder", "b + a", **greedy)]
    with scripted([*replies, judge(SECOND)]) as endpoint:
        done = shell.run(endpoint, "--attempts", "2", "--max-tokens", "100000")
        assert "reviewer" not in {request.agent for request in endpoint.requests}
    assert done.code == 0, done.stderr
    (chosen,) = [one for one in done.result["attempts"] if one["chosen"]]
    assert chosen["by"] == "fast_coder"
    assert "reviewer did not choose (the limit of" in chosen["reason"]


def drain(terminal: int) -> None:
    """Read what is shown until nobody has the other end any more."""
    with contextlib.suppress(OSError):
        while os.read(terminal, 10_000):
            pass


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "code"), [(b"n\n", 2), (b"y\n", 0)])
def test_with_a_terminal_the_price_is_asked_for(shell, project, scripted, typed, code):
    person, terminal = pty.openpty()
    with scripted([ROUTER, *attempt("fast_coder")]) as endpoint:
        run = subprocess.Popen(
            [CODEFLOW, "run", "--attempts", "2", "--by", "fast_coder", "make the failing test pass"],
            cwd=project,
            env={**shell.env, **environment(endpoint.url), "CODEFLOW_ATTEMPTS__ASK_OVER_USD": "0.001"},
            stdin=terminal,
            stdout=subprocess.DEVNULL,
            stderr=terminal,
        )
        os.close(terminal)
        shown = b""
        while b"go ahead?" not in shown:
            shown += os.read(person, 10_000)
        assert endpoint.requests == []
        os.write(person, typed)
        drain(person)
        assert run.wait(60) == code
    os.close(person)
    assert (project / "calc.py").read_text() == (FIXED if code == 0 else BUG)
