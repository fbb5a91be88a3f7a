"""Rules, questions and the audit as a user meets them; the wire is the only fake."""

import json
import stat
import subprocess
from pathlib import Path

import pytest
from tests.e2e.harness import BUG, CODEFLOW, EDIT, FIXED, ROUTER, SAID, git
from tests.person import Person

from codeflow.models.endpoint import environment


def commands(*lines: str):
    return [{"agent": "fast_coder", "call": [{"run_command": {"command": line}}]} for line in lines]


def at_terminal(shell, endpoint, typed: bytes, *arguments: str) -> tuple[int, str]:
    """A run whose questions are answered at a terminal: its exit code and what the terminal showed."""
    with Person(typed) as person:
        done = subprocess.run(
            [CODEFLOW, *arguments],
            cwd=shell.project,
            env={**shell.env, **environment(endpoint.url), "TERM": "dumb", "COLUMNS": "120"},
            stdin=person.terminal,
            stdout=subprocess.DEVNULL,
            stderr=person.terminal,
            timeout=60,
            check=False,
        )
    return done.returncode, person.shown


def audited(shell, *arguments: str) -> list[dict[str, str]]:
    session = json.loads(shell("sessions", "--output", "json").stdout)[0]["id"]
    done = shell("audit", session, "--output", "json", *arguments)
    assert done.code == 0, done.stderr
    return [row for row in json.loads(done.stdout) if row["agent"] != "gates"]


def verdicts(rows) -> list[tuple[str, ...]]:
    return [(row["tool"], row["summary"], row["outcome"], row["answered_by"]) for row in rows]


@pytest.mark.slow
def test_flags_allow_and_deny_and_the_audit_names_the_rule(shell, project, scripted):
    calls = commands("touch one", "touch two", "git push --force")
    with scripted([ROUTER, *calls, EDIT, SAID]) as endpoint:
        done = shell.run(endpoint, "--allow", "run_command(touch *)", "--deny", "run_command(touch two)")
        told = [r.body["messages"][-1] for r in endpoint.requests if r.agent == "fast_coder"]
    assert done.code == 0, done.stderr
    assert (project / "one").exists()
    assert not (project / "two").exists()
    assert [line.partition(":")[0] for line in done.result["denied"]] == [
        "run_command touch two",
        "run_command git push --force",
    ]
    results = [m["content"][0]["toolResult"]["content"][0]["text"] for m in told[2:4]]
    assert "the session rule run_command(touch two) forbids it" in results[0]
    assert "`git push --force`: it would overwrite history that others share" in results[1]

    rows = audited(shell)
    assert verdicts(rows) == [
        ("run_command", "touch one", "allowed", "rules"),
        ("run_command", "touch two", "denied", "rules"),
        ("run_command", "git push --force", "denied", "rules"),
        ("edit_file", "calc.py", "allowed", "rules"),
    ]
    assert [(row["rule"], row["layer"]) for row in rows] == [
        ("run_command(touch *)", "session"),
        ("run_command(touch two)", "session"),
        ("run_command(git push -f|--force*)", "packaged"),
        (None, "mode"),
    ]
    assert len(audited(shell, "--denied")) == 2
    table = shell("audit", done.result["session_id"], env={"COLUMNS": "200"}).stdout
    assert "packaged rule run_command(git push -f|--force*)" in table


@pytest.mark.slow
def test_answers_reach_over_a_session_and_a_resume_of_it(shell, project, scripted):
    calls = commands("touch one", "rm one", "touch one", "mkdir made", "touch one")
    with scripted([ROUTER, *calls, EDIT, SAID]) as endpoint:
        code, shown = at_terminal(
            shell, endpoint, b"s\nn, keep it\n\x04", "run", "make the failing test pass"
        )
        assert code == 4, shown
        assert "allow: run_command(touch one)" in shown
        assert shown.count("wants: touch one") == 1
        assert (
            "[s]ession"
            not in shown.partition("wants: rm one")[2].partition("why asked")[2].partition("mkdir")[0]
        )
        session = json.loads(shell("sessions", "--output", "json").stdout)[0]["id"]
        done = shell("resume", session, "--approve", "--output", "json", env=environment(endpoint.url))
    assert done.code == 0, done.stderr
    assert (project / "one").exists()
    assert (project / "made").is_dir()
    assert verdicts(audited(shell)) == [
        ("run_command", "touch one", "allowed", "person"),
        ("run_command", "rm one", "denied", "person"),
        ("run_command", "touch one", "allowed", "rules"),
        ("run_command", "mkdir made", "asked", "nobody"),
        ("run_command", "mkdir made", "allowed", "person"),
        ("run_command", "touch one", "allowed", "rules"),
        ("edit_file", "calc.py", "allowed", "rules"),
    ]
    assert audited(shell)[1]["reason"] == "the user said no: keep it"
    assert audited(shell)[5]["layer"] == "session"


@pytest.mark.slow
def test_an_answer_for_good_holds_in_later_runs_of_the_folder_until_it_is_revoked(shell, project, scripted):
    with scripted([ROUTER, *commands("touch one"), EDIT, SAID]) as endpoint:
        code, shown = at_terminal(shell, endpoint, b"always\n", "run", "make the failing test pass")
    assert code == 0, shown
    (kept,) = Path(shell.env["XDG_STATE_HOME"]).glob("codeflow/permissions/*.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert git(project, "status", "--porcelain", "-uall").split()[1::2] == ["calc.py", "one"]
    (project / "calc.py").write_text(BUG)
    with scripted([ROUTER, *commands("touch one"), EDIT, SAID]) as endpoint:
        assert shell.run(endpoint).code == 0
    assert audited(shell)[0]["layer"] == "remembered"
    assert shell("permissions", "revoke", "run_command(touch one)").code == 0
    (project / "calc.py").write_text(BUG)
    with scripted([ROUTER, *commands("touch one"), EDIT, SAID]) as endpoint:
        assert shell.run(endpoint).code == 4
    assert verdicts(audited(shell))[0][2:] == ("asked", "nobody")


@pytest.mark.slow
def test_a_strangers_project_allows_nothing_and_says_so(shell, project, scripted):
    (project / ".codeflow").mkdir()
    (project / ".codeflow/permissions.toml").write_text(
        'allow = ["run_command(touch *)"]\ndeny = ["write_file(db/**)"]\n'
    )
    write = {"agent": "fast_coder", "call": [{"write_file": {"path": "db/x", "content": "x"}}]}
    with scripted([ROUTER, *commands("touch one"), write, EDIT, SAID]) as endpoint:
        paused = shell.run(endpoint)
        assert paused.code == 4
        started = next(
            event
            for event in json.loads(
                shell("sessions", "show", paused.result["session_id"], "--output", "json").stdout
            )
            if event["kind"] == "run_started"
        )
        assert any("its 1 allow rules do not count until you trust" in note for note in started["notes"])
        assert shell("trust", "--yes").code == 0
        done = shell("resume", paused.result["session_id"], "--output", "json", env=environment(endpoint.url))
    assert (project / "one").exists()
    assert (project / "calc.py").read_text() == FIXED
    assert not (project / "db").exists()
    assert "the project rule write_file(db/**) forbids it" in done.result["denied"][0]


def test_a_line_that_cannot_be_read_pauses_even_in_auto_without_a_sandbox(shell, project, scripted):
    with scripted([ROUTER, *commands('"$TOOL" x'), EDIT, SAID]) as endpoint:
        paused = shell.run(endpoint, "--mode", "auto", "--no-sandbox")
        assert (paused.code, paused.result["question"]["tool"]) == (4, "run_command")
    assert audited(shell)[0]["reason"] == '"$TOOL" says only when it runs what it runs'


def test_a_log_of_before_the_audit_has_none(shell, project):
    old = Path(__file__).parents[1] / "unit/sessions/data/20261121-122306-gw22.jsonl"
    assert shell("sessions", "import", str(old)).code == 0
    done = shell("audit", old.stem)
    assert (done.code, done.stdout) == (0, "no call was judged, or the log is older than the audit\n")
