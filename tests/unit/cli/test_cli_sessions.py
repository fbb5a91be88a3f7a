"""`codeflow sessions` and its subcommands, on sessions that a store wrote."""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from codeflow.core.events import (
    Event,
    MessageAdded,
    ModelCalled,
    Notice,
    RunFinished,
    RunStarted,
    ToolFinished,
)
from codeflow.core.results import RunResult
from codeflow.core.values import FileChange, Mode, Status, Usage
from codeflow.sessions.checkpoints import Checkpoints
from codeflow.sessions.log import SessionStore


def run_of(task: str, workspace: Path) -> list[Event]:
    result = RunResult(
        status=Status.DONE, session_id="s", answer="It adds now.", complexity=None, pattern=None, route=None, plan=None,
        files_changed=(FileChange(path="a.py", change="modified", added_lines=1, removed_lines=1),),
        diff="-old\n+new\n```\n", gates=(), usage=Usage(), cost=Decimal("0.5"), known_cost=Decimal("0.5"),
        unpriced_calls=0, by_agent=(), by_model=(), model_calls=1, duration_s=2.0,
    )  # fmt: skip
    return [
        RunStarted(session_id="s", task=task, workspace=str(workspace), mode=Mode.EDIT, roster="current", version="1"),
        MessageAdded(agent="coder", message={"role": "user", "content": [{"text": "please"}]}),
        ModelCalled(
            agent="coder", step=1, attempt=1, model="m", invoked_model="m", usage=Usage(), cost=Decimal("0.5"),
            duration_s=1.0, first_token_s=None, outcome="ok",
            reply=({"text": "I will."}, {"toolUse": {"name": "edit_file", "input": {"path": "a.py"}}}),
        ),
        ToolFinished(agent="coder", call_id="1", tool="edit_file", is_error=False, display="a.py", duration_s=0.1),
        RunFinished(result=result),
    ]  # fmt: skip


@pytest.fixture
def store(home: dict[str, str]) -> SessionStore:
    return SessionStore(Path(home["XDG_STATE_HOME"]) / "codeflow/sessions")


def record(store: SessionStore, folder: Path, *events: Event) -> str:
    log = store.create(folder)
    for event in events or run_of("mend it", folder):
        log(event)
    log.close()
    return log.session_id


def path_of(home: dict[str, str], session: str) -> Path:
    return next(Path(home["XDG_STATE_HOME"]).rglob(f"{session}.jsonl"))


def test_both_ways_to_ask_for_the_list_give_the_same(cli, store, folder):
    session = record(store, folder)
    assert session in cli("sessions").stdout
    assert cli("sessions").stdout == cli("sessions", "list").stdout
    (row,) = json.loads(cli("sessions", "list", "--output", "json").stdout)
    assert (row["id"], row["status"], row["cost_usd"], row["files_changed"]) == (session, "done", 0.5, 1)
    assert (row["name"], row["stored"], row["problem"]) == ("", "here", None)


def test_an_unknown_session_is_one_line_and_exit_2_everywhere(cli, store, folder):
    record(store, folder)
    for arguments in (["show"], ["export"], ["delete", "--yes"], ["rename"]):
        more = ["name"] if arguments == ["rename"] else []
        done = cli("sessions", *arguments, "nope", *more)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines()[0] == "codeflow: no session 'nope'"


@pytest.mark.slow
def test_a_name_stands_for_the_id(cli, store, folder):
    session = record(store, folder)
    assert (
        cli("sessions", "rename", session[:-1], "login bug").stdout
        == f"Session {session} is called 'login bug'.\n"
    )
    assert "login bug" in cli("sessions").stdout
    assert "• edit_file: a.py" in cli("sessions", "show", "login bug").stdout
    other = record(store, folder)
    refused = cli("sessions", "rename", other, "login bug")
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (
        2,
        f"codeflow: 'login bug' is the name of session {session}",
    )
    for bad in ("20261121", "a\nb", "x" * 81):
        assert cli("sessions", "rename", other, bad).returncode == 2
    cli("sessions", "rename", "login bug", "")
    assert "login bug" not in cli("sessions").stdout


@pytest.mark.slow
def test_a_session_moves_to_another_machine_in_a_file(cli, store, folder, tmp_path):
    session = record(store, folder)
    file = tmp_path / "session.jsonl"
    assert (
        cli("sessions", "export", session, "-o", str(file)).stdout == f"{file}: session {session}, 5 events\n"
    )
    assert file.stat().st_mode & 0o777 == 0o600
    there = {"XDG_STATE_HOME": str(tmp_path / "there")}
    done = cli("sessions", "import", str(file), **there)
    assert done.stdout == f"Session {session} imported (of {folder}).\n"
    assert cli("sessions", "show", session, **there).stdout == cli("sessions", "show", session).stdout
    assert cli("sessions", "export", session, **there).stdout == file.read_text()
    assert "is here already" in cli("sessions", "import", str(file), **there).stdout
    log = store.resume(session)
    log(Notice(level="info", text="more"))
    log.close()
    piped = cli("sessions", "import", "-", stdin=cli("sessions", "export", session).stdout, **there)
    assert piped.stdout == f"Session {session} extended (of {folder}).\n"
    assert "is here already" in cli("sessions", "import", str(file), **there).stdout


def test_an_import_never_overwrites_other_events(cli, store, folder, tmp_path):
    session = record(store, folder)
    file = tmp_path / "s.jsonl"
    cli("sessions", "export", session, "-o", str(file))
    store.delete(session)
    other = store.install(session, folder)
    other(Notice(level="info", text="other"))
    other.close()
    refused = cli("sessions", "import", str(file))
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[0] == f"codeflow: session {session} is here already, with other events"
    assert cli("sessions", "import", str(file), "--as-new").returncode == 0
    assert len(store.list(folder)) == 2


@pytest.mark.parametrize("content", [b"", b"hello\n", b"{}\n", b'{"codeflow_session": "x"}\n', b"\xff\n"])
def test_a_file_that_is_no_session_is_refused(cli, folder, content):
    (folder / "x").write_bytes(content)
    done = cli("sessions", "import", "x")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "codeflow: x: not an exported session"
    assert cli("sessions", "import", "missing").returncode == 2


def test_other_forms_are_for_reading(cli, store, folder):
    session = record(store, folder)
    whole = json.loads(cli("sessions", "export", session, "--format", "json").stdout)
    assert (whole["codeflow_session"], whole["workspace"]) == (session, str(folder))
    assert whole["events"][0]["kind"] == "run_started"
    assert whole["events"][0]["at"].endswith("+00:00")
    text = cli("sessions", "export", session, "--format", "markdown").stdout
    summary = "1. asked: mend it\n   done: It adds now.\n   files: a.py +1 -1\nin all: 1 tasks, 1 model calls, $0.5000"
    assert text.startswith(f"# Session {session}\n\n```text\n{summary}\n```\n\n## mend it\n\n")
    assert "To coder:\n\n```text\nplease\n```" in text
    assert '`edit_file`\n\n```json\n{\n  "path": "a.py"\n}\n```' in text
    assert "````diff\n-old\n+new\n```\n````" in text
    assert "It adds now." in text


def test_of_a_damaged_session_everything_readable_is_shown_and_can_be_saved(
    cli, home, store, folder, tmp_path
):
    session = record(store, folder)
    path = path_of(home, session)
    path.write_bytes(path.read_bytes().replace(b'"please"', b'"pleese"'))
    listed = cli("sessions")
    assert session in listed.stdout
    assert f"{path}:2: damaged line (wrong checksum)" in listed.stderr
    shown = cli("sessions", "show", session)
    assert shown.returncode == 1
    assert "mend it" in shown.stdout
    assert f"{path}:2: damaged line (wrong checksum)" in shown.stderr
    assert "export ID --salvage" in shown.stderr
    as_json = cli("sessions", "show", session, "--output", "json")
    assert (as_json.returncode, len(json.loads(as_json.stdout))) == (1, 1)
    assert cli("sessions", "export", session).returncode == 1
    file = tmp_path / "saved.jsonl"
    assert cli("sessions", "export", session, "--salvage", "-o", str(file)).returncode == 0
    assert cli("sessions", "import", str(file), "--as-new").returncode == 0
    (saved,) = [info for info in store.list(folder) if info.id != session]
    assert (saved.status, saved.cost, saved.problem) == ("done", Decimal("0.5"), None)
    kinds = [type(event).__name__ for event in store.events(saved.id)]
    assert kinds == ["RunStarted", "ModelCalled", "ToolFinished", "RunFinished", "Notice"]
    assert [*store.events(saved.id)][-1] == Notice(
        level="warning", text="damaged lines of the log were left out: 2"
    )


def test_deleting_asks_and_refuses_where_nobody_can_be_asked(cli, store, folder):
    session = record(store, folder)
    done = cli("sessions", "delete", session)
    assert (done.returncode, done.stderr.splitlines()[1]) == (2, "  Give --yes to delete.")
    assert cli("sessions", "delete", session, "--yes").stdout == f"Session {session} is deleted.\n"
    assert store.list() == []


def test_deleting_a_session_removes_its_checkpoints_and_no_others(cli, store, folder, home):
    checkpoints = Path(home["XDG_STATE_HOME"], "codeflow", "checkpoints")
    sessions = [record(store, folder) for _ in range(2)]
    (folder / "a.py").write_text("1")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    for session in sessions:
        Checkpoints(folder, session, checkpoints).take("before")
        (folder / "a.py").write_text(session)
        Checkpoints(folder, session, checkpoints).take("after")
    done = cli("sessions", "delete", sessions[0], "--yes")
    assert done.stdout == f"Session {sessions[0]} is deleted, with 2 checkpoints.\n"
    assert Checkpoints(folder, sessions[0], checkpoints).history() == ()
    assert len(Checkpoints(folder, sessions[1], checkpoints).history()) == 2


def test_a_running_session_is_not_deleted_or_pruned(cli, store, folder):
    log = store.create(folder)
    log(Notice(level="info", text="x"))
    refused = cli("sessions", "delete", log.session_id, "--yes")
    assert refused.returncode == 1
    assert f"is being written by process {os.getpid()} on " in refused.stderr
    assert "no session has been idle for 0h" in cli("sessions", "prune", "--older-than", "0h").stdout
    log.close()


def test_pruning_removes_what_has_been_idle_for_long(cli, home, store, folder):
    old, new = record(store, folder), record(store, folder)
    path = path_of(home, old)
    long_ago = (datetime.now(UTC) - timedelta(days=40)).isoformat(timespec="milliseconds")
    lines = path.read_text().splitlines(keepends=True)
    first = json.loads(lines[0])
    del first["sum"]
    path.write_text(json.dumps(first | {"v": 1, "at": long_ago}, separators=(",", ":")) + "\n")
    listed = cli("sessions", "prune", "--older-than", "30d", "--dry-run")
    assert old in listed.stdout
    assert new not in listed.stdout
    assert len(store.list(folder)) == 2
    assert cli("sessions", "prune", "--older-than", "30d").returncode == 2
    assert cli("sessions", "prune", "--older-than", "30d", "--yes").returncode == 0
    assert [info.id for info in store.list(folder)] == [new]
    for age in ("30", "d", "-1d", "1y", "999999d"):
        assert cli("sessions", "prune", f"--older-than={age}").returncode == 2


def test_a_shared_store_is_set_up_shown_and_levelled(cli, store, folder, tmp_path):
    shared = {"CODEFLOW_SESSIONS__STORE": f"sqlite:{tmp_path}/all/s.db"}
    assert "nothing to set up" in cli("sessions", "setup").stdout
    assert cli("sessions", "sync").returncode == 2
    assert cli("sessions", "setup", **shared).stdout == f"{tmp_path}/all/s.db: made\n"
    session = record(store, folder)
    listed = cli("sessions", **shared)
    assert f"5 of its lines are not in sqlite:{tmp_path}/all/s.db" in listed.stderr
    assert (
        cli("sessions", "sync", **shared).stdout == f"Session {session} is in sqlite:{tmp_path}/all/s.db.\n"
    )
    assert cli("sessions", "sync", **shared).stdout == f"Everything is in sqlite:{tmp_path}/all/s.db.\n"
    there = shared | {"XDG_STATE_HOME": str(tmp_path / "there")}
    (row,) = json.loads(cli("sessions", "--output", "json", **there).stdout)
    assert (row["id"], row["stored"], row["status"]) == (session, "shared", "done")
    assert "mend it" in cli("sessions", "show", session, **there).stdout


@pytest.mark.parametrize("address", ["", "s3:bucket", "s3://", "s3://B", "dynamodb:", "sqlite:", "redis:x"])
def test_a_store_that_there_is_not_is_refused(cli, address):
    done = cli("sessions", CODEFLOW_SESSIONS__STORE=address)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == f"codeflow: sessions.store: {address!r} is not a store"


def test_a_strangers_project_may_not_choose_the_store(cli, folder):
    (folder / ".codeflow").mkdir()
    (folder / ".codeflow/settings.toml").write_text('[sessions]\nstore = "s3://theirs/x"\n')
    done = cli("sessions")
    assert done.returncode == 2
    assert "sessions.store may not be set by a project that you have not trusted" in done.stderr
