"""A run whose session goes to a shared store, in the installed command."""

import base64
import json
import os
import signal
import subprocess
import zlib
from pathlib import Path

import pytest
from tests.e2e.harness import BUG, CODEFLOW, EDIT, FIXED, READ, REPAIR, ROUTER, SAID, Shell
from tests.e2e.test_e2e_resume import COMMAND
from tests.unit.core.secret_lines import drawn

from codeflow.models.endpoint import environment


@pytest.mark.slow
def test_a_run_is_in_the_shared_store_when_it_ends(shell, project, scripted, tmp_path):
    store = {"CODEFLOW_SESSIONS__STORE": f"sqlite:{tmp_path}/shared/s.db"}
    assert shell("sessions", "setup", env=store).code == 0
    with scripted(REPAIR) as endpoint:
        done = shell(
            "run", "make the failing test pass", "--output", "json", env=store | environment(endpoint.url)
        )
    assert done.code == 0, done.stderr
    elsewhere = store | {"XDG_STATE_HOME": str(tmp_path / "elsewhere")}
    (session,) = json.loads(shell("sessions", "--output", "json", env=elsewhere).stdout)
    assert (session["id"], session["stored"]) == (done.result["session_id"], "shared")
    assert (session["status"], session["cost_usd"]) == ("done", float(done.result["cost_usd"]))
    shown = shell("sessions", "show", session["id"], env=elsewhere)
    assert "• edit_file calc.py" in shown.stdout


def test_a_store_that_cannot_be_used_ends_the_run_before_a_model_is_asked(shell, project, scripted):
    with scripted([]) as endpoint:
        done = shell(
            "run", "make the failing test pass", "--output", "json",
            env={"CODEFLOW_SESSIONS__STORE": "sqlite:/dev/null/s.db"} | environment(endpoint.url),
        )  # fmt: skip
        assert endpoint.requests == []
    assert done.code == 1
    assert "sqlite:/dev/null/s.db: sessions cannot be kept there" in done.result["error"]["message"]
    assert (project / "calc.py").read_text() == BUG


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_with_another_machines_state(shell, project, scripted, tmp_path):
    store = {"CODEFLOW_SESSIONS__STORE": f"sqlite:{tmp_path}/shared/s.db"}
    assert shell("sessions", "setup", env=store).code == 0
    with scripted([ROUTER, READ, EDIT, {**SAID, "latency_ms": 60_000}]) as endpoint:
        run = subprocess.Popen(
            [CODEFLOW, "run", "make the failing test pass", "--output", "stream-json"],
            cwd=project, env={**shell.env, **store, **environment(endpoint.url)}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert run.stdout is not None
        kinds: list[str] = []
        while kinds.count("model_started") < 4:
            kinds.append(json.loads(run.stdout.readline())["kind"])
        while len(endpoint.requests) < 4:  # the call went out, so what was logged before it is in the store
            os.sched_yield()
        os.kill(run.pid, signal.SIGKILL)
        run.communicate()
    elsewhere = store | {"XDG_STATE_HOME": str(tmp_path / "elsewhere")}
    (session,) = json.loads(shell("sessions", "--output", "json", env=elsewhere).stdout)
    assert session["stored"] == "shared"
    with scripted([{**SAID, "step": 3}]) as endpoint:
        done = shell("resume", session["id"], "--output", "json", env=elsewhere | environment(endpoint.url))
        assert [(request.agent, request.step) for request in endpoint.requests] == [("fast_coder", 3)]
    assert done.code == 0, done.stderr
    assert done.result["answer"] == SAID["say"]
    assert (project / "calc.py").read_text() == FIXED
    (session,) = json.loads(shell("sessions", "--output", "json", env=store).stdout)
    assert (session["status"], session["stored"]) == ("done", "both")


def moved(project: Path, place: Path) -> Path:
    """The commit that a project began at, on another machine."""
    subprocess.run(["git", "clone", "-q", project, place], check=True)
    return place


@pytest.mark.slow
def test_a_paused_run_goes_on_elsewhere_with_the_files_it_had_changed(shell, project, scripted, tmp_path):
    binary = {"agent": "fast_coder", "call": [{"write_file": {"path": "new/data.txt", "content": "é\n"}}]}
    store = {"CODEFLOW_SESSIONS__STORE": f"sqlite:{tmp_path}/shared/s.db"}
    assert shell("sessions", "setup", env=store).code == 0
    with scripted([ROUTER, READ, EDIT, binary, COMMAND, SAID]) as endpoint:
        paused = shell(
            "run", "make the failing test pass", "--output", "json", env=store | environment(endpoint.url)
        )
        assert paused.code == 4, paused.stderr
        other = Shell(
            moved(project, tmp_path / "elsewhere"),
            shell.env | store | {"XDG_STATE_HOME": str(tmp_path / "s2")},
        )
        resume = ["resume", paused.result["session_id"], "--workspace", ".", "--output", "json"]
        done = other(*resume, "--approve", env=environment(endpoint.url))
    assert done.code == 0, done.stderr
    assert (other.project / "calc.py").read_text() == FIXED
    assert (other.project / "new" / "data.txt").read_text() == "é\n"
    assert {change["path"] for change in done.result["files_changed"]} == {"calc.py", "new/data.txt"}
    assert other("undo", paused.result["session_id"]).code == 0
    assert (other.project / "calc.py").read_text() == BUG
    assert not (other.project / "new").exists()


@pytest.mark.slow
def test_a_file_with_a_credential_does_not_leave_the_machine(shell, project, scripted, tmp_path):
    token = "ghp_" + drawn(36)
    secret = {
        "agent": "fast_coder",
        "call": [{"write_file": {"path": "conf.py", "content": f"T = '{token}'\n"}}],
    }
    store = {"CODEFLOW_SESSIONS__STORE": f"sqlite:{tmp_path}/shared/s.db"}
    assert shell("sessions", "setup", env=store).code == 0
    with scripted([ROUTER, READ, EDIT, secret, COMMAND, SAID]) as endpoint:
        paused = shell(
            "run",
            "make the failing test pass",
            "--output",
            "stream-json",
            env=store | environment(endpoint.url),
        )
        assert paused.code == 4, paused.stderr
        warnings = [event["text"] for event in paused.events if event["kind"] == "notice"]
        other = Shell(
            moved(project, tmp_path / "elsewhere"),
            shell.env | store | {"XDG_STATE_HOME": str(tmp_path / "s2")},
        )
        resume = [
            "resume",
            paused.events[-1]["session_id"],
            "--workspace",
            ".",
            "--output",
            "json",
            "--approve",
        ]
        refused = other(*resume, env=environment(endpoint.url))
        assert refused.code == 1
        assert "holds credentials, which do not go with it: conf.py" in refused.stderr + refused.stdout
        here = shell("resume", "--approve", "--output", "json", env=store | environment(endpoint.url))
    assert "with credentials, so not in the session's log for another machine: conf.py" in warnings
    assert here.code == 0, here.stderr
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        is_ours = path.is_relative_to(tmp_path / "state") or path.is_relative_to(tmp_path / "shared")
        assert not is_ours or token.encode() not in path.read_bytes(), path
    log = next((tmp_path / "state/codeflow/sessions").rglob("*.jsonl")).read_text()
    packed = [
        zlib.decompress(base64.b64decode(file["content"])).decode()
        for event in map(json.loads, log.splitlines())
        if event.get("event", event).get("kind") == "files_carried"
        for file in event.get("event", event)["files"]
    ]
    assert packed == [FIXED]


@pytest.mark.slow
def test_files_that_are_not_the_sessions_are_not_overwritten(shell, project, scripted, tmp_path):
    store = {"CODEFLOW_SESSIONS__STORE": f"sqlite:{tmp_path}/shared/s.db"}
    assert shell("sessions", "setup", env=store).code == 0
    with scripted([ROUTER, READ, EDIT, COMMAND, SAID]) as endpoint:
        paused = shell(
            "run", "make the failing test pass", "--output", "json", env=store | environment(endpoint.url)
        )
        other = Shell(
            moved(project, tmp_path / "elsewhere"),
            shell.env | store | {"XDG_STATE_HOME": str(tmp_path / "s2")},
        )
        (other.project / "calc.py").write_text("mine\n")
        resume = ["resume", paused.result["session_id"], "--workspace", ".", "--output", "json", "--approve"]
        refused = other(*resume, env=environment(endpoint.url))
        assert refused.code == 1
        assert "calc.py: neither as the session found it nor as it left it" in refused.stderr + refused.stdout
        assert (other.project / "calc.py").read_text() == "mine\n"
        (other.project / "calc.py").write_text(BUG)
        assert other(*resume, env=environment(endpoint.url)).code == 0
    assert (other.project / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_a_killed_runs_changes_have_to_be_brought_along(shell, project, scripted, tmp_path):
    store = {"CODEFLOW_SESSIONS__STORE": f"sqlite:{tmp_path}/shared/s.db"}
    assert shell("sessions", "setup", env=store).code == 0
    with scripted([ROUTER, READ, EDIT, {**SAID, "latency_ms": 60_000}]) as endpoint:
        run = subprocess.Popen(
            [CODEFLOW, "run", "make the failing test pass"],
            cwd=project, env={**shell.env, **store, **environment(endpoint.url)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while len(endpoint.requests) < 4:
            os.sched_yield()
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
    other = Shell(
        moved(project, tmp_path / "elsewhere"), shell.env | store | {"XDG_STATE_HOME": str(tmp_path / "s2")}
    )
    (session,) = json.loads(other("sessions", "--all", "--output", "json").stdout)
    resume = ["resume", session["id"], "--workspace", ".", "--output", "json"]
    with scripted([{**SAID, "step": 3}]) as endpoint:
        refused = other(*resume, env=environment(endpoint.url))
        assert refused.code == 1
        assert "because it was killed: calc.py" in refused.stderr + refused.stdout
        (other.project / "calc.py").write_text(FIXED)
        done = other(*resume, env=environment(endpoint.url))
    assert done.code == 0, done.stderr
