"""What goes wrong around a session log: full disks, read-only folders, clocks, damage, two writers."""

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from codeflow.core.errors import SessionError
from codeflow.core.events import Event, Notice
from codeflow.sessions.ids import id_after, id_at, is_id, moment_of
from codeflow.sessions.log import SessionStore
from codeflow.sessions.stores.port import LockedError

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def note(text: str) -> Notice:
    return Notice(level="info", text=text)


def record(store: SessionStore, workspace: Path, *events: Event) -> Path:
    log = store.create(workspace)
    for event in events:
        log(event)
    log.close()
    return log.path


FULL = """
import asyncio, os, resource, sys
from pathlib import Path
from codeflow.core.errors import SessionError
from codeflow.core.events import Notice
from codeflow.sessions.log import SessionStore

async def main(folder):
    log = SessionStore(folder).create(folder)
    log(Notice(level="info", text="fits"))
    await log.flushed()
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, resource.RLIM_INFINITY))
    for text in ("x" * 1000, "y" * 1000):
        log(Notice(level="info", text=text))
    try:
        await log.flushed()
    except SessionError as error:
        print(error, error.hint, sep="\\n")
    print(log.problem)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    if sys.argv[2] == "room again":
        await log.flushed()
        print(log.problem)
    else:
        sys.stdout.flush()
        os._exit(9)
    log.close()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("then", ["room again", "killed"])
def test_a_full_disk_stops_the_run_at_its_next_step_and_loses_nothing(tmp_path, then):
    output = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), then], capture_output=True, text=True, check=False
    ).stdout
    lines = output.splitlines()
    assert lines[0].endswith(": the session log cannot be written: File too large")
    assert lines[1].startswith("Make room for ")
    assert "codeflow resume" in lines[1]
    assert lines[2] == "the session log cannot be written: File too large"
    store = SessionStore(tmp_path)
    (info,) = store.list()
    texts = [event.text for event in store.events(info.id) if isinstance(event, Notice)]
    if then == "room again":
        assert lines[3] == "None"
        assert texts == ["fits", "x" * 1000, "y" * 1000]
        return
    assert (info.problem or "").endswith(":2: the last line was cut off")
    assert texts == ["fits"]
    log = store.resume(info.id)
    assert log.notes == ("the last line of the session's log was cut off and has been dropped",)
    log(note("on"))
    log.close()
    assert [*store.events(info.id)] == [note("fits"), note("on")]


READ_ONLY = """
import os, sys, tempfile
from pathlib import Path
from codeflow.core.errors import SessionError
from codeflow.core.events import Notice
from codeflow.sessions.log import SessionStore

with tempfile.TemporaryDirectory() as elsewhere:  # imports what it needs while it may
    for _ in range(2):
        log = SessionStore(Path(elsewhere)).create(Path(elsewhere))
        log(Notice(level="info", text=""))
        log.close()
    SessionStore(Path(elsewhere)).list()
if os.getuid() == 0:
    os.setuid(65534)
folder, session = Path(sys.argv[1]), sys.argv[2]
store = SessionStore(folder)
for act in (lambda: store.create(folder), lambda: store.resume(session), lambda: store.delete(session)):
    try:
        act()
    except SessionError as error:
        print(error)
print(len(list(store.events(session))), store.list()[0].status)
"""


def test_a_read_only_state_folder_can_be_read_and_says_why_it_cannot_be_written():
    with tempfile.TemporaryDirectory() as made:  # pytest's own folders may be entered by nobody else
        folder = Path(made)
        path = record(SessionStore(folder), folder, note("kept"))
        path.chmod(0o444)
        for place in (path.parent, folder):
            place.chmod(0o555)
        try:
            done = subprocess.run(
                [sys.executable, "-c", READ_ONLY, made, path.stem],
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            folder.chmod(0o700)
            path.parent.chmod(0o700)
    lines = done.stdout.splitlines()
    assert done.stderr == ""
    assert lines[0].endswith(": session logs cannot be written: Permission denied")
    assert lines[1] == f"{path}: cannot be written: Permission denied"
    assert lines[2] == f"{path}: cannot be removed: Permission denied"
    assert lines[3] == "1 unfinished"


class Clock:
    def __init__(self, *moments: datetime) -> None:
        self.moments = list(moments)

    def __call__(self) -> float:
        return self.moments.pop(0).timestamp()


def test_ids_stay_unique_and_in_order_when_the_clock_is_set_back_or_stands(tmp_path):
    clock = Clock(
        NOON, NOON, NOON - timedelta(hours=1), NOON - timedelta(seconds=1), NOON + timedelta(hours=1)
    )
    store = SessionStore(tmp_path, now=clock)
    made = [record(store, tmp_path, note(str(n))).stem for n in range(5)]
    assert made == sorted(set(made))
    assert store.latest(tmp_path) == made[-1]


def test_a_session_from_a_clock_that_was_far_ahead_does_not_date_all_that_follow():
    far = id_at(NOON + timedelta(days=3000))
    assert id_after(far, NOON) == id_at(NOON)
    assert id_after(None, NOON) == id_at(NOON)
    assert id_after("no id", NOON) == id_at(NOON)
    assert moment_of(id_at(NOON + timedelta(microseconds=999_999))) == NOON + timedelta(microseconds=999_999)


def test_two_sessions_of_one_moment_in_two_folders_of_one_name_have_two_ids(tmp_path):
    store = SessionStore(tmp_path, now=NOON.timestamp)
    logs = [store.create(tmp_path) for _ in range(3)]
    for log in logs:
        log.close()
    assert len({log.session_id for log in logs}) == 3
    assert all(is_id(log.session_id) for log in logs)


def test_a_damaged_log_is_not_continued_and_the_message_tells_how_to_save_it(tmp_path):
    store = SessionStore(tmp_path)
    path = record(store, tmp_path, note("first"), note("second"), note("third"))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"second", b"secund"))
    with pytest.raises(SessionError, match=rf"{path}:2: damaged line \(wrong checksum\)") as told:
        store.resume(path.stem)
    assert "sessions export ID --salvage" in told.value.hint
    assert path.read_bytes() == content.replace(b"second", b"secund")
    events = store.events(path.stem)
    assert next(events) == note("first")
    with pytest.raises(SessionError):
        next(events)
    store.delete(path.stem)
    assert store.list() == []


def test_the_lock_of_a_process_ends_with_it_and_names_it_before(tmp_path):
    store = SessionStore(tmp_path)
    log = store.create(tmp_path)
    log(note("x"))
    for act in (store.resume, store.delete, lambda one: store.rename(one, "a name")):
        with pytest.raises(LockedError, match=f"being written by process {os.getpid()} on "):
            act(log.session_id)
    log.close()
    assert [path.name for path in log.path.parent.iterdir()] == [log.path.name]
    store.resume(log.session_id).close()
