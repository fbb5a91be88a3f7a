"""A plan that is made, edited by a person, and carried out."""

import json

import pytest
from tests.e2e.harness import BUG
from tests.e2e.test_e2e_graph import PLAN, ROUTER, edit, nodes
from tests.e2e.test_e2e_resume import killed, started, until

from codeflow.models.endpoint import environment

ARCHITECT = {"agent": "architect", "say": json.dumps(PLAN)}
REST = [
    {"agent": "test_engineer", "say": "Nothing to do."},
    {"agent": "reviewer", "say": "No findings."},
    {"agent": "documentation", "say": "Nothing to do."},
]
SHORT = """\
task: make add add
plan:
  summary: Repair add.
  steps:
  - id: s1
    specialist: fast_coder
    goal: add adds
"""


@pytest.fixture
def made(shell, project, scripted):
    with scripted([ROUTER, ARCHITECT]) as endpoint:
        done = shell("plan", "add a divide function", "--save", "PLAN.yaml", env=environment(endpoint.url))
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == BUG
    return project / "PLAN.yaml"


@pytest.mark.slow
def test_a_plan_is_edited_and_carried_out_without_an_architect(shell, project, scripted, made):
    text = made.read_text()
    assert text.startswith(
        "# Edit as you like, then: codeflow run --plan PLAN.yaml\ntask: add a divide function\n"
    )
    made.write_text(text.replace("senior_coder", "fast_coder").replace("divide exists", "divide is there"))
    divide = edit(
        "fast_coder", "    return a + b\n", "    return a + b\n\n\ndef divide(a, b):\n    return a / b\n"
    )
    with scripted([ROUTER, *edit("fast_coder", "a - b", "a + b"), *divide, *REST]) as endpoint:
        done = shell(
            "run",
            "--plan",
            "PLAN.yaml",
            "--mode",
            "auto",
            "--output",
            "stream-json",
            env=environment(endpoint.url),
        )
        asked = json.dumps([request.body for request in endpoint.requests])
    *events, result = done.events
    assert done.code == 0, done.stderr + str(result["error"])
    assert nodes(events) == ["coder", "coder", "test_engineer", "reviewer", "documentation"]
    assert [event["plan"]["summary"] for event in events if event["kind"] == "planned"] == [PLAN["summary"]]
    assert "divide is there" in asked
    assert [gate["name"] for gate in result["gates"] if gate["name"].startswith("acceptance")] == [
        "acceptance-1"
    ]


def test_a_plan_goes_to_stdout_where_no_file_is_named(shell, scripted):
    with scripted([ROUTER, ARCHITECT]) as endpoint:
        done = shell("plan", "add a divide function", env=environment(endpoint.url))
    assert done.code == 0, done.stderr
    assert "\nplan:\n  summary: Repair add, then add divide.\n" in done.stdout


@pytest.mark.slow
def test_a_run_with_a_plan_that_is_killed_goes_on_with_it(shell, project, scripted):
    (project / "PLAN.yaml").write_text(SHORT)
    steps = edit("fast_coder", "a - b", "a + b")
    slow = {**steps[2], "latency_ms": 60_000}
    with scripted([ROUTER, *steps[:2], slow]) as endpoint:
        run = started(shell, endpoint, "--mode", "auto", task=("--plan", "PLAN.yaml"))
        until(run, "model_started", times=4)
        killed(run)
    (project / "PLAN.yaml").unlink()
    with scripted([{**steps[2], "step": 3}, *REST]) as endpoint:
        done = shell("resume", "--output", "json", env=environment(endpoint.url))
    assert done.code == 0, done.stderr
    assert done.result["plan"]["summary"] == "Repair add."


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("fast_coder", "wizard"), "PLAN.yaml:6: plan.steps.0.specialist: step s1: no specialist 'wizard'"),
        (("goal: add adds", "goals: x"), "PLAN.yaml:5: plan.steps.0.goal: is missing"),
        (("goal: add adds", "goal: add\n    extra: 1"), "PLAN.yaml:8: plan.steps.0.extra: unknown key"),
        (
            ("goal: add adds", "goal: add\n    files: [../x]"),
            "PLAN.yaml:8: plan.steps.0.files: step s1: '../x' is not",
        ),
        (("task: make add add\n", ""), "PLAN.yaml:1: task: is missing"),
        (("  steps:", "  steps: ["), "PLAN.yaml:5: not valid YAML"),
        (("goal: add adds", "goal: add\n  acceptance: [nonsense-xyz]"), "PLAN.yaml:8: plan.acceptance.0: "),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused_with_its_line(shell, project, change, problem):
    (project / "PLAN.yaml").write_text(SHORT.replace(*change))
    done = shell("run", "--plan", "PLAN.yaml")
    assert done.code == 2
    assert problem in done.stderr


@pytest.mark.parametrize(
    "flags", [["do it"], ["--agent", "fast_coder"], ["--pattern", "single"], ["--continue"], ["--file", "x"]]
)
def test_what_does_not_go_with_a_plan_is_refused(shell, project, flags):
    (project / "PLAN.yaml").write_text(SHORT)
    done = shell("run", "--plan", "PLAN.yaml", *flags)
    assert (done.code, "plan" in done.stderr) == (2, True)


def test_an_old_plan_is_not_overwritten(shell, project, made):
    before = made.read_text()
    done = shell("plan", "something else", "--save", "PLAN.yaml")
    assert (done.code, "is there" in done.stderr) == (2, True)
    assert made.read_text() == before
