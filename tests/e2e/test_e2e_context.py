"""A conversation that outgrows its model, on the wire: what is kept, what is said, and what happens when it goes wrong."""

import json

import pytest
from tests.bench.soak import small_roster
from tests.e2e.harness import REPAIR, ROUTER
from tests.e2e.test_e2e_resume import killed, resumed, started, until

from codeflow.models.endpoint import environment

WINDOW = 24_000
OVERFLOW = {"error": "ValidationException", "message": "Input is too long for requested model."}
AGENT = "fast_coder"
SUMMARIES = [{"agent": "summarizer", "say": f"Done: {number} parts were read."} for number in range(1, 9)]


def read(part):
    return {"agent": AGENT, "call": [{"read_file": {"path": f"part_{part}.txt"}}]}


def think(number):
    """A turn whose words fill the window and cannot be taken out as a result can."""
    words = f"Finding {number}: " + "this is what I concluded. " * 150
    look = {"read_file": {"path": "calc.py", "line_count": number + 2}}
    return {"agent": AGENT, "say": words, "call": [look]}


@pytest.fixture
def small(shell, project, tmp_path):
    """A shell whose models have a small window, in a project with much to read."""
    for part in range(10):
        lines = [f"line {line} of part {part} " + "word " * 8 for line in range(150)]
        (project / f"part_{part}.txt").write_text("\n".join(lines))
    roster = small_roster(tmp_path / "small.toml", WINDOW)
    shell.env["CODEFLOW_RUN__ROSTER"] = str(roster)
    shell.env["CODEFLOW_FAULTS__MAX_WAIT_S"] = "0"
    return shell


def compactions(shell, result):
    shown = shell("sessions", "show", result["session_id"], "--output", "json")
    return [event for event in json.loads(shown.stdout) if event["kind"] == "conversation_compacted"]


def requests_of(endpoint, agent=AGENT):
    return [request for request in endpoint.requests if request.agent == agent]


@pytest.mark.slow
def test_old_results_go_first_and_can_be_read_again(small, scripted):
    replies = [ROUTER, *(read(part) for part in range(8)), *REPAIR[1:]]
    with scripted(replies) as endpoint:
        done = small.run(endpoint)
    assert done.code == 0, done.stderr
    found = compactions(small, done.result)
    assert {event["method"] for event in found} == {"trimmed"}
    assert all(event["after_tokens"] < event["before_tokens"] for event in found)
    text = json.dumps(requests_of(endpoint)[-1].body["messages"])
    assert "[read_file part_0.txt: " in text
    assert "were taken out to make room; read_output res-" in text
    line = next(
        line
        for line in small("sessions", "show", done.result["session_id"]).stdout.splitlines()
        if "tokens (" in line
    )
    assert line.startswith("context  fast_coder: ")
    assert line.endswith(" tokens (trimmed)")


@pytest.mark.slow
def test_what_was_taken_out_is_read_again_by_its_id(small, scripted):
    again = {"agent": AGENT, "call": [{"read_output": {"id": "res-1"}}]}
    with scripted([ROUTER, *(read(part) for part in range(8)), again, *REPAIR[1:]]) as endpoint:
        done = small.run(endpoint)
    assert done.code == 0, done.stderr
    last = requests_of(endpoint)[9].body["messages"][-1]["content"][0]["toolResult"]["content"][0]["text"]
    assert "line 149 of part 0" in last


@pytest.mark.slow
def test_old_turns_become_a_summary_that_is_priced_and_the_task_stays(small, scripted):
    with scripted([ROUTER, *map(think, range(20)), *REPAIR[1:], *SUMMARIES]) as endpoint:
        done = small.run(endpoint)
    assert done.code == 0, done.stderr
    assert {event["method"] for event in compactions(small, done.result)} == {"summary"}
    task, memo = requests_of(endpoint)[-1].body["messages"][0]["content"][:2]
    assert "make the failing test pass" in task["text"]
    assert "parts were read." in memo["text"]
    assert "Finding 1" in json.dumps(requests_of(endpoint, "summarizer")[0].body["messages"])
    share = next(share for share in done.result["by_agent"] if share["name"] == "summarizer")
    assert share["cost_usd"] > 0


@pytest.mark.slow
def test_a_failed_summary_is_said_and_a_list_of_calls_stands_for_it(small, scripted):
    broken = [{**summary, "faults": [{"error": "InternalServerException"}] * 9} for summary in SUMMARIES]
    with scripted([ROUTER, *map(think, range(20)), *REPAIR[1:], *broken]) as endpoint:
        done = small("run", "make the failing test pass", env=environment(endpoint.url))
    assert done.code == 0, done.stderr
    assert "fast_coder's conversation could not be summarised" in done.stderr
    assert "tokens (digest)" in done.stderr
    assert "- read_file calc.py: " in requests_of(endpoint)[-1].body["messages"][0]["content"][1]["text"]


@pytest.mark.slow
def test_an_overflow_that_the_service_reports_is_answered_by_one_shorter_request(small, scripted):
    overflowing = {**think(6), "faults": [OVERFLOW]}
    with scripted([ROUTER, *map(think, range(6)), overflowing, *REPAIR[1:], *SUMMARIES]) as endpoint:
        done = small.run(endpoint)
    assert done.code == 0, done.stderr
    before, after = (len(json.dumps(request.body)) for request in requests_of(endpoint)[6:8])
    assert after < before
    assert len(compactions(small, done.result)) == 1


@pytest.mark.slow
def test_a_second_overflow_ends_the_run_with_what_to_do(small, scripted):
    hopeless = [{**think(number), "faults": [OVERFLOW]} for number in (6, 7)]
    with scripted([ROUTER, *map(think, range(6)), *hopeless, *SUMMARIES]) as endpoint:
        done = small.run(endpoint, "--pattern", "single")
    assert done.code == 1
    assert "no longer fits its model" in done.result["error"]["message"]
    assert "larger context" in done.result["error"]["hint"]


@pytest.mark.slow
def test_a_window_that_nothing_can_make_room_in_is_not_summarised_turn_after_turn(small, scripted, tmp_path):
    roster = small_roster(tmp_path / "tiny.toml", 3_000)  # less than the system prompt and the tools
    with scripted([ROUTER, *(think(n) for n in range(4)), *REPAIR[1:], *SUMMARIES]) as endpoint:
        small.run(endpoint, "--roster", str(roster))
    assert not requests_of(endpoint, "summarizer")


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_shortened_conversation(small, scripted):
    replies = [{**reply, "step": step} for step, reply in enumerate([*map(think, range(20)), *REPAIR[1:]], 1)]
    waiting = {**replies[20], "latency_ms": 60_000}
    with scripted([ROUTER, *replies[:20], waiting, *SUMMARIES]) as endpoint:
        run = started(small, endpoint)
        until(run, "conversation_compacted")
        killed(run)
    with scripted([*replies, *SUMMARIES]) as endpoint:
        done = resumed(small, endpoint)
        first = requests_of(endpoint)[0].body["messages"]
    assert done.code == 0, done.stderr
    assert "<earlier_work>" in first[0]["content"][1]["text"]
    assert "Finding 1: " not in json.dumps(first[1:])
