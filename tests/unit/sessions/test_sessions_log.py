import json
import os
import signal
import socket
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.errors import SessionError, UsageError
from codeflow.core.events import (
    Event,
    MessageAdded,
    ModelCalled,
    Notice,
    RunFinished,
    RunStarted,
    TextDelta,
    ToolFinished,
)
from codeflow.core.results import RunResult
from codeflow.core.values import FileChange, Mode, Status, Usage
from codeflow.sessions.log import SessionStore
from codeflow.sessions.records import Chain, decode, encode


def started(task: str = "do it", workspace: str = "/w") -> RunStarted:
    return RunStarted(
        session_id="s", task=task, workspace=workspace, mode=Mode.EDIT, roster="current", version="1"
    )


def called(cost: str | None) -> ModelCalled:
    return ModelCalled(
        agent="coder", step=1, attempt=1, model="m", invoked_model="m", usage=Usage(input_tokens=1),
        cost=None if cost is None else Decimal(cost), duration_s=1.0, first_token_s=None, outcome="ok",
    )  # fmt: skip


def finished(status: Status, *paths: str) -> RunFinished:
    result = RunResult(
        status=status, session_id="s", answer="", complexity=None, pattern=None, route=None, plan=None,
        files_changed=tuple(FileChange(path=p, change="added", added_lines=1, removed_lines=0) for p in paths),
        diff="", gates=(), usage=Usage(), cost=None, known_cost=Decimal(0), unpriced_calls=0, by_agent=(),
        by_model=(), model_calls=0, duration_s=1.0,
    )  # fmt: skip
    return RunFinished(result=result)


@pytest.fixture
def store(tmp_path: Path) -> SessionStore:
    return SessionStore(tmp_path / "state" / "sessions")


def record(store: SessionStore, workspace: Path, *events: Event) -> str:
    log = store.create(workspace)
    for event in events:
        log(event)
    log.close()
    return log.session_id


def log_file(tmp_path: Path, session_id: str) -> Path:
    return next(tmp_path.rglob(f"{session_id}.jsonl"))


def test_each_event_is_one_numbered_line_on_disk_before_the_next(store, tmp_path):
    log = store.create(tmp_path)
    for text in ("one", "two\nlines"):
        log(Notice(level="info", text=text))
        last = log_file(tmp_path, log.session_id).read_text().splitlines()[-1]
        assert json.loads(last)["event"]["text"] == text
    lines = [json.loads(line) for line in log_file(tmp_path, log.session_id).read_text().splitlines()]
    assert [(line["v"], line["seq"]) for line in lines] == [(2, 1), (2, 2)]
    assert lines[0]["at"].endswith("+00:00")
    log.close()


def test_streamed_text_is_not_logged(store, tmp_path):
    session = record(store, tmp_path, TextDelta(agent="a", text="x"), Notice(level="info", text="y"))
    assert list(store.events(session)) == [Notice(level="info", text="y")]


def test_logs_are_readable_by_their_owner_only(store, tmp_path):
    session = record(store, tmp_path, started())
    file = log_file(tmp_path, session)
    modes = [path.stat().st_mode & 0o777 for path in (file, file.parent, file.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]


def test_a_list_tells_task_status_cost_and_files_newest_first(store, tmp_path):
    tool = ToolFinished(
        agent="a", call_id="1", tool="edit_file", is_error=False, display="", duration_s=0, changed=("x",)
    )
    done = record(
        store, tmp_path, started("first"), called("0.10"), called("0.20"), finished(Status.DONE, "a", "b")
    )
    killed = record(store, tmp_path, started("second"), called("0.10"), called(None), tool)
    infos = {info.id: info for info in store.list(tmp_path)}
    assert [info.id for info in store.list()] == sorted(infos, reverse=True)
    first, second = infos[done], infos[killed]
    assert (first.task, first.status, first.cost, first.files_changed) == (
        "first",
        "done",
        Decimal("0.30"),
        2,
    )
    assert (second.task, second.status, second.cost, second.files_changed) == (
        "second",
        "unfinished",
        None,
        1,
    )
    assert (first.workspace, first.problem) == ("/w", None)


def test_sessions_belong_to_their_workspace(store, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    here = record(store, tmp_path / "a", started())
    record(store, tmp_path / "b", started())
    assert [info.id for info in store.list(tmp_path / "a")] == [here]
    assert store.latest(tmp_path / "a") == here
    assert store.latest(tmp_path) is None
    assert len(store.list()) == 2


def test_a_torn_last_line_loses_nothing_else(store, tmp_path):
    session = record(store, tmp_path, started(), called("0.10"))
    with log_file(tmp_path, session).open("ab") as file:
        file.write(b'{"v":1,"seq":3,"at":"20')
    assert list(store.events(session)) == [started(), called("0.10")]
    (info,) = store.list(tmp_path)
    assert info.cost == Decimal("0.10")
    assert (info.problem or "").endswith(":3: the last line was cut off")


def test_a_resumed_session_drops_the_torn_line_and_counts_on(store, tmp_path):
    session = record(store, tmp_path, started())
    file = log_file(tmp_path, session)
    with file.open("ab") as torn:
        torn.write(b'{"v":1')
    log = store.resume(session[:-1])
    log(Notice(level="info", text="again"))
    log.close()
    assert [json.loads(line)["seq"] for line in file.read_text().splitlines()] == [1, 2]


@pytest.mark.parametrize(
    "damage", [b"not json\n", b"[]\n", b'{"v":1,"event":{"kind":"nonsense"}}\n', b"\xff\xfe\n"]
)
def test_a_damaged_line_is_named(store, tmp_path, damage):
    session = record(store, tmp_path, started())
    with log_file(tmp_path, session).open("ab") as file:
        file.write(damage)
    with pytest.raises(SessionError, match=r":2: damaged line"):
        list(store.events(session))
    assert store.list()[0].task == "do it"


def test_a_log_of_a_newer_version_says_so(store, tmp_path):
    session = record(store, tmp_path)
    log_file(tmp_path, session).write_text('{"v":3,"event":{"kind":"run_started"}}\n')
    with pytest.raises(SessionError, match="another version of codeflow"):
        list(store.events(session))
    assert "another version" in (store.list()[0].problem or "")


def test_an_unknown_id_offers_the_nearest_and_an_ambiguous_one_its_candidates(store, tmp_path):
    session = record(store, tmp_path)
    assert store.find(session[:17]) == session
    with pytest.raises(UsageError, match="no session") as unknown:
        store.find(session[:-1] + "?")
    assert session in unknown.value.hint
    other = record(store, tmp_path)
    with pytest.raises(UsageError, match="means 2 sessions") as ambiguous:
        store.find(session[:8])
    assert other in ambiguous.value.hint
    with pytest.raises(UsageError, match="no session ''"):
        store.find("")


def test_ids_sort_in_the_order_in_which_sessions_began(store, tmp_path):
    made = [record(store, tmp_path) for _ in range(20)]
    assert made == sorted(made)
    assert store.latest(tmp_path) == made[-1]
    assert {len(session) for session in made} == {20}


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SessionError, match="session logs cannot be written: File exists"):
        SessionStore(tmp_path / "file").create(tmp_path)


def test_an_event_that_json_cannot_hold_is_a_problem_and_the_next_is_written(store, tmp_path):
    log = store.create(tmp_path)
    log(MessageAdded(agent="a", message={"content": b"\xff"}))
    log(Notice(level="info", text="on"))
    log.close()
    assert log.problem is not None
    assert list(store.events(log.session_id)) == [Notice(level="info", text="on")]


def test_a_second_process_cannot_write_a_session_and_sees_that_it_runs(store, tmp_path):
    log = store.create(tmp_path)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from codeflow.core.errors import SessionError\n"
        "from codeflow.sessions.log import SessionStore\n"
        "store = SessionStore(Path(sys.argv[1]))\n"
        "print(store.list()[0].status)\n"
        "try: store.resume(sys.argv[2])\n"
        "except SessionError as error: print(error)\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "state/sessions"), log.session_id]
    output = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    log.close()
    assert output.startswith(
        f"running\nsession {log.session_id} is being written by process {os.getpid()} on {socket.gethostname()} (since "
    )
    store.resume(log.session_id).close()


def test_a_killed_writer_leaves_a_log_that_loads(tmp_path):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from codeflow.core.events import Notice\n"
        "from codeflow.sessions.log import SessionStore\n"
        "log = SessionStore(Path(sys.argv[1])).create(Path(sys.argv[1]))\n"
        "print(log.session_id, flush=True)\n"
        "number = 0\n"
        "while True:\n"
        "    log(Notice(level='info', text=str(number)))\n"
        "    print(number, flush=True)\n"
        "    number += 1\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        session = writer.stdout.readline().strip()
        seen = [writer.stdout.readline() for _ in range(50)]
        os.kill(writer.pid, signal.SIGKILL)
    events = list(SessionStore(tmp_path).events(session))
    texts = [event.text for event in events if isinstance(event, Notice)]
    assert texts[: len(seen)] == [line.strip() for line in seen]
    assert texts == [str(number) for number in range(len(texts))]


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
events = st.one_of(
    st.builds(Notice, level=st.sampled_from(["info", "warning"]), text=st.text()),
    st.builds(MessageAdded, agent=st.text(), message=st.dictionaries(st.text(), json_values, max_size=4)),
    st.decimals(min_value=0, allow_nan=False, allow_infinity=False).map(lambda cost: called(str(cost))),
)


@given(event=events)
def test_an_event_comes_back_from_its_line_unchanged(event):
    line = encode(event, Chain())
    assert line.count(b"\n") == 1
    assert decode(line, "here") == event


def test_half_a_character_from_a_model_does_not_make_the_log_unreadable():
    event = decode(encode(Notice(level="info", text="\ud83d!"), Chain()), "here")
    assert event == Notice(level="info", text="?!")
