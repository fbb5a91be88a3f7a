"""Notes that outlive a run: written by an agent or a person, told to the next run, and to nobody else."""

import json
import shutil

import pytest
from tests.e2e.harness import BUG, EDIT, READ, ROUTER, SAID
from tests.e2e.test_e2e_resume import killed, resumed, started, until

from codeflow.models.endpoint import environment

FACT = "The tests need PYTHONHASHSEED=0, otherwise test_order fails."


def remember(text: str = FACT, **more: object):
    note = {"text": text, "evidence": "PYTHONHASHSEED=0 python -m unittest: exit 0", **more}
    return {"agent": "fast_coder", "call": [{"remember": note}]}


def first_request(endpoint):
    return next(request.body for request in endpoint.requests if request.agent == "fast_coder")


def told(endpoint) -> str:
    """What the agent's first request says, tools and system prompt included."""
    return json.dumps(first_request(endpoint))


def last_result(endpoint) -> str:
    return json.dumps(endpoint.requests[-1].body["messages"][-1])


def notes(shell, *arguments: str):
    return json.loads(shell("memory", "--output", "json", *arguments).stdout)


@pytest.mark.slow
def test_the_next_run_is_told_what_a_run_noted(shell, project, scripted):
    with scripted([ROUTER, READ, remember(files=["test_calc.py"]), EDIT, SAID]) as endpoint:
        first = shell(
            "run", "make the failing test pass", "--output", "stream-json", env=environment(endpoint.url)
        )
    assert first.code == 0, first.stderr
    (event,) = [event for event in first.events if event["kind"] == "note_remembered"]
    session_id = first.events[-1]["session_id"]
    assert (event["note"]["author"], event["note"]["session_id"]) == ("fast_coder", session_id)
    line = next(line for line in shell("sessions", "show", session_id).stdout.splitlines() if FACT in line)
    assert line.startswith(f"noted    {event['note']['id']} (project, until ")
    (project / "calc.py").write_text(BUG)
    with scripted([ROUTER, EDIT, SAID]) as endpoint:
        second = shell.run(endpoint)
    assert second.code == 0, second.stderr
    fact = f"[{event['note']['id']}] {FACT} (project; by fast_coder on "
    assert "<notes>\\nNotes from earlier runs." in told(endpoint)
    assert fact in told(endpoint)
    assert "shown by: PYTHONHASHSEED=0 python -m unittest: exit 0; about test_calc.py)" in told(endpoint)


@pytest.mark.slow
def test_a_note_stays_in_its_project_and_goes_stale_with_its_file(shell, project, scripted, tmp_path):
    shell("memory", "add", FACT, "--file", "test_calc.py")
    shutil.copytree(project, tmp_path / "other")
    with scripted([ROUTER, EDIT, SAID]) as endpoint:
        assert shell.at(tmp_path / "other").run(endpoint).code == 0
    assert FACT not in told(endpoint)
    (project / "test_calc.py").write_text((project / "test_calc.py").read_text() + "# changed\n")
    with scripted([ROUTER, EDIT, SAID]) as endpoint:
        assert shell.run(endpoint).code == 0
    assert f"STALE, test_calc.py has changed since: {FACT}" in told(endpoint)


@pytest.mark.slow
def test_memory_that_is_off_is_neither_offered_nor_told(shell, scripted):
    shell("memory", "add", FACT)
    shell.env["CODEFLOW_MEMORY__ENABLED"] = "false"
    with scripted([ROUTER, EDIT, SAID]) as endpoint:
        assert shell.run(endpoint).code == 0
    assert FACT not in told(endpoint)
    assert '"remember"' not in told(endpoint)
    assert "memory.enabled is false" in shell("memory", "add", "more").stderr


def test_a_project_cannot_turn_on_what_its_user_turned_off(shell, project):
    (project / ".codeflow").mkdir()
    (project / ".codeflow" / "settings.toml").write_text("[memory]\nenabled = true\n")
    done = shell("memory")
    assert (done.code, "memory.enabled may not be set" in done.stderr) == (2, True)


@pytest.mark.slow
def test_a_resumed_run_is_told_what_it_was_told_before(shell, scripted):
    shell("memory", "add", FACT)
    slow = {**SAID, "latency_ms": 60_000}
    with scripted([ROUTER, EDIT, slow]) as endpoint:
        run = started(shell, endpoint)
        until(run, "model_started", times=3)
        killed(run)
        before = first_request(endpoint)["messages"][0]["content"][0]
        assert FACT in before["text"]
    shell("memory", "add", "Something new that nobody knew then.")
    with scripted([{**SAID, "step": 2}]) as endpoint:
        assert resumed(shell, endpoint).code == 0
        assert first_request(endpoint)["messages"][0]["content"][0] == before


def test_what_a_person_would_be_asked_about_is_not_noted_and_stops_nothing(shell, scripted):
    with scripted([ROUTER, EDIT, remember(scope="user"), SAID]) as endpoint:
        done = shell.run(endpoint)
    assert (done.code, done.result["denied"]) == (0, []), done.stderr
    assert "nobody is here to be asked" in last_result(endpoint)
    assert notes(shell) == []


@pytest.mark.slow
def test_after_reading_the_web_nothing_is_noted_unseen(shell, scripted):
    page = {"agent": "fast_coder", "call": [{"fetch_page": {"url": "http://127.0.0.1:9/"}}]}
    agent = shell.project / ".codeflow" / "agents"
    agent.mkdir(parents=True)
    (agent / "reader.md").write_text(
        "---\nname: fast_coder\ndescription: d\nrole: fast_coder\ntools: [fetch_page, edit_file, remember]\n---\nWork.\n"
    )
    with scripted([ROUTER, EDIT, page, remember(), SAID]) as endpoint:
        first = shell.run(endpoint, "--mode", "auto")
        assert "this session has read the web" in last_result(endpoint)
    assert first.code == 0, first.stderr
    with scripted([ROUTER, remember("Another fact."), SAID]) as endpoint:
        second = shell.run(endpoint, "--mode", "auto", "--continue")
        assert "this session has read the web" in last_result(endpoint)
    assert second.code == 0, second.stderr
    assert notes(shell) == []


@pytest.mark.slow
def test_notes_of_a_session_go_with_it(shell, scripted):
    with scripted([ROUTER, EDIT, remember(scope="session"), SAID]) as endpoint:
        session_id = shell.run(endpoint).result["session_id"]
    assert notes(shell) == []
    assert [note["note"] for note in notes(shell, "--session", session_id)] == [FACT]
    assert shell("sessions", "delete", session_id, "--yes").code == 0
    assert notes(shell, "--all") == []


def test_a_damaged_file_of_notes_never_ends_a_run(shell, scripted, tmp_path):
    shell("memory", "add", FACT)
    (path,) = (tmp_path / "state/codeflow/memory/projects").iterdir()
    path.write_text(path.read_text() + "{torn\n")
    with scripted([ROUTER, EDIT, SAID]) as endpoint:
        done = shell("run", "make the failing test pass", env=environment(endpoint.url))
    assert done.code == 0, done.stderr
    assert "1 damaged lines are left out" in done.stderr
    assert "1 note of earlier runs loaded" in done.stderr
    assert FACT in told(endpoint)


def test_a_secret_does_not_become_a_note(shell, scripted, tmp_path):
    secret = "ghp_" + "a1B2" * 9
    with scripted([ROUTER, EDIT, remember(f"Push with {secret}."), SAID]) as endpoint:
        done = shell.run(endpoint)
        assert "the note seems to hold a GitHub token" in last_result(endpoint)
    assert done.code == 0, done.stderr
    assert not list((tmp_path / "state/codeflow").glob("memory/projects/*"))
