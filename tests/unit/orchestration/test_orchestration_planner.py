import json

import pytest

from codeflow.orchestration.planner import Planning, parse

STEP = {"id": "s1", "specialist": "senior_coder", "goal": "it works", "files": ["a.py"], "needs": []}


def answer(**changes: object) -> str:
    return json.dumps({"summary": "do it", "steps": [STEP], "acceptance": [], "risks": [], **changes})


def planning(tmp_path) -> Planning:
    return Planning(workspace=tmp_path, specialists={"senior_coder", "fast_coder"})


def test_a_valid_plan_is_taken(tmp_path):
    work = planning(tmp_path)
    work.take(f"Here it is.\n```json\n{answer()}\n```")
    assert work.plan is not None
    assert work.plan.steps[0].files == ("a.py",)
    assert work.settled


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"steps": []}, "steps"),
        ({"steps": [{**STEP, "specialist": "wizard"}]}, "no specialist 'wizard'"),
        ({"steps": [STEP, STEP]}, "same id"),
        ({"steps": [{**STEP, "needs": ["s9"]}]}, "unknown step 's9'"),
        ({"steps": [{**STEP, "needs": ["s1"]}]}, "circle"),
        ({"steps": [{**STEP, "files": ["../../etc/passwd"]}]}, "not a path inside the workspace"),
        ({"acceptance": ["no-such-program-anywhere --x"]}, "no program"),
        ({"acceptance": ["python3 -c 'unfinished"]}, "cannot be parsed"),
        ({"acceptance": [""]}, "runs nothing"),
        ({"extra": 1}, "extra"),
    ],
)
def test_an_impossible_plan_is_sent_back_once_with_the_reason(tmp_path, changes, problem):
    work = planning(tmp_path)
    work.take(answer(**changes))
    assert (work.plan, work.settled) == (None, False)
    assert problem in work.corrections
    work.take(answer(**changes))
    assert (work.plan, work.settled) == (None, True)


def test_the_second_answer_can_mend_the_first(tmp_path):
    work = planning(tmp_path)
    assert work.corrections == ""
    work.take("I would rather talk about it")
    assert "no JSON object" in work.corrections
    work.take(answer())
    assert work.plan is not None


def test_acceptance_commands_may_set_variables_and_use_the_workspace(tmp_path):
    (tmp_path / "check.sh").touch()
    work = planning(tmp_path)
    work.take(answer(acceptance=["X=1 python3 -c 'pass'", "test -f a.py", "./check.sh"]))
    assert work.plan is not None


def test_problems_of_form_name_their_place():
    plan, problems = parse(json.dumps({"summary": "x", "steps": [{"id": "a"}]}))
    assert plan is None
    assert any(problem.startswith("steps.0.specialist") for problem in problems)
