"""Whoever takes over in a later visit knows nothing of the earlier ones, and is told what they were about."""

import json
from dataclasses import asdict

import pytest
from tests.e2e.harness import BUG, FIXED, ROUTER
from tests.e2e.test_e2e_graph import PLAN, ZERO, edit, review
from tests.e2e.test_e2e_graph import ROUTER as COMPLEX
from tests.e2e.test_e2e_workflows import by_workflow, fixes, say, workflow

__all__ = ["workflow"]

DOWN = [{"error": "InternalServerException"}] * 4
FIX = """
nodes:
  fix:
    agent: fast_coder
    task: "Repair add in calc.py."
    result: [file]
    faults: {max_attempts: 1, fallback_agent: senior_coder}
"""
DEBATE = """
nodes:
  choose:
    debate: {proposer: architect, critic: reviewer, judge: senior_coder, task: "Tabs or spaces?", rounds: 2}
    faults: {max_attempts: 1, fallback_agent: debugger}
"""


def first_told(endpoint, agent):
    first = next(request for request in endpoint.requests if request.agent == agent)
    return first.body["messages"][0]["content"][0]["text"]


def test_a_node_is_taken_over_at_its_second_question(shell, project, scripted, workflow):
    workflow(FIX)
    gone = {**say("fast_coder@fix", "never"), "faults": DOWN}
    successor = say("fast_coder@fix+senior_coder", '{"file": "calc.py"}')
    with scripted([ROUTER, *fixes("fast_coder@fix"), gone, successor]) as endpoint:
        done = by_workflow(shell, endpoint)
        told = first_told(endpoint, "fast_coder@fix+senior_coder")
        assert done.result["usage"] == asdict(endpoint.billed)
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == FIXED
    order = [
        told.index(part)
        for part in (
            "<task>\nmake the failing test pass",
            "Repair add in calc.py.",
            "missing: file",
            "<takeover>",
        )
    ]
    assert order == sorted(order)


def test_a_member_is_taken_over_in_the_second_round(shell, scripted, workflow):
    workflow(DEBATE)
    place = "choose.proposer"
    replies = [
        ROUTER,
        say(f"architect@{place}", "Spaces."),
        say("reviewer@choose.critic", 'Why? {"agree": false}'),
        {**say(f"architect@{place}", "never"), "faults": DOWN},
        say(f"architect@{place}+debugger", "Spaces, as PEP 8 says."),
        say("reviewer@choose.critic", '{"agree": true}'),
    ]
    with scripted(replies) as endpoint:
        done = by_workflow(shell, endpoint)
        told = first_told(endpoint, f"architect@{place}+debugger")
    assert done.code == 0, done.stderr
    assert done.result["answer"] == "Spaces, as PEP 8 says."
    order = [
        told.index(part) for part in ("Tabs or spaces?", "Spaces.", "Your colleague objects", "<takeover>")
    ]
    assert order == sorted(order)


@pytest.mark.slow
def test_a_coder_who_was_not_there_is_told_the_task_with_what_a_reviewer_found(shell, scripted):
    plan = {**PLAN, "steps": [{**PLAN["steps"][0], "goal": "add adds, divide divides"}]}
    found = {"file": "calc.py", "line": 6, "problem": "divide(1, 0) raises", "command": ZERO}
    divide = FIXED + "\n\ndef divide(a, b):\n    return a / b\n"
    replies = [
        COMPLEX,
        {"agent": "architect", "say": json.dumps(plan)},
        *edit("fast_coder", BUG, divide),
        {"agent": "test_engineer", "say": "Nothing to add."},
        review(found),
        *edit("senior_coder", "    return a / b\n", "    return a / b if b else None\n"),
        review(),
        {"agent": "documentation", "say": "Nothing to do."},
    ]
    with scripted(replies) as endpoint:
        done = shell.run(endpoint, "--mode", "auto", task="add a divide function")
        told = first_told(endpoint, "senior_coder")
    assert done.code == 0, done.stderr
    assert told.index("<task>\nadd a divide function") < told.index("divide(1, 0) raises")
