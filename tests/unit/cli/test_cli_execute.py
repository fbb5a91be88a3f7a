import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from codeflow.cli.repository import start_repository

TRANSCRIPT = {
    "codeflow_transcript": 1,
    "task": "what is in a.py?",
    "options": {"mode": "plan", "pattern": "single", "complexity": "SIMPLE", "roster": "current"},
    "replies": [
        {"agent": "fast_coder", "call": [{"read_file": {"path": "a.py"}}]},
        {"agent": "fast_coder", "say": "One assignment."},
    ],
}


@pytest.fixture
def transcript(tmp_path):
    path = tmp_path / "transcript.yaml"
    path.write_text(yaml.safe_dump(TRANSCRIPT))
    return path


@pytest.fixture
def project(folder):
    (folder / "a.py").write_text("a = 1\n")
    start_repository(folder)
    return folder


def test_a_replay_answers_on_stdout_and_tells_its_progress_on_stderr(cli, project, transcript):
    done = cli("replay", str(transcript))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "One assignment.\n"
    assert "• read_file a.py" in done.stderr
    assert "fast_coder" in done.stderr
    assert "done in" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_replay_streams_its_events_and_ends_with_the_result(cli, project, transcript):
    done = cli("replay", str(transcript), "--output", "stream-json")
    kinds = [json.loads(line)["kind"] for line in done.stdout.splitlines()]
    assert kinds[0] == "run_started"
    assert kinds[-1] == "result"
    assert {"agent_started", "tool_finished", "model_called"} <= set(kinds)


@pytest.mark.slow
def test_a_session_can_be_listed_and_read_again(cli, project, transcript):
    cli("replay", str(transcript))
    (session,) = json.loads(cli("sessions", "--output", "json").stdout)
    assert session["status"] == "done"
    assert session["task"] == TRANSCRIPT["task"]
    assert "• read_file a.py" in cli("sessions", "show", session["id"]).stdout
    events = json.loads(cli("sessions", "show", session["id"], "--output", "json").stdout)
    assert events[-1]["kind"] == "run_finished"
    assert cli("undo").stdout.startswith("Nothing to undo")


def test_a_run_that_fails_ends_with_its_status_and_one_object(cli, project, transcript):
    transcript.write_text(yaml.safe_dump(TRANSCRIPT | {"replies": []}))
    done = cli("replay", str(transcript), "--output", "json")
    shown = json.loads(done.stdout)
    assert done.returncode == shown["exit_code"] != 0
    assert shown["error"]["message"]


def test_a_result_that_could_not_be_delivered_is_not_success(home, project, transcript):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "codeflow", "replay", str(transcript), "--output", "json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=project,
            env=home,
            check=False,
        )
    assert done.returncode == 1
    assert "the result could not be shown" in done.stderr


@pytest.mark.slow
def test_the_demo_repairs_its_repository_and_draws_a_picture(cli, tmp_path):
    folder, picture = tmp_path / "demo", tmp_path / "run.svg"
    done = cli("demo", "--folder", str(folder), "--svg", str(picture))
    assert done.returncode == 0, done.stderr
    assert "recorded transcript" in done.stderr
    assert picture.read_text().startswith("<svg")
    changed = subprocess.run(
        ["git", "diff", "--name-only"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert changed.stdout
    assert "restored" in cli("undo", "--workspace", str(folder)).stdout


def test_the_demo_never_writes_into_a_folder_that_holds_something(cli, project):
    done = cli("demo", "--folder", str(project))
    assert done.returncode == 2
    assert "not empty" in done.stderr
