import json
import stat

import pytest
from tests.e2e.harness import BUG, FIXED, READ, REPAIR, ROUTER, SAID, git

from codeflow.models.endpoint import environment
from codeflow.tools.sandbox import landlock

UNABLE = [{"agent": agent, "say": "I cannot."} for agent in ("debugger", "lead_coder")]
"""Those who take over from a coder on red."""


def kinds(events):
    return [event["kind"] for event in events]


def test_a_failing_test_is_repaired_and_everything_is_accounted_for(shell, project, scripted):
    with scripted(REPAIR) as endpoint:
        done = shell.run(endpoint)
    assert done.code == 0, done.stderr
    result = done.result
    assert (project / "calc.py").read_text() == FIXED
    assert (result["status"], result["complexity"], result["pattern"]) == ("done", "SIMPLE", "cascade")
    assert result["router"]["source"] == "router"
    assert result["files_changed"] == [
        {"path": "calc.py", "change": "modified", "added_lines": 1, "removed_lines": 1}
    ]
    assert "+    return a + b" in result["diff"]
    assert [(gate["name"], gate["status"]) for gate in result["gates"]] == [("tests", "green")]
    assert result["answer"] == SAID["say"]
    assert result["model_calls"] == 4
    assert result["cost_usd"] == pytest.approx(sum(part["cost_usd"] for part in result["by_agent"]))
    assert result["cost_usd"] > 0
    assert list(result) == [
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


def test_events_come_in_the_order_of_the_work(shell, scripted):
    with scripted(REPAIR) as endpoint:
        done = shell(
            "run", "make the failing test pass", "--output", "stream-json", env=environment(endpoint.url)
        )
    beside = {"text_delta", "briefed", "baseline_measured"}
    judged = [event for event in done.events if event["kind"] != "call_judged" or event["agent"] != "gates"]
    shown = [kind for kind in kinds(judged) if kind not in beside]
    assert shown == [
        "run_started",
        "model_started",
        "model_called",
        "routed",
        "pattern_chosen",
        "checkpoint_taken",
        "agent_started",
        "message_added",
        "model_started",
        "model_called",
        "call_judged",
        "tool_started",
        "tool_finished",
        "model_started",
        "model_called",
        "call_judged",
        "tool_started",
        "checkpoint_taken",
        "checkpoint_taken",
        "tool_finished",
        "model_started",
        "model_called",
        "agent_finished",
        "gate_started",
        "gate_finished",
        "checkpoint_taken",
        "checkpoint_taken",
        "result",
    ]


@pytest.mark.slow
def test_undo_restores_the_work_tree_byte_for_byte(shell, project, scripted):
    (project / "untracked.bin").write_bytes(bytes(range(256)))
    (project / "crlf.txt").write_bytes(b"one\r\ntwo\r\n")
    (project / "run.sh").write_text("#!/bin/sh\n")
    (project / "run.sh").chmod(0o755)
    git(project, "add", "crlf.txt")
    before = {path: path.read_bytes() for path in project.glob("*") if path.is_file()}
    status, head = git(project, "status", "--porcelain"), git(project, "rev-parse", "HEAD")
    with scripted(REPAIR) as endpoint:
        assert shell.run(endpoint).code == 0
    assert (project / "calc.py").read_text() == FIXED
    undone = shell("undo")
    assert undone.code == 0, undone.stderr
    assert {path: path.read_bytes() for path in project.glob("*") if path.is_file()} == before
    assert stat.S_IMODE((project / "run.sh").stat().st_mode) == 0o755
    assert (git(project, "status", "--porcelain"), git(project, "rev-parse", "HEAD")) == (status, head)


@pytest.mark.slow
def test_undo_never_overwrites_what_the_user_did_meanwhile(shell, project, scripted):
    with scripted(REPAIR) as endpoint:
        assert shell.run(endpoint).code == 0
    (project / "calc.py").write_text("# mine\n")
    undone = shell("undo")
    assert undone.code == 1
    assert "calc.py" in undone.stdout + undone.stderr
    assert (project / "calc.py").read_text() == "# mine\n"


@pytest.mark.slow
def test_the_first_request_of_a_simple_task_is_small_and_cached(shell, scripted):
    with scripted(REPAIR) as endpoint:
        shell.run(endpoint)
    first = next(request for request in endpoint.requests if request.agent == "fast_coder")
    assert len(json.dumps(first.body)) <= 14_000
    assert "cachePoint" in json.dumps(first.body["toolConfig"])
    text = first.body["messages"][0]["content"][0]["text"]
    assert "FAILED test_calc.py" in text or "FAIL: test_adds" in text
    prefixes = [json.dumps(r.body["system"]) for r in endpoint.requests if r.agent == "fast_coder"]
    assert len(set(prefixes)) == 1


@pytest.mark.slow
def test_nothing_but_the_standard_aws_variables_is_needed(shell, project, scripted):
    with scripted(REPAIR) as endpoint:
        plain = {
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": endpoint.url,
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
        }
        done = shell("run", "make the failing test pass", env=plain)
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_a_run_that_changes_nothing_fails_with_the_red_gate(shell, project, scripted):
    given_up = {"agent": "fast_coder", "say": "I could not find it."}
    debugger = {"agent": "debugger", "say": "Neither could I."}
    lead = {"agent": "lead_coder", "say": "Nor could I."}
    with scripted([ROUTER, given_up, debugger, lead]) as endpoint:
        done = shell.run(endpoint)
    assert done.code == 1
    assert done.result["status"] == "failed"
    assert done.result["gates"][0]["status"] == "red"
    assert (project / "calc.py").read_text() == BUG


def test_red_gates_go_to_the_debugger_with_diff_and_output(shell, project, scripted):
    wrong = {
        "agent": "fast_coder",
        "call": [{"edit_file": {"path": "calc.py", "old_text": "a - b", "new_text": "a * b"}}],
    }
    debugger = [
        {"agent": "debugger", "call": [{"read_file": {"path": "calc.py"}}]},
        {
            "agent": "debugger",
            "call": [{"edit_file": {"path": "calc.py", "old_text": "a * b", "new_text": "a + b"}}],
        },
        {"agent": "debugger", "say": "It multiplied; it adds now."},
    ]
    with scripted([ROUTER, READ, wrong, SAID, *debugger]) as endpoint:
        done = shell.run(endpoint)
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == FIXED
    told = next(r for r in endpoint.requests if r.agent == "debugger").body["messages"][0]["content"][0][
        "text"
    ]
    assert "+    return a * b" in told
    assert "6 != 5" in told


def test_a_question_changes_nothing_and_runs_no_gate(shell, scripted):
    router = {
        "agent": "router",
        "say": '{"complexity": "SIMPLE", "kind": "question", "confidence": 0.9, "reason": "asks"}',
    }
    with scripted([router, READ, {"agent": "fast_coder", "say": "It subtracts."}]) as endpoint:
        done = shell.run(endpoint, task="what does add do?")
    assert done.code == 0
    assert (done.result["answer"], done.result["gates"]) == ("It subtracts.", [])


def test_plan_mode_offers_and_runs_reading_tools_only(shell, project, scripted):
    with scripted([ROUTER, READ, {"agent": "fast_coder", "say": "I would change line 2."}]) as endpoint:
        done = shell.run(endpoint, "--mode", "plan")
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == BUG
    offered = next(r for r in endpoint.requests if r.agent == "fast_coder").body["toolConfig"]["tools"]
    names = {tool["toolSpec"]["name"] for tool in offered if "toolSpec" in tool}
    assert names.isdisjoint({"write_file", "edit_file", "run_command", "run_tests", "git_commit"})


@pytest.mark.slow
def test_a_command_that_nobody_can_approve_is_refused_and_told(shell, scripted):
    command = {"agent": "fast_coder", "call": [{"run_command": {"command": "touch made"}}]}
    deny = {"CODEFLOW_RUN__UNATTENDED": "deny"}
    with scripted([ROUTER, command, SAID, *UNABLE]) as endpoint:
        done = shell("run", "x", "--output", "json", env={**environment(endpoint.url), **deny})
    assert done.code == 3
    assert done.result["status"] == "stopped"
    assert any("touch made" in line for line in done.result["denied"])
    assert not (shell.project / "made").exists()


@pytest.mark.slow
def test_auto_mode_runs_the_command(shell, scripted):
    command = {"agent": "fast_coder", "call": [{"run_command": {"command": "sed -i s/-/+/ calc.py"}}]}
    with scripted([ROUTER, command, SAID]) as endpoint:
        done = shell.run(endpoint, "--mode", "auto")
    assert done.code == 0, done.stderr
    assert (shell.project / "calc.py").read_text() == FIXED


@pytest.mark.slow
@pytest.mark.skipif(bool(landlock.problem()), reason=f"no Landlock: {landlock.problem()}")
def test_auto_mode_in_the_weaker_sandbox_says_so(shell, scripted):
    command = {"agent": "fast_coder", "call": [{"run_command": {"command": "sed -i s/-/+/ calc.py"}}]}
    weaker = {"CODEFLOW_SANDBOX__BACKEND": "landlock"}
    with scripted([ROUTER, command, SAID]) as endpoint:
        done = shell("run", "fix it", "--mode", "auto", env={**environment(endpoint.url), **weaker})
    assert done.code == 0, done.stderr
    assert "Landlock holds commands, which is weaker than bubblewrap" in done.stderr
    assert (shell.project / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_a_folder_without_git_works_and_is_undone(shell, tmp_path, scripted):
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "calc.py").write_text(BUG)
    (bare / "test_calc.py").write_text((shell.project / "test_calc.py").read_text())
    with scripted(REPAIR) as endpoint:
        done = shell(
            "run", "make the failing test pass", "--workspace", str(bare), env=environment(endpoint.url)
        )
    assert done.code == 0, done.stderr
    assert (bare / "calc.py").read_text() == FIXED
    assert "modified  calc.py  +1 -1" in done.stdout
    assert shell.at(bare)("undo").code == 0
    assert (bare / "calc.py").read_text() == BUG
    assert not (bare / ".git").exists()


@pytest.mark.slow
def test_the_session_is_listed_and_its_cost_is_in_the_ledger(shell, scripted):
    with scripted(REPAIR) as endpoint:
        result = shell.run(endpoint).result
    (session,) = json.loads(shell("sessions", "--output", "json").stdout)
    assert session["id"] == result["session_id"]
    rows = json.loads(shell("cost", "--by", "agent", "--output", "json").stdout)
    assert {row["name"] if "name" in row else row["key"] for row in rows} == {"router", "fast_coder"}
    files = [path for path in (shell.project.parent / "state").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077]


@pytest.mark.slow
def test_a_recorded_run_replays_to_the_same_result(shell, project, scripted, tmp_path):
    record = tmp_path / "recorded.yaml"
    with scripted(REPAIR) as endpoint:
        first = shell.run(endpoint, "--record", str(record))
    assert first.code == 0, first.stderr
    git(project, "checkout", "-q", "calc.py")
    second = shell("replay", str(record), "--output", "json")
    assert second.code == 0, second.stderr
    volatile = ("session_id", "duration_s", "gates")
    assert {k: v for k, v in second.result.items() if k not in volatile} == {
        k: v for k, v in first.result.items() if k not in volatile
    }
    assert (project / "calc.py").read_text() == FIXED


def test_the_demo_ends_green_and_says_what_is_recorded(shell, tmp_path):
    done = shell("demo", "--folder", str(tmp_path / "demo"))
    assert done.code == 0, done.stderr
    assert "recorded transcript" in done.stderr
    assert ">= DISCOUNT_FROM" in (tmp_path / "demo" / "basket.py").read_text()


def test_credentials_of_codeflow_do_not_reach_commands(shell, scripted):
    command = {"agent": "fast_coder", "call": [{"run_command": {"command": "env > seen.txt"}}]}
    with scripted([ROUTER, command, READ, REPAIR[2], SAID]) as endpoint:
        shell.run(endpoint, "--mode", "auto")
    seen = (shell.project / "seen.txt").read_text()
    assert "HOME=" in seen
    assert "AWS_ACCESS_KEY_ID" not in seen


@pytest.mark.slow
def test_removing_the_tests_does_not_pass_for_repairing_them(shell, project, scripted):
    removed = {"agent": "fast_coder", "call": [{"run_command": {"command": "rm test_calc.py"}}]}
    with scripted([ROUTER, removed, SAID, *UNABLE]) as endpoint:
        done = shell.run(endpoint, "--mode", "auto")
    assert done.code == 1
    assert done.result["gates"][0]["status"] == "red"
    assert shell("undo").code == 0
    assert (project / "test_calc.py").exists()


@pytest.mark.slow
def test_making_the_tests_leave_early_does_not_pass_for_repairing_them(shell, project, scripted):
    leave = {"path": "conftest.py", "content": "import os\nos._exit(0)\n"}
    cheat = {"agent": "fast_coder", "call": [{"write_file": leave}]}
    with scripted([ROUTER, cheat, SAID, *UNABLE]) as endpoint:
        done = shell.run(endpoint)
    assert done.code == 1
    gate = done.result["gates"][0]
    assert (gate["status"], gate["exit_code"]) == ("red", 0)
    asked = next(r for r in endpoint.requests if r.agent == "debugger").body["messages"][0]["content"][0]
    assert "exit code 0, but this is no success: the test runner reported nothing" in asked["text"]


def test_a_refused_edit_does_not_end_as_success(shell, project, scripted):
    router = {**ROUTER, "say": ROUTER["say"].replace("bugfix", "feature")}
    with scripted([router, *REPAIR[1:]]) as endpoint:
        deny = {"CODEFLOW_RUN__UNATTENDED": "deny"}
        done = shell(
            "run", "x", "--output", "json", "--mode", "ask", env={**environment(endpoint.url), **deny}
        )
    assert done.code == 3
    assert done.result["status"] == "stopped"
    assert any("edit_file" in line for line in done.result["denied"])
    assert (project / "calc.py").read_text() == BUG


def test_a_recording_never_replaces_a_file_of_the_user(shell, project, scripted):
    with scripted(REPAIR) as endpoint:
        done = shell.run(endpoint, "--record", "calc.py")
    assert done.code == 2
    assert (project / "calc.py").read_text() == BUG


def test_a_stranger_cannot_turn_a_role_to_a_model_of_his_own(shell, project, scripted):
    strange = "arn:aws:bedrock:us-east-1:999999999999:application-inference-profile/abc"
    folder = project / ".codeflow" / "agents"
    folder.mkdir(parents=True)
    (folder / "fast_coder.md").write_text(f"---\nname: fast_coder\nmodel: {strange}\n---\nHello.\n")
    with scripted(REPAIR) as endpoint:
        done = shell.run(endpoint)
    assert done.code == 2
    assert "trusted_folders" in done.result["error"]["hint"]
    assert endpoint.requests == []


@pytest.mark.slow
def test_undo_finds_the_session_that_changed_something(shell, project, scripted):
    with scripted(REPAIR) as endpoint:
        assert shell.run(endpoint).code == 0
    with scripted(REPAIR) as endpoint:
        assert shell.run(endpoint, "--dry-run").code == 0
    assert shell("undo").code == 0
    assert (project / "calc.py").read_text() == BUG
