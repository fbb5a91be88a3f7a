"""Workflows from their file to the result, over the wire."""

from pathlib import Path
from typing import Any

import pytest
from tests.e2e.harness import FIXED, ROUTER, git

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
    agents = {share["name"] for share in done.result["by_agent"]}
    assert agents == {"router", "reviewer@look", "fast_coder@fix", "debugger@debug"}
