"""A member of a pattern fails, takes too long, or is at work when the run is killed."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest
from tests.e2e.test_e2e_patterns import (
    COORDINATOR,
    DEBATE,
    FANOUT,
    FOUND,
    HIERARCHY,
    LED,
    MERGED,
    MESH,
    PLANNED,
    PROPOSED,
    SHOWN,
    SIGN,
    VOTED,
    Replies,
    course,
    ends,
    said,
    script,
    vote,
)
from tests.e2e.test_e2e_resume import killed, resumed, started, steps, until
from tests.e2e.test_e2e_workflows import by_workflow, workflow

__all__ = ["workflow"]  # a fixture that both files use


@dataclass(frozen=True)
class Case:
    """A pattern in which one member gets lost, and what is left."""

    workflow: str
    replies: Replies
    victim: str
    whole: str
    """The answer."""
    answer: str
    """The answer without the victim."""
    others: int
    """Visits that end while the victim is at its first."""
    in_turn: bool = False
    """Whether the victim begins after them: it needs them, or both may write."""
    gone: tuple[str, ...] = ()
    """Seats that are not asked for want of the victim."""
    instead: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)


CASES = {
    "fanout": Case(FANOUT, FOUND, "reviewer@talk.speed", MERGED, f"- {json.dumps(SIGN)} (security)", 2),
    "debate": Case(
        DEBATE,
        PROPOSED,
        "reviewer@talk.critic",
        "A plus, in calc.py:2.",
        "A plus.",
        1,
        in_turn=True,
        instead={"senior_coder@talk.judge": [ends({"proposal": 1})]},
    ),
    "hierarchy": Case(HIERARCHY, LED, "test_engineer@talk.tests", SHOWN, SHOWN, 2, in_turn=True),
    "coordinator": Case(
        COORDINATOR.replace("50%", "30%"),
        PLANNED,
        "reviewer@talk.steps.who",
        "Wrong: the sign. All: the sign, says git blame.",
        "Wrong: the sign. All: (no result).",
        2,
        gone=("fast_coder@talk.steps.both",),
    ),
    "mesh": Case(
        MESH,
        {seat: [vote("plus")] for seat in VOTED},
        "reviewer@talk.b",
        "plus",
        "plus",
        3,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["fails", "takes too long"])
@pytest.mark.parametrize("name", CASES)
def test_a_member_that_gets_lost_leaves_the_others_results_usable(shell, scripted, workflow, name, fault):
    case = CASES[name]
    faults = "max_attempts: 1" if fault == "fails" else "visit_timeout_s: 8"
    workflow(case.workflow.replace("  talk:\n", f"  talk:\n    faults: {{{faults}}}\n"))
    spoilt = (
        {"faults": [{"error": "InternalServerException"}] * 4} if fault == "fails" else {"latency_ms": 60_000}
    )
    replies = {**case.replies, **case.instead, case.victim: [{**said("Too late."), **spoilt}]}
    with scripted(script(replies)) as endpoint:
        done = by_workflow(shell, endpoint, "--output", "stream-json")
    *events, result = done.events
    assert done.code == 0, done.stderr
    assert result["answer"] == case.answer
    told = course(events)
    assert f"!{case.victim}" in told
    assert "-talk" in told
    assert not [one for one in told if one[1:] in case.gone]
    if fault == "fails":  # what a call took that was cut off is not known
        assert result["usage"] == asdict(endpoint.billed)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_killed_pattern_goes_on_and_repeats_only_the_call_in_flight(shell, scripted, workflow, name):
    case = CASES[name]
    whole = case.replies
    waiting = {
        **whole,
        case.victim: [{**whole[case.victim][0], "latency_ms": 60_000}, *whole[case.victim][1:]],
    }
    workflow(case.workflow)
    with scripted(script(waiting)) as endpoint:
        run = started(shell, endpoint, "--workflow", "tiny", "--mode", "auto")
        until(run, "agent_finished", times=case.others)
        if case.in_turn:
            until(run, "model_started")
        killed(run)
        before = steps(endpoint)
    with scripted(script(whole)) as endpoint:
        done = resumed(shell, endpoint)
        after = steps(endpoint)
    assert done.code == 0, done.stderr
    assert done.result["answer"] == case.whole
    assert after[case.victim, 1] == 1
    before.pop((case.victim, 1), None)
    assert before + after == {(reply["agent"], reply.get("step", 1)): 1 for reply in script(whole)}
