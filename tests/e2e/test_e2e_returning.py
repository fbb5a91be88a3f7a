"""A run that goes on later, on the same machine: the files that it had changed have to be there still."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.e2e.harness import BUG, EDIT, FIXED, ROUTER, SAID, Shell, git
from tests.e2e.test_e2e_resume import arrived, killed, resumed, started

from codeflow.models.endpoint import Endpoint, environment

MAKE = {"agent": "fast_coder", "call": [{"run_command": {"command": "echo new > new.txt"}}]}


@pytest.fixture
def shell(shell: Shell) -> Shell:
    """Without gates: they would stop some of these runs as well, for another reason."""
    return replace(shell, env={**shell.env, "CODEFLOW_GATES__TESTS": "off"})


@pytest.fixture
def paused(shell, project, scripted):
    """An endpoint; the run has edited calc.py and asks whether it may make new.txt."""
    git(project, "branch", "-M", "main")
    git(project, "branch", "other")
    with scripted([ROUTER, EDIT, MAKE, SAID]) as endpoint:
        assert shell.run(endpoint).code == 4
        assert (project / "calc.py").read_text() == FIXED
        yield endpoint


def commit(project: Path) -> None:
    git(project, "commit", "-qam", "what the run did")


@pytest.mark.slow
def test_edits_that_were_stashed_stop_a_resume_until_they_are_back(shell, project, paused):
    git(project, "stash")
    for _ in range(2):
        refused = resumed(shell, paused, "--approve")
        assert (refused.code, len(refused.stderr.strip().splitlines())) == (1, 2)
        assert "not as the run left them: calc.py" in refused.stderr
        assert "`git stash pop`" in refused.stderr
        assert "--as-is" in refused.stderr
        assert refused.result["status"] == "failed"
        assert "calc.py" in refused.result["error"]["message"]
    assert not (project / "new.txt").exists()
    git(project, "stash", "pop")
    done = resumed(shell, paused, "--approve")
    assert done.code == 0, done.stderr
    assert {change["path"] for change in done.result["files_changed"]} == {"calc.py", "new.txt"}


@pytest.mark.slow
def test_another_branch_without_the_edits_stops_a_resume_and_is_named(shell, project, paused):
    commit(project)
    git(project, "switch", "-q", "other")
    refused = resumed(shell, paused, "--approve")
    assert refused.code == 1
    assert "calc.py; HEAD is on other and was on main then" in refused.stderr
    assert "`git switch main`" in refused.stderr
    assert not (project / "new.txt").exists()
    git(project, "switch", "-q", "main")
    assert resumed(shell, paused, "--approve").code == 0


@pytest.mark.slow
def test_edits_that_were_mixed_with_the_users_stop_a_resume(shell, project, paused):
    (project / "calc.py").write_text(FIXED + "# mine\n")
    refused = resumed(shell, paused, "--approve")
    assert (refused.code, "calc.py" in refused.stderr) == (1, True)
    done = resumed(shell, paused, "--approve", "--as-is")
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == FIXED + "# mine\n"
    assert (project / "new.txt").exists()


@pytest.mark.slow
def test_a_run_that_was_undone_does_not_go_on_unasked(shell, project, paused):
    assert shell("undo").code == 0
    refused = resumed(shell, paused, "--approve")
    assert (refused.code, "calc.py" in refused.stderr) == (1, True)
    done = resumed(shell, paused, "--approve", "--as-is")
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == BUG


def test_a_run_whose_edits_were_committed_goes_on(shell, project, paused):
    commit(project)
    (project / "mine.txt").write_text("mine")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "more of mine")
    done = resumed(shell, paused, "--approve")
    assert done.code == 0, done.stderr
    assert {change["path"] for change in done.result["files_changed"]} == {"calc.py", "new.txt"}


@pytest.mark.slow
def test_edits_that_were_taken_to_another_branch_are_in_place_and_the_branch_is_told(shell, project, paused):
    git(project, "switch", "-q", "-c", "feature")
    commit(project)
    (project / "test_calc.py").write_text((project / "test_calc.py").read_text() + "\n# mine\n")
    (project / "calc.py").chmod(0o664)
    done = shell("resume", "--approve", env=environment(paused.url))
    assert done.code == 0, done.stderr
    assert "HEAD is on feature and was on main when the run stopped" in done.stderr


def cut_while_it_thinks(shell: Shell, endpoint: Endpoint) -> None:
    """A run that has changed files is killed between two calls, two seconds and more ago."""
    run = started(shell, endpoint, "--mode", "auto")
    arrived(endpoint, 4)
    killed(run)
    past = time.time() - 3
    (log,) = Path(shell.env["XDG_STATE_HOME"]).glob("codeflow/sessions/*/*.jsonl")
    os.utime(log, (past, past))


@pytest.mark.parametrize(
    "change",
    [EDIT, {"agent": "fast_coder", "call": [{"write_file": {"path": "only_new.txt", "content": "new\n"}}]}],
)
@pytest.mark.slow
def test_a_killed_run_whose_edits_were_stashed_does_not_go_on(shell, project, scripted, change):
    with scripted([ROUTER, change, MAKE, {**SAID, "latency_ms": 60_000}]) as endpoint:
        cut_while_it_thinks(shell, endpoint)
    git(project, "stash", "-u")
    assert (project / "calc.py").read_text() == BUG
    with scripted([{**SAID, "step": 3}]) as endpoint:
        refused = resumed(shell, endpoint)
        assert (refused.code, "new.txt" in refused.stderr) == (1, True)
        git(project, "stash", "pop")
        again = resumed(shell, endpoint)
    assert again.code == 0, again.stderr
    assert len(again.result["files_changed"]) == 2


def another_task(shell: Shell, endpoint: Endpoint) -> tuple[str, str]:
    """What the user is told when the session gets another task, and what the model is."""
    done = shell("run", "--continue", "go on please", env=environment(endpoint.url))
    assert done.code == 0, done.stderr
    return done.stderr, endpoint.requests[-1].body["messages"][-1]["content"][0]["text"]


@pytest.mark.parametrize("way", ["undo", "git checkout", "kept"])
@pytest.mark.slow
def test_another_task_after_edits_were_put_back_is_told_of_them(shell, project, scripted, way):
    again = [{**ROUTER, "step": 2}, {**SAID, "step": 3}]
    with scripted([ROUTER, EDIT, {**SAID, "step": 2}, *again]) as endpoint:
        assert shell.run(endpoint).code == 0
        if way == "undo":
            assert shell("undo").code == 0
        elif way == "git checkout":
            git(project, "checkout", "-q", ".")
        else:
            git(project, "commit", "-qam", "what the run did")
        told, asked = another_task(shell, endpoint)
    assert ("not as this session had left them, and the model is told so: calc.py" in told) == (way != "kept")
    assert ("read them again" in asked and "calc.py" in asked) == (way != "kept")


def test_another_task_drops_what_a_paused_run_waited_for_and_says_so(shell, project, scripted):
    again = [{**ROUTER, "step": 2}, {**SAID, "step": 3}]
    with scripted([ROUTER, EDIT, MAKE, *again]) as endpoint:
        assert shell.run(endpoint).code == 4
        git(project, "stash")
        told, asked = another_task(shell, endpoint)
    assert "its question is dropped, and this is not done: run_command echo new > new.txt" in told
    assert "calc.py" in told
    assert "calc.py" in asked.partition("<task>")[0]
    assert not (project / "new.txt").exists()
