"""A swarm of readers over the wire: handoffs, sources that exist, a reader that fails, a kill."""

from dataclasses import asdict

import pytest
from tests.e2e.test_e2e_patterns import asked, course, ends, script
from tests.e2e.test_e2e_resume import killed, resumed, started, steps, until
from tests.e2e.test_e2e_workflows import by_workflow, workflow

__all__ = ["workflow"]  # a fixture that both files use

EXPLORE = """
nodes:
  look:
    explore:
      agents: {code: architect, history: reviewer}
      start: code
      task: "Why does add subtract?"
      handoffs: 2
      writer: documentation
      FAULTS
answer: "{{ look.text }} Asked: {{ look.result.path }}"
"""
TO_HISTORY = ends({"hand_to": "history", "ask": "Who wrote calc.py:2?"}, "It does, calc.py:2.")
NO_MORE = ends({"hand_to": None}, "It was the first commit.")
INVENTED = ends({"sources": ["calc.py:99"]}, "A typo.")
WRITTEN = ends({"sources": ["calc.py:2", "commit 1a2b3c"]}, "A typo from the beginning.")
REPLIES = {
    "architect@look.code": [TO_HISTORY],
    "reviewer@look.history": [NO_MORE],
    "documentation@look.synthesis": [INVENTED, WRITTEN],
}


def exploring(faults: str = "") -> str:
    return EXPLORE.replace("      FAULTS\n", faults)


def test_readers_hand_on_and_the_answer_cites_what_exists(shell, scripted, workflow):
    workflow(exploring())
    with scripted(script(REPLIES)) as endpoint:
        done = by_workflow(shell, endpoint, "--output", "stream-json")
        told = asked(endpoint, "reviewer@look.history")
        sent_back = asked(endpoint, "documentation@look.synthesis")
        billed = asdict(endpoint.billed)
    result = done.events[-1]["result"] if "result" in done.events[-1] else done.events[-1]
    assert done.code == 0, done.stderr
    assert [step for step in course(done.events) if "@" in step] == [
        "+architect@look.code",
        "-architect@look.code",
        "+reviewer@look.history",
        "-reviewer@look.history",
        "+documentation@look.synthesis",
        "-documentation@look.synthesis",
        "+documentation@look.synthesis",
        "-documentation@look.synthesis",
    ]
    assert "You are asked: Who wrote calc.py:2?" in told
    assert "It does, calc.py:2." in told
    assert "sources: there is no calc.py:99" in sent_back
    assert result["answer"].endswith('Asked: ["code", "history"]')
    assert result["usage"] == billed


@pytest.mark.slow
@pytest.mark.parametrize(
    "broken", [{"faults": [{"error": "InternalServerException"}] * 9}, {"latency_ms": 60_000}]
)
def test_a_reader_that_fails_or_is_too_slow_ends_the_round_and_the_others_findings_are_used(
    shell, scripted, workflow, broken
):
    workflow(exploring("    faults: {max_attempts: 1, visit_timeout_s: 2}\n"))
    replies = {**REPLIES, "reviewer@look.history": [{**NO_MORE, **broken}]}
    with scripted(script(replies)) as endpoint:
        done = by_workflow(shell, endpoint)
        told = asked(endpoint, "documentation@look.synthesis")
    assert done.code == 0, done.stderr
    assert "A typo from the beginning." in done.result["answer"]
    assert "sources: there is no" in told


@pytest.mark.slow
def test_a_killed_exploration_goes_on_where_it_was(shell, scripted, workflow):
    workflow(exploring())
    slow = {**REPLIES, "reviewer@look.history": [{**NO_MORE, "latency_ms": 60_000}]}
    with scripted(script(slow)) as endpoint:
        run = started(shell, endpoint, "--workflow", "tiny", "--mode", "auto")
        until(run, "model_started", times=3)
        killed(run)
    with scripted(script(REPLIES)) as endpoint:
        done = resumed(shell, endpoint)
        assert ("architect@look.code", 1) not in steps(endpoint)
        assert steps(endpoint)["reviewer@look.history", 1] == 1
    assert done.code == 0, done.stderr
    assert done.result["answer"].endswith('Asked: ["code", "history"]')


@pytest.mark.slow
def test_what_has_no_source_is_no_answer(shell, scripted, workflow):
    workflow(exploring())
    with scripted(script({**REPLIES, "documentation@look.synthesis": [INVENTED, INVENTED]})) as endpoint:
        done = by_workflow(shell, endpoint)
    assert done.code == 1
    assert "there is no answer with sources" in done.result["error"]["message"]
