"""The graph on the wire: every edge is decided by something that ran."""

import json
from typing import Any

import pytest
from tests.e2e.harness import BUG

from codeflow.models.endpoint import environment

ROUTER = {
    "agent": "router",
    "say": '{"complexity": "COMPLEX", "kind": "feature", "confidence": 0.9, "reason": "a new function"}',
}
PLAN: dict[str, Any] = {
    "summary": "Repair add, then add divide.",
    "steps": [
        {"id": "s1", "specialist": "fast_coder", "goal": "add adds", "files": ["calc.py"], "needs": []},
        {
            "id": "s2",
            "specialist": "senior_coder",
            "goal": "divide exists",
            "files": ["calc.py"],
            "needs": ["s1"],
        },
    ],
    "acceptance": ["python3 -c 'import calc; assert calc.divide(6, 3) == 2'"],
    "risks": ["division by zero"],
}
ZERO = "python3 -c 'import calc; assert calc.divide(1, 0) is None'"


def edit(agent, old, new):
    return [
        {"agent": agent, "call": [{"read_file": {"path": "calc.py"}}]},
        {"agent": agent, "call": [{"edit_file": {"path": "calc.py", "old_text": old, "new_text": new}}]},
        {"agent": agent, "say": f"{agent} is done."},
    ]


def review(*findings):
    return {"agent": "reviewer", "say": "Looked at it.\n" + json.dumps({"findings": list(findings)})}


WHOLE = [
    ROUTER,
    {"agent": "architect", "call": [{"read_file": {"path": "calc.py"}}]},
    {
        "agent": "architect",
        "say": json.dumps({**PLAN, "steps": [{**PLAN["steps"][0], "specialist": "wizard"}]}),
    },
    {"agent": "architect", "say": json.dumps(PLAN)},
    *edit("fast_coder", "a - b", "a + b"),
    *edit(
        "senior_coder", "    return a + b\n", "    return a + b\n\n\ndef divide(a, b):\n    return a * b\n"
    ),
    *edit("debugger", "a * b", "a / b"),
    {
        "agent": "test_engineer",
        "call": [
            {
                "write_file": {
                    "path": "test_divide.py",
                    "content": "import unittest\n\nfrom calc import divide\n\n\nclass DivideTest(unittest.TestCase):\n"
                    "    def test_divides(self):\n        self.assertEqual(divide(6, 3), 2)\n",
                }
            }
        ],
    },
    {"agent": "test_engineer", "say": "One test."},
    review(
        {"file": "calc.py", "line": 6, "problem": "divide(1, 0) raises", "command": ZERO},
        {"file": "calc.py", "line": 1, "problem": "a matter of taste", "command": "true"},
        {"file": "calc.py", "line": 999, "problem": "nowhere", "command": "false"},
        {"file": "../../etc/passwd", "line": 1, "problem": "outside", "command": "false"},
    ),
    *edit("senior_coder", "    return a / b\n", "    return a / b if b else None\n"),
    review(),
    {"agent": "documentation", "call": [{"write_file": {"path": "README.md", "content": "# calc\n"}}]},
    {"agent": "documentation", "say": "README.md: names the module."},
]


def nodes(events):
    return [event["node"] for event in events if event["kind"] == "agent_started"]


def test_plan_code_gates_tests_review_and_documentation(shell, project, scripted):
    with scripted(WHOLE) as endpoint:
        done = shell.run(endpoint, "--mode", "auto", "--output", "stream-json", task="add a divide function")
    *events, result = done.events
    assert done.code == 0, done.stderr + str(result["error"])
    assert nodes(events) == [
        "architect",
        "architect",
        "coder",
        "coder",
        "debugger",
        "test_engineer",
        "reviewer",
        "coder",
        "reviewer",
        "documentation",
    ]
    assert result["pattern"] == "graph"
    assert [step["id"] for step in result["plan"]["steps"]] == ["s1", "s2"]
    assert {change["path"] for change in result["files_changed"]} == {
        "calc.py",
        "test_divide.py",
        "README.md",
    }
    gates = {gate["name"]: gate["status"] for gate in result["gates"]}
    assert gates == {"tests": "green", "acceptance-1": "green", "finding-1": "green"}
    notices = [event["text"] for event in events if event["kind"] == "notice"]
    assert sum("sent back" in text for text in notices) == 1
    assert sum("finding dropped" in text for text in notices) == 3
    agents = {share["name"] for share in result["by_agent"]}
    assert agents == {
        "router",
        "architect",
        "fast_coder",
        "senior_coder",
        "debugger",
        "test_engineer",
        "reviewer",
        "documentation",
    }
    assert (
        sum(share["calls"] for share in result["by_agent"]) == result["model_calls"] == len(endpoint.requests)
    )
    finding = [
        gate for gate in events if gate["kind"] == "gate_finished" and gate["result"]["name"] == "finding-1"
    ]
    assert [gate["result"]["status"] for gate in finding] == ["red", "green", "green"]


def test_dry_run_routes_and_plans_and_changes_nothing(shell, project, scripted):
    with scripted(WHOLE[:4]) as endpoint:
        done = shell.run(endpoint, "--dry-run", task="add a divide function")
    assert done.code == 0, done.stderr
    assert done.result["plan"]["acceptance"] == PLAN["acceptance"]
    assert (done.result["gates"], done.result["files_changed"]) == ([], [])
    assert (project / "calc.py").read_text() == BUG


@pytest.mark.slow
def test_a_plan_that_stays_invalid_gives_way_to_one_step(shell, project, scripted):
    nonsense = {"agent": "architect", "say": "I would rather not."}
    coder = edit("senior_coder", "a - b", "a + b")
    silent = [
        {"agent": agent, "say": "Nothing to do."} for agent in ("test_engineer", "reviewer", "documentation")
    ]
    with scripted([ROUTER, nonsense, nonsense, *coder, *silent]) as endpoint:
        done = shell.run(endpoint, task="add a divide function")
    assert done.code == 0, done.stderr
    assert done.result["plan"] is None


def test_a_fault_in_a_node_ends_the_graph_with_its_exit_code(shell, scripted):
    broken = {**WHOLE[1], "faults": [{"error": "ExpiredTokenException"}] * 9}
    with scripted([ROUTER, broken]) as endpoint:
        done = shell.run(endpoint, task="add a divide function")
    assert done.code == 77
    assert done.result["pattern"] == "graph"


@pytest.mark.slow
def test_optional_agents_that_fail_do_not_fail_the_run(shell, scripted):
    plan = {**PLAN, "steps": PLAN["steps"][:1], "acceptance": []}
    looping = [{"agent": "test_engineer", "call": [{"git_diff": {}}]}] * 3
    rest = [
        {"agent": "architect", "say": json.dumps(plan)},
        *edit("fast_coder", "a - b", "a + b"),
        *looping,
        {"agent": "reviewer", "say": "No JSON, no findings."},
        {"agent": "documentation", "say": "Nothing to do."},
    ]
    with scripted([ROUTER, *rest]) as endpoint:
        done = shell.run(endpoint, "--max-turns", "3", task="add a divide function")
    assert done.code == 0, done.stderr


@pytest.mark.slow
def test_gates_that_stay_red_fail_the_run_after_the_bounded_rounds(shell, scripted):
    plan = {**PLAN, "steps": PLAN["steps"][:1], "acceptance": []}
    lazy = [
        {"agent": "architect", "say": json.dumps(plan)},
        {"agent": "fast_coder", "say": "Done (not really)."},
        *[{"agent": "debugger", "say": "Looks fine."}] * 2,
    ]
    router = {**ROUTER, "say": ROUTER["say"].replace("feature", "bugfix")}
    with scripted([router, *lazy]) as endpoint:
        done = shell.run(endpoint, task="fix it all")
    assert done.code == 1
    assert "red" in done.result["error"]["message"]
    assert len(endpoint.requests) == 5


def test_the_graph_in_plan_mode_ends_with_the_plan(shell, project, scripted):
    with scripted(WHOLE[:4]) as endpoint:
        done = shell.run(endpoint, "--mode", "plan", "--pattern", "graph", task="add a divide function")
    assert done.code == 0, done.stderr
    assert done.result["plan"]["acceptance"] == PLAN["acceptance"]
    assert (project / "calc.py").read_text() == BUG


@pytest.mark.slow
def test_an_optional_agent_whose_model_is_gone_does_not_fail_the_run(shell, scripted):
    plan = {**PLAN, "steps": PLAN["steps"][:1], "acceptance": []}
    rest = [
        {"agent": "architect", "say": json.dumps(plan)},
        *edit("fast_coder", "a - b", "a + b"),
        {"agent": "test_engineer", "say": "x", "faults": [{"error": "ThrottlingException"}] * 40},
        {"agent": "reviewer", "say": "No findings."},
        {"agent": "documentation", "say": "Nothing to do."},
    ]
    with scripted([ROUTER, *rest]) as endpoint:
        done = shell(
            "run",
            "add a divide function",
            "--output",
            "json",
            env={**environment(endpoint.url), "CODEFLOW_FAULTS__MAX_WAIT_S": "0.01"},
        )
    assert done.code == 0, done.stderr


@pytest.mark.slow
def test_an_agent_out_of_turns_can_be_visited_again(shell, scripted):
    plan = {**PLAN, "steps": PLAN["steps"][:1], "acceptance": []}
    wandering = [{"agent": "architect", "call": [{"git_status": {}}]}] * 2
    rest = [
        *wandering,
        {"agent": "architect", "say": json.dumps(plan)},
        *edit("fast_coder", "a - b", "a + b")[1:],
        *[
            {"agent": agent, "say": "Nothing to do."}
            for agent in ("test_engineer", "reviewer", "documentation")
        ],
    ]
    with scripted([ROUTER, *rest]) as endpoint:
        done = shell.run(endpoint, "--max-turns", "2", task="add a divide function")
    assert done.code == 0, done.stderr


@pytest.mark.slow
def test_hostile_names_in_findings_and_plans_do_not_end_the_run(shell, scripted):
    strange = {
        **PLAN,
        "steps": [{**PLAN["steps"][0], "files": ["a\0b", "x" * 5000]}],
        "acceptance": ["true\0"],
    }
    plan = {**PLAN, "steps": PLAN["steps"][:1], "acceptance": []}
    rest = [
        {"agent": "architect", "say": json.dumps(strange)},
        {"agent": "architect", "say": json.dumps(plan)},
        *edit("fast_coder", "a - b", "a + b"),
        {"agent": "test_engineer", "say": "None."},
        review(
            {"file": "a\0b", "line": 1, "problem": "NUL", "command": "false"},
            {"file": "x" * 5000, "line": 1, "problem": "long", "command": "false"},
        ),
        {"agent": "documentation", "say": "None."},
    ]
    with scripted([ROUTER, *rest]) as endpoint:
        done = shell.run(endpoint, task="add a divide function")
    assert done.code == 0, done.stderr
