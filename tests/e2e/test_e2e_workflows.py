"""Workflows from their file to the result, over the wire."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.harness import FIXED, ROUTER, git
from tests.e2e.test_e2e_resume import killed, resumed, started, steps, until

HEAD = "codeflow_workflow: 1\nname: tiny\ndescription: a test's\n"
REPAIR = """
nodes:
  look:
    agent: reviewer
    reads_only: true
    task: "Where is the fault?"
    result: [file]
  fix: {agent: fast_coder, task: "Repair {{ look.result.file }}."}
  check: {gate: all}
  debug: {agent: debugger, task: "{{ check.text }}"}
edges:
  - {from: look, to: fix}
  - {from: fix, to: check}
  - {from: check, to: debug, when: "check.status == 'red'"}
  - {from: debug, to: check, at_most: 2}
answer: "{{ fix.text }} Gates: {{ check.status }}."
"""
FOUND = {"agent": "reviewer@look", "say": 'It subtracts. {"file": "calc.py"}'}


def edit(agent: str, old: str, new: str) -> dict[str, Any]:
    return {
        "agent": agent,
        "call": [{"edit_file": {"path": "calc.py", "old_text": old, "new_text": new}}],
    }


def say(agent: str, text: str = "Done.") -> dict[str, Any]:
    return {"agent": agent, "say": text}


def read(agent: str) -> dict[str, Any]:
    return {"agent": agent, "call": [{"read_file": {"path": "calc.py"}}]}


def fixes(agent: str, new: str = "a + b", old: str = "a - b", text: str = "It adds.") -> list[dict[str, Any]]:
    return [read(agent), edit(agent, old, new), say(agent, text)]


@pytest.fixture
def workflow(project: Path):
    """Puts a workflow into the project."""

    def put(body: str, name: str = "tiny") -> None:
        folder = project / ".codeflow" / "workflows"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(HEAD.replace("tiny", name) + body)
        git(project, "add", "-A")
        git(project, "commit", "-qm", "a workflow")

    return put


def by_workflow(shell, endpoint, *more: str, name: str = "tiny"):
    return shell.run(endpoint, "--workflow", name, "--mode", "auto", *more)


def test_nodes_edges_loops_and_the_answer(shell, project, scripted, workflow):
    workflow(REPAIR)
    replies = [
        ROUTER,
        FOUND,
        *fixes("fast_coder@fix", "a * b"),
        *fixes("debugger@debug", old="a * b", text="It was multiplied."),
    ]
    with scripted(replies) as endpoint:
        done = by_workflow(shell, endpoint)
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == FIXED
    assert done.result["answer"] == "It adds. Gates: green."
    assert done.result["pattern"] == "workflow"
    assert done.result["usage"] == asdict(endpoint.billed)
    agents = {share["name"] for share in done.result["by_agent"]}
    assert agents == {"router", "reviewer@look", "fast_coder@fix", "debugger@debug"}


PARALLEL = """
nodes:
  one: {agent: reviewer, reads_only: true, required: false, task: "One side.", faults: {max_attempts: 1}}
  two: {agent: reviewer, reads_only: true, required: false, task: "Another.", faults: {max_attempts: 1}}
  sum: {agent: fast_coder, reads_only: true, task: "1: {{ one.text }} 2: {{ two.text }}"}
edges: [{from: [one, two], to: sum}]
"""


def test_read_only_branches_overlap_and_a_failed_one_leaves_the_others_result(shell, scripted, workflow):
    workflow(PARALLEL)
    gone = {**say("reviewer@two"), "faults": [{"error": "InternalServerException"}] * 4}
    replies = [
        ROUTER,
        {**say("reviewer@one", "It subtracts."), "latency_ms": 400},
        gone,
        say("fast_coder@sum"),
    ]
    with scripted(replies) as endpoint:
        done = by_workflow(shell, endpoint, "--output", "stream-json")
        asked = endpoint.requests[-1].body["messages"][0]["content"][0]["text"]
    events = [event for event in done.events if event["kind"].startswith("node_")]
    assert [(event["kind"], event["node"]) for event in events[:2]] == [
        ("node_started", "one"),
        ("node_started", "two"),
    ]
    assert {event["node"]: event["ok"] for event in events if event["kind"] == "node_finished"} == {
        "one": True,
        "two": False,
        "sum": True,
    }
    assert "1: It subtracts. 2: " in asked
    assert "InternalServerException" in asked
    assert done.code == 0, done.stderr


@pytest.mark.slow
def test_a_required_node_that_fails_or_takes_too_long_fails_the_run(shell, scripted, workflow):
    workflow(PARALLEL.replace("required: false, ", "").replace("max_attempts: 1", "visit_timeout_s: 1"))
    silent = {**say("reviewer@two"), "latency_ms": 30_000}
    with scripted([ROUTER, say("reviewer@one"), silent, say("fast_coder@sum")]) as endpoint:
        done = by_workflow(shell, endpoint)
    assert done.code == 1
    assert done.result["error"]["message"] == "two: reviewer did not finish: stopped after 1 s"
    assert done.result["answer"]


@pytest.mark.slow
def test_a_killed_workflow_goes_on_where_it_was(shell, project, scripted, workflow):
    workflow(REPAIR)
    fix = fixes("fast_coder@fix")
    with scripted([ROUTER, FOUND, fix[0], fix[1], {**fix[2], "latency_ms": 60_000}]) as endpoint:
        run = started(shell, endpoint, "--workflow", "tiny", "--mode", "auto")
        until(run, "model_started", times=5)
        killed(run)
    (project / ".codeflow" / "workflows" / "tiny.yaml").write_text("no longer what it was\n")
    with scripted([{**reply, "step": step} for step, reply in enumerate(fix, 1)]) as endpoint:
        done = resumed(shell, endpoint)
        assert steps(endpoint) == {("fast_coder@fix", 3): 1}
    assert done.code == 0, done.stderr
    assert done.result["answer"] == "It adds. Gates: green."
    assert (project / "calc.py").read_text() == FIXED


ASKING = """
nodes:
  fix: {agent: fast_coder, task: "{{ task }}"}
  agree: {approve: "Is {{ fix.text }} what you want?"}
  tell: {agent: documentation, reads_only: true, task: "Say what was done."}
  back: {command: "git checkout calc.py"}
edges:
  - {from: fix, to: agree}
  - {from: agree, to: tell}
  - {from: agree, to: back, when: "agree.status == 'refused'"}
"""


@pytest.mark.slow
@pytest.mark.parametrize("yes", [True, False])
def test_a_person_is_asked_and_the_run_waits_for_the_answer(shell, project, scripted, workflow, yes):
    workflow(ASKING)
    replies = [ROUTER, *fixes("fast_coder@fix"), say("documentation@tell", "It adds now.")]
    with scripted(replies) as endpoint:
        waiting = by_workflow(shell, endpoint)
        assert waiting.code == 4, waiting.stderr
        assert waiting.result["question"]["reason"] == "Is It adds. what you want?"
        answer = ["--approve"] if yes else ["--deny", "too soon"]
        done = resumed(shell, endpoint, *answer)
    if yes:
        assert (done.code, done.result["answer"]) == (0, "It adds now.")
        assert (project / "calc.py").read_text() == FIXED
    else:
        assert "return a - b" in (project / "calc.py").read_text()


NESTED = """
inputs: {who: {default: fast_coder}}
limits: {max_cost: 1.5}
nodes:
  part: {workflow: inner, with: {file: "{{ inputs.who }}.py", task: "only this"}}
  listed: {tool: glob, with: {pattern: "*.py"}}
  cheap: {agent: debugger, reads_only: true, required: false, max_cost: 0.000001, task: "{{ part.result.said }}"}
edges:
  - {from: part, to: listed}
  - {from: listed, to: cheap}
answer: "{{ part.result.said }} {{ listed.text }} {{ cheap.text }}"
"""
INNER = """
inputs: {file: {}}
nodes:
  ask: {agent: reviewer, reads_only: true, task: "{{ task }}: {{ inputs.file }}"}
outputs: {said: "{{ ask.text }}"}
"""


@pytest.mark.slow
def test_a_workflow_in_a_workflow_a_tool_and_a_nodes_own_budget(shell, scripted, workflow):
    workflow(INNER, "inner")
    workflow(NESTED)
    with scripted([ROUTER, say("reviewer@part.ask", "Seen.")]) as endpoint:
        done = by_workflow(shell, endpoint, "--input", "who=me")
        asked = endpoint.requests[-1].body["messages"][0]["content"][0]["text"]
    assert asked.endswith("only this: me.py")
    assert done.code == 0, done.stderr
    assert done.result["answer"].startswith("Seen. ")
    assert "calc.py" in done.result["answer"]
    assert "the $0.000001 of node cheap has $0.0000 left" in done.result["answer"]


TANGLED = """nodes: {a: {gate: all}, b: {gate: all}, c: {gate: all}, d: {gate: all}}
edges:
  - {from: [a, b], to: [c, d]}
  - {from: c, to: a, at_most: 1}
  - {from: d, to: b, at_most: 1}
"""


@pytest.mark.parametrize(
    ("body", "line", "said"),
    [
        ("nodes: {a: {agent: nobody, task: x}}\n", 4, "no agent is called 'nobody'"),
        ("nodes: {a: {gate: all}}\nedges:\n  - {from: a, to: b}\n", 6, "no node is called 'b'"),
        (
            "nodes: {a: {gate: all}, b: {gate: all}}\nedges:\n  - {from: a, to: b}\n  - {from: b, to: a}\n",
            6,
            "a loop without a bound",
        ),
        ("nodes:\n  a: {gate: all}\n  b: {agent: reviewer, task: '{{ c.text }}'}\n", 6, "called 'c'"),
        (
            "nodes: {a: {gate: all}, b: {gate: all}}\nedges:\n  - {from: a, to: b, when: 'b.status ='}\n",
            6,
            "is no JMESPath expression",
        ),
        ("nodes: {a: {gate: all, colour: red}}\n", 4, "unknown key"),
        ("nodes: {a: {task: x}}\n", 4, "a node needs one of the keys agent, gate,"),
        (
            TANGLED,
            7,
            "would wait for each other: what leaves a loop waits",
        ),
        ("nodes: {a: {workflow: tiny}}\n", 4, "workflows use each other without an end: tiny -> tiny"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_before_anything_is_spent(shell, workflow, body, line, said):
    workflow(body)
    file = shell.project / ".codeflow" / "workflows" / "tiny.yaml"
    done = shell("run", "x", "--workflow", "tiny")
    assert done.code == 2
    assert f"{file}:{line}: " in done.stderr
    assert said in done.stderr
