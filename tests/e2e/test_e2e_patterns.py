"""Patterns of several agents as nodes of workflows, over the wire."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pytest
from tests.e2e.harness import FIXED, ROUTER
from tests.e2e.test_e2e_resume import steps
from tests.e2e.test_e2e_workflows import by_workflow, edit, read, workflow

__all__ = ["workflow"]  # a fixture that both files use

_NAMED = {
    "agent_started": "agent",
    "agent_finished": "agent",
    "node_started": "node",
    "node_finished": "node",
}
Replies = dict[str, list[dict[str, Any]]]


def ends(value: object, before: str = "So it is.") -> dict[str, Any]:
    """An answer with JSON at its end."""
    return {"say": f"{before} {json.dumps(value)}"}


def said(text: str) -> dict[str, Any]:
    return {"say": text}


def script(replies: Replies) -> list[dict[str, Any]]:
    """A transcript of what each seat says, call by call."""
    return [ROUTER] + [
        {**reply, "agent": seat, "step": step}
        for seat, answers in replies.items()
        for step, reply in enumerate(answers, 1)
    ]


def course(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """What began (+) and ended (-, or ! badly), in order."""
    told = []
    for event in events:
        if name := _NAMED.get(event["kind"]):
            sign = "+" if event["kind"].endswith("started") else "-" if event["ok"] else "!"
            told.append(f"{sign}{event[name]}")
    return told


def asked(endpoint, seat: str) -> str:
    """The last message that a seat was sent."""
    body = [request.body for request in endpoint.requests if request.agent == seat][-1]
    return "".join(block.get("text", "") for block in body["messages"][-1]["content"])


FANOUT = """
nodes:
  talk:
    fanout:
      members:
        security: {agent: reviewer, task: "Look for holes."}
        speed: reviewer
        design: architect
      task: "Look at calc.py."
      merge: {items: findings, by: [file, line]}
answer: "{{ talk.text }}"
"""
SIGN = {"file": "calc.py", "line": 2, "problem": "the sign is wrong"}
MINUS = {"file": "Calc.py", "line": 2, "problem": "it subtracts"}
NAME = {"file": "calc.py", "line": 1, "problem": "a and b say nothing"}
FOUND: Replies = {
    "reviewer@talk.security": [ends({"findings": [SIGN]})],
    "reviewer@talk.speed": [{**ends({"findings": [MINUS, NAME]}), "latency_ms": 500}],
    "architect@talk.design": [ends({"findings": []})],
}
MERGED = f"- {json.dumps(SIGN)} (security, speed)\n- {json.dumps(NAME)} (speed)"
DEBATE = """
nodes:
  talk:
    debate: {proposer: architect, critic: reviewer, judge: senior_coder, task: "Which sign?", rounds: 2}
answer: "{{ talk.text }}"
"""
PROPOSED: Replies = {
    "architect@talk.proposer": [said("A plus."), said("A plus, in calc.py:2.")],
    "reviewer@talk.critic": [ends({"agree": False}, "Where?"), ends({"agree": False}, "Why?")],
    "senior_coder@talk.judge": [ends({"proposal": 2}, "It says where.")],
}
HIERARCHY = """
nodes:
  talk:
    hierarchy:
      supervisor: architect
      leads:
        code: {agent: senior_coder, workers: {hands: fast_coder}}
        tests: {agent: test_engineer}
      task: "Repair it."
answer: "{{ talk.text }}"
"""
SHOWN = "It adds, and a test shows it."
LED: Replies = {
    "architect@talk.supervisor": [
        ends({"parts": {"code": "Mend add.", "tests": "Look at the tests."}}),
        said(SHOWN),
    ],
    "senior_coder@talk.code": [ends({"ask": {"hands": "Make it a plus."}}), said("It is a plus.")],
    "fast_coder@talk.code.hands": [
        *({"call": one["call"]} for one in (read(""), edit("", "a - b", "a + b"))),
        said("Changed calc.py."),
    ],
    "test_engineer@talk.tests": [{**said("One test, it is enough."), "latency_ms": 500}],
}
COORDINATOR = """
nodes:
  talk:
    coordinator:
      planner: architect
      agents: [reviewer, fast_coder]
      task: "What is wrong, and who knows?"
      reads_only: true
      minimum: "50%"
answer: "{{ talk.text }}"
"""


def step(name: str, agent: str, *needs: str) -> dict[str, Any]:
    shown = " and ".join(f"{{{{ {need} }}}}" for need in needs)
    return {
        "id": name,
        "agent": agent,
        "task": f"Do {name}. {shown}".strip(),
        **({"requires_results_from": list(needs)} if needs else {}),
    }


PLAN = {
    "steps": [step("what", "reviewer"), step("who", "reviewer"), step("both", "fast_coder", "what", "who")],
    "final_format": "Wrong: {{ what }}. All: {{ both }}.",
}
PLANNED: Replies = {
    "architect@talk.planner": [ends(PLAN)],
    "reviewer@talk.steps.what": [said("the sign")],
    "reviewer@talk.steps.who": [{**said("git blame"), "latency_ms": 500}],
    "fast_coder@talk.steps.both": [said("the sign, says git blame")],
}
MESH = """
nodes:
  talk:
    mesh:
      peers: {a: architect, b: reviewer, c: senior_coder, d: debugger}
      task: "Plus or minus?"
      choices: [plus, minus]
answer: "{{ talk.text }}"
"""


def vote(choice: str, **notes: str) -> dict[str, Any]:
    return ends({"decision": choice, "notes": notes})


VOTED: Replies = {
    "architect@talk.a": [vote("plus", why="test_calc.py:8 adds"), vote("plus")],
    "reviewer@talk.b": [vote("Plus"), vote("plus")],
    "senior_coder@talk.c": [vote("minus", where="calc.py:2"), vote("plus")],
    "debugger@talk.d": [vote("minus"), vote("minus")],
}


def events_of(shell, scripted, replies: Replies, hears: Mapping[str, Sequence[str]] | None = None):
    """The course and the result of a run by the workflow; `hears`: what has to be in the last message to a seat."""
    with scripted(script(replies)) as endpoint:
        done = by_workflow(shell, endpoint, "--output", "stream-json")
    assert done.code == 0, done.stderr
    for seat, texts in (hears or {}).items():
        heard = asked(endpoint, seat)
        assert [text for text in texts if text not in heard] == []
    *events, result = done.events
    assert result["usage"] == asdict(endpoint.billed)
    assert {share["name"] for share in result["by_agent"]} == {"router", *replies}
    return course(events), result


def test_fanout_asks_at_once_and_tells_the_same_finding_once(shell, scripted, workflow):
    workflow(FANOUT)
    told, result = events_of(
        shell,
        scripted,
        FOUND,
        {"reviewer@talk.security": ["Look for holes."]},
    )
    assert told[0] == "+talk"
    assert set(told[1:4]) == {f"+{seat}" for seat in FOUND}
    assert told[-2:] == ["-reviewer@talk.speed", "-talk"]
    assert result["answer"] == MERGED


def test_a_debate_is_decided_by_the_judge_when_the_critic_does_not_agree(shell, scripted, workflow):
    workflow(DEBATE)
    told, result = events_of(shell, scripted, PROPOSED)
    talks = [name[1:] for name in told if name.startswith("+") and "@" in name]
    assert talks == [*["architect@talk.proposer", "reviewer@talk.critic"] * 2, "senior_coder@talk.judge"]
    assert result["answer"] == "A plus, in calc.py:2."


@pytest.mark.slow
def test_a_debate_ends_when_the_critic_agrees(shell, scripted, workflow):
    workflow(DEBATE)
    agreed = {
        "architect@talk.proposer": [said("A plus.")],
        "reviewer@talk.critic": [said("I agree."), ends({"agree": True})],
    }
    told, result = events_of(shell, scripted, agreed)
    assert told.count("+reviewer@talk.critic") == 2  # sent back once, for its JSON
    assert result["answer"] == "A plus."


def test_a_hierarchy_splits_hands_out_and_puts_together(shell, project, scripted, workflow):
    workflow(HIERARCHY)
    told, result = events_of(
        shell,
        scripted,
        LED,
        {"architect@talk.supervisor": ["One test, it is enough."]},
    )
    assert told[:2] == ["+talk", "+architect@talk.supervisor"]
    order = [
        "-architect@talk.supervisor",
        "+senior_coder@talk.code",
        "+fast_coder@talk.code.hands",
        "-fast_coder@talk.code.hands",
    ]
    assert [told.index(name) for name in order] == sorted(told.index(name) for name in order)
    assert told[-2:] == ["-architect@talk.supervisor", "-talk"]
    assert (project / "calc.py").read_text() == FIXED
    assert result["answer"] == "It adds, and a test shows it."
    assert result["gates"][0]["status"] == "green"


def test_a_coordinators_plan_is_carried_out_side_by_side_where_it_can_be(shell, scripted, workflow):
    workflow(COORDINATOR)
    told, result = events_of(
        shell,
        scripted,
        PLANNED,
        {"fast_coder@talk.steps.both": ["the sign"]},
    )
    assert told[:3] == ["+talk", "+architect@talk.planner", "-architect@talk.planner"]
    assert set(told[3:5]) == {"+reviewer@talk.steps.what", "+reviewer@talk.steps.who"}
    assert told[-3:] == ["+fast_coder@talk.steps.both", "-fast_coder@talk.steps.both", "-talk"]
    assert result["answer"] == "Wrong: the sign. All: the sign, says git blame."


@pytest.mark.slow
def test_a_plan_that_cannot_be_carried_out_is_sent_back_once_with_the_reasons(shell, scripted, workflow):
    workflow(COORDINATOR)
    around = [step("what", "reviewer", "who"), step("who", "nobody", "what")]
    bad = ends({"steps": around, "final_format": "{{ else }}"})

    reasons = ["no agent is called nobody here", "wait for each other in a circle", "{{ else }}"]
    replies = {**PLANNED, "architect@talk.planner": [bad, ends(PLAN)]}
    assert events_of(shell, scripted, replies, {"architect@talk.planner": reasons})[1]["answer"].startswith(
        "Wrong: the sign."
    )
    with scripted(script({"architect@talk.planner": [bad, bad]})) as endpoint:
        done = by_workflow(shell, endpoint)
    assert done.code == 1
    assert "architect's answer cannot be used: " in done.result["error"]["message"]


def test_a_mesh_decides_by_a_quorum_once_its_peers_have_seen_each_others_notes(shell, scripted, workflow):
    workflow(MESH)

    others = ['"decisions": {\n  "a": "plus"', '"b": "Plus"', '"d": "minus"', '"version": 1']
    told, result = events_of(shell, scripted, VOTED, {"senior_coder@talk.c": others})
    assert set(told[1:5]) == {f"+{seat}" for seat in VOTED}
    assert {seat: told.count(f"-{seat}") for seat in VOTED} == dict.fromkeys(VOTED, 2)
    assert result["answer"] == "plus"


@pytest.mark.slow
@pytest.mark.parametrize(
    "traitor",
    [
        [vote("minus", why="because"), vote("minus", why="I say so")],
        [said("I like trains."), said("42"), said("<data>"), said('{"decision": null}')],
        [ends({"decision": "both"}), ends({"decision": ["plus", "minus"]}), vote("minus"), vote("plus")],
    ],
    ids=["lies", "nonsense", "wavers"],
)
def test_one_peer_of_four_cannot_turn_the_decision(shell, scripted, workflow, traitor):
    workflow(MESH)
    honest = {
        "architect@talk.a": [vote("plus"), vote("plus")],
        "reviewer@talk.b": [vote("plus"), vote("plus")],
        "senior_coder@talk.c": [vote("minus"), vote("plus")],
    }
    with scripted(script({**honest, "debugger@talk.d": traitor})) as endpoint:
        done = by_workflow(shell, endpoint)
    assert (done.code, done.result["answer"]) == (0, "plus"), done.stderr
    assert done.result["usage"] == asdict(endpoint.billed)


@pytest.mark.slow
def test_contradicting_notes_are_put_together_by_an_agent(shell, scripted, workflow):
    workflow(MESH.replace("choices:", "conflicts: merge\n      merger: documentation\n      choices:"))
    replies = {
        **VOTED,
        "senior_coder@talk.c": [vote("minus", why="calc.py:2 subtracts"), vote("plus")],
        "documentation@talk.merger": [ends({"value": "the code subtracts, the test adds"})],
    }
    heard = {
        "documentation@talk.merger": ["test_calc.py:8 adds", "calc.py:2 subtracts"],
        "debugger@talk.d": ["the code subtracts, the test adds"],
    }
    assert events_of(shell, scripted, replies, heard)[1]["answer"] == "plus"


@pytest.mark.slow
@pytest.mark.parametrize("tie", ["first", "fail"])
def test_a_tied_vote_is_told(shell, scripted, workflow, tie):
    votes = f"members: {{a: reviewer, b: architect}}, task: Is it so, vote: {{key: right, tie: {tie}}}"
    workflow(f"nodes: {{talk: {{fanout: {{{votes}}}}}}}\n")
    replies = {"reviewer@talk.a": [ends({"right": "no"})], "architect@talk.b": [ends({"right": "yes"})]}
    with scripted(script(replies)) as endpoint:
        done = by_workflow(shell, endpoint, "--output", "stream-json")
    *events, result = done.events
    if tie == "first":
        warned = [event["text"] for event in events if event["kind"] == "notice"]
        assert "talk: the vote is tied, the first wins: no: a; yes: b" in warned
        assert (done.code, result["answer"]) == (0, "no")
    else:
        assert done.code == 1
        assert result["error"]["message"] == "talk: the vote is tied: no: a; yes: b"


@pytest.mark.slow
def test_who_has_no_opinion_has_no_vote(shell, scripted, workflow):
    votes = "members: {a: reviewer, b: architect, c: debugger}, task: Is it so, vote: {key: right}"
    workflow(f"nodes: {{talk: {{fanout: {{{votes}}}}}}}\n")
    replies = {
        "reviewer@talk.a": [ends({"right": None}), ends({"right": None})],
        "architect@talk.b": [ends({"right": {"x": 1}}), ends({"right": [1]})],
        "debugger@talk.c": [ends({"right": " "}), ends({"right": False})],
    }
    with scripted(script(replies)) as endpoint:
        done = by_workflow(shell, endpoint)
    assert (done.code, done.result["answer"]) == (0, "false")


@pytest.mark.slow
def test_a_nodes_budget_and_tools_are_its_members(shell, scripted, workflow):
    workflow(FANOUT.replace("    fanout:", "    max_cost: 0.000001\n    fanout:"))
    with scripted(script(FOUND)) as endpoint:
        done = by_workflow(shell, endpoint)
        assert set(steps(endpoint)) == {("router", 1)}
    assert done.code == 3, done.stderr
    assert "the $0.000001 of node talk has $0.0000 left" in done.result["error"]["message"]
    workflow(FANOUT.replace("reviewer", "senior_coder"))
    replies = {seat.replace("reviewer", "senior_coder"): answers for seat, answers in FOUND.items()}
    with scripted(script(replies)) as endpoint:
        assert by_workflow(shell, endpoint).code == 0
        bodies = [one.body for one in endpoint.requests if one.agent == "senior_coder@talk.speed"]
    tools = {tool["toolSpec"]["name"] for tool in bodies[0]["toolConfig"]["tools"] if "toolSpec" in tool}
    assert "read_file" in tools
    assert not tools & {"edit_file", "write_file", "run_command"}
