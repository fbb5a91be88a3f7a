import io
import json
from dataclasses import replace

from codeflow.cli.render.json import fault_object, json_renderer, result_object
from codeflow.cli.render.stream import stream_renderer
from codeflow.core.events import Notice, RunFinished
from codeflow.core.values import Plan, PlanStep, Status

FIELDS = [
    "status",
    "exit_code",
    "session_id",
    "answer",
    "complexity",
    "pattern",
    "router",
    "plan",
    "files_changed",
    "diff",
    "gates",
    "escalations",
    "unread_messages",
    "warnings",
    "usage",
    "cost_usd",
    "cost_known_usd",
    "unpriced_calls",
    "by_agent",
    "by_model",
    "model_calls",
    "duration_s",
    "denied",
    "question",
    "outputs",
    "worktree",
    "attempts",
    "error",
]


def test_the_fields_of_the_result_are_stable_and_in_their_order(result):
    assert list(result_object(result)) == FIELDS
    assert list(fault_object("usage", 2, "no", "")) == FIELDS


def test_the_result_is_one_json_object(result):
    out = io.StringIO()
    show = json_renderer(out)
    show(Notice(level="info", text="not shown"))
    show(RunFinished(result=result))
    shown = json.loads(out.getvalue())
    assert out.getvalue().count("\n") == 1
    assert shown["status"] == "done"
    assert shown["exit_code"] == 0
    assert shown["router"] == {
        "complexity": "SIMPLE",
        "kind": "bugfix",
        "confidence": 0.9,
        "reason": "one file",
        "source": "router",
    }
    assert shown["files_changed"] == [
        {"path": "a.py", "change": "modified", "added_lines": 1, "removed_lines": 1}
    ]
    assert [gate["status"] for gate in shown["gates"]] == ["green", "red"]


def test_unknown_money_is_null_and_not_zero(result):
    shown = result_object(result)
    assert shown["cost_usd"] is None
    assert shown["cost_known_usd"] == 0.0123
    assert shown["by_agent"][0]["cost_usd"] is None


def test_a_plan_and_an_error_are_objects(result):
    plan = Plan(summary="s", steps=(PlanStep(id="1", specialist="senior_coder", goal="g"),))
    failed = replace(result, plan=plan, status=Status.FAILED, error="tests are red", hint="look")
    shown = json.loads(json.dumps(result_object(failed)))
    assert shown["plan"]["steps"][0]["goal"] == "g"
    assert shown["error"] == {"message": "tests are red", "hint": "look"}
    assert shown["exit_code"] == 1


def test_a_stream_has_one_line_per_event_and_ends_with_the_result(result):
    out = io.StringIO()
    show = stream_renderer(out)
    show(Notice(level="info", text="line\nbreak"))
    show(RunFinished(result=result))
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["kind"] for line in lines] == ["notice", "result"]
    assert lines[1] == {"kind": "result"} | json.loads(json.dumps(result_object(result)))


def test_a_file_name_that_is_not_utf8_does_not_break_the_result(result):
    odd = replace(result, answer="b\udcff.py")
    out = io.StringIO()
    stream_renderer(out)(RunFinished(result=odd))
    assert json.loads(out.getvalue())["answer"] == "b\udcff.py"
