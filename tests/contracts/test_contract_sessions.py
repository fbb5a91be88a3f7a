"""What every store of sessions does, whichever it is."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal

import pytest

from codeflow.core.errors import SessionError, UsageError
from codeflow.core.events import MessageAdded, Notice, RunStarted
from codeflow.core.values import Mode
from codeflow.sessions.log import RUNNING, SessionStore
from codeflow.sessions.records import Chain, encode
from codeflow.sessions.stores.owner import this_process
from codeflow.sessions.stores.port import ConflictError, LockedError
from codeflow.sessions.writer import SessionLog

WRITER = """
import asyncio, os, sys
from pathlib import Path
from codeflow.core.events import Notice
from codeflow.core.settings import load_settings
from codeflow.sessions.opening import open_sessions

async def main(workspace):
    log = open_sessions(load_settings(workspace, env=os.environ), os.environ).create(workspace)
    print(log.session_id, flush=True)
    number = 0
    while True:
        log(Notice(level="info", text=str(number)))
        await log.flushed()
        print(number, flush=True)
        number += 1

asyncio.run(main(Path(sys.argv[1])))
"""
RESUMER = """
import os, sys
from pathlib import Path
from codeflow.core.errors import SessionError
from codeflow.core.settings import load_settings
from codeflow.sessions.opening import open_sessions

store = open_sessions(load_settings(Path(sys.argv[1]), env=os.environ), os.environ)
try:
    log = store.resume(sys.argv[2])
except SessionError as error:
    print(f"{type(error).__name__}: {error}")
else:
    print("resumed", flush=True)
    sys.stdin.readline()
    log.close()
"""


def note(text: str) -> Notice:
    return Notice(level="info", text=text)


def started(workspace: str, task: str = "do it") -> RunStarted:
    return RunStarted(
        session_id="s", task=task, workspace=workspace, mode=Mode.EDIT, roster="current", version="1"
    )


async def write(log: SessionLog, *events) -> str:
    for event in events:
        log(event)
    await log.flushed()
    log.close()
    assert log.problem is None
    return log.session_id


def texts(store: SessionStore, session: str) -> list[str]:
    return [event.text for event in store.events(session) if isinstance(event, Notice)]


async def test_events_are_there_for_every_machine_once_flushed(machines):
    log = machines().create(machines.workspace)
    log(note("one"))
    log(note("two"))
    await log.flushed()
    assert texts(machines("b"), log.session_id) == ["one", "two"]
    log.close()
    assert texts(machines("b"), log.session_id) == ["one", "two"]


async def test_a_list_on_another_machine_tells_what_the_log_adds_up_to(machines):
    session = await write(machines().create(machines.workspace), started(str(machines.workspace), "mend it"))
    for place in (None, machines.workspace):
        (info,) = machines("b").list(place)
        assert (info.id, info.task, info.status) == (session, "mend it", "unfinished")
        assert (info.cost, info.files_changed, info.problem) == (Decimal(0), 0, None)
        assert info.workspace == str(machines.workspace)
    assert machines("b").latest(machines.workspace) == session


async def test_a_session_goes_on_on_another_machine_and_back(machines):
    session = await write(machines().create(machines.workspace), note("a1"), note("a2"))
    for machine, text in (("b", "b1"), ("a", "a3"), ("b", "b2")):
        await write(machines(machine).resume(session), note(text))
    for machine in "ab":
        assert texts(machines(machine), session) == ["a1", "a2", "b1", "a3", "b2"]


def resumed_elsewhere(machines, session: str) -> str:
    """What another process, on another machine if there is one, says to resuming."""
    return subprocess.run(
        [sys.executable, "-c", RESUMER, str(machines.workspace), session],
        env=os.environ | machines.env("b"), input="", capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


async def test_a_running_session_is_locked_and_the_message_names_the_writer(machines):
    log = machines().create(machines.workspace)
    log(started(str(machines.workspace)))
    await log.flushed()
    said = resumed_elsewhere(machines, log.session_id)
    assert said.startswith(
        f"LockedError: session {log.session_id} is being written by process {os.getpid()} on "
    )
    (info,) = machines("b").list()
    assert info.status == RUNNING
    with pytest.raises(LockedError):
        machines("b").delete(log.session_id)
    log.close()
    assert machines("b").list()[0].status == "unfinished"
    machines("b").resume(log.session_id).close()


def test_of_two_processes_that_resume_at_once_one_wins(machines):
    log = machines().create(machines.workspace)
    log(note("first"))
    log.close()
    arguments = [sys.executable, "-c", RESUMER, str(machines.workspace), log.session_id]
    both = [
        subprocess.Popen(
            arguments, env=os.environ | machines.env(machine), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for machine in "ab"
    ]  # fmt: skip
    said = []
    for process in both:
        assert process.stdout is not None
        said.append(process.stdout.readline())
    for process in both:
        process.communicate("\n")
    assert sum(line == "resumed\n" for line in said) == 1
    assert sum(line.startswith("LockedError: ") for line in said) == 1


def test_after_kill_9_another_process_takes_over_with_every_line_that_was_flushed(machines):
    arguments = [sys.executable, "-c", WRITER, str(machines.workspace)]
    with subprocess.Popen(
        arguments, env=os.environ | machines.env("a"), stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        session = writer.stdout.readline().strip()
        seen = [writer.stdout.readline().strip() for _ in range(5)]
        os.kill(writer.pid, signal.SIGKILL)
    log = machines("b").resume(session)  # the lease has not ended, but its owner has
    log(note("on"))
    log.close()
    told = texts(machines("b"), session)
    assert told[:5] == seen
    assert told[:-1] == [str(number) for number in range(len(told) - 1)]
    assert told[-1] == "on"


async def test_what_a_killed_writer_had_not_sent_is_sent_when_its_machine_resumes(shared_machines):
    log = shared_machines().create(shared_machines.workspace)
    log(note("sent"))
    await log.flushed()
    log.close()
    alone = SessionStore(shared_machines.folder / "a/codeflow/sessions")
    await write(alone.resume(log.session_id), note("not sent"))
    (info,) = shared_machines().list()
    assert "1 of its lines are not in" in (info.problem or "")
    assert texts(shared_machines("b"), log.session_id) == ["sent"]
    shared_machines().resume(log.session_id).close()
    assert texts(shared_machines("b"), log.session_id) == ["sent", "not sent"]
    assert shared_machines().list()[0].problem is None


async def test_a_session_that_went_on_in_two_places_becomes_two_and_says_so(shared_machines):
    session = await write(shared_machines().create(shared_machines.workspace), note("both"))
    alone = SessionStore(shared_machines.folder / "a/codeflow/sessions")
    await write(alone.resume(session), note("here"))
    await write(shared_machines("b").resume(session), note("there"), note("more"))
    with pytest.raises(SessionError, match=f"{session} went on in two places; .* is now session ") as told:
        shared_machines().resume(session)
    apart = str(told.value).rpartition(" ")[2]
    assert apart in told.value.hint
    assert texts(alone, apart) == ["both", "here"]
    for machine in "ab":
        assert texts(shared_machines(machine), session) == ["both", "there", "more"]
    await write(shared_machines().resume(apart), note("on"))
    assert texts(shared_machines("b"), apart) == ["both", "here", "on"]
    shared_machines().resume(session).close()


async def test_a_run_that_lost_its_session_to_another_machine_ends_and_keeps_its_lines(shared_machines):
    log = shared_machines().create(shared_machines.workspace)
    log(note("both"))
    await log.flushed()
    shared = shared_machines("b").shared
    held = shared.lease(log.session_id)
    far = replace(this_process(), host="far", machine="far/away")
    taken = shared.swap_lease(held, replace(held, owner=far))  # as when this machine had been cut off
    (first,) = shared.read(log.session_id)
    chain = Chain()
    chain.extend(first)
    theirs = encode(note("theirs"), chain)
    chain.extend(theirs)
    head = replace(shared.head(log.session_id), lines=2, tip=chain.tip)
    shared.append(taken, 2, [theirs], head)
    log(note("mine"))
    with pytest.raises(ConflictError, match=f"session {log.session_id} was continued by"):
        await log.flushed()
    assert "was continued by" in (log.problem or "")
    log.close()
    assert texts(shared_machines("b"), log.session_id) == ["both", "theirs"]
    alone = SessionStore(shared_machines.folder / "a/codeflow/sessions")
    assert texts(alone, log.session_id) == ["both", "mine"]


@pytest.mark.parametrize("size", [450_000, 6_000_000])
async def test_large_events_come_back_whole(machines, size):
    big = "x" * size + "end"
    session = await write(machines().create(machines.workspace), note("a"), note(big), note("b"))
    assert texts(machines("b"), session) == ["a", big, "b"]
    await write(machines("b").resume(session), note("c"))
    assert texts(machines("b"), session) == ["a", big, "b", "c"]


async def test_text_of_every_kind_comes_back(machines):
    message = {"role": "user", "content": [{"text": 'ä\u2028\r\n\x00\x85🙂 {"sum":"0123456789abcdef"}\n'}]}
    session = await write(
        machines().create(machines.workspace), MessageAdded(agent="a", message=message), note("\ud83d")
    )
    added, last = machines("b").events(session)
    assert added == MessageAdded(agent="a", message=message)
    assert last == note("?")


async def test_ten_thousand_events_are_read_in_order(machines):
    log = machines().create(machines.workspace)
    for number in range(10_000):
        log(note(str(number)))
    await log.flushed()
    log.close()
    assert texts(machines("b"), log.session_id) == [str(number) for number in range(10_000)]
    assert machines("b").list()[0].problem is None


async def test_a_session_is_found_by_its_name_everywhere(machines):
    session = await write(machines().create(machines.workspace), note("x"))
    other = await write(machines().create(machines.workspace), note("y"))
    assert machines().rename(session, "the login bug") is None
    assert machines("b").find("the login bug") == session
    assert {info.id: info.name for info in machines("b").list()} == {session: "the login bug", other: ""}
    with pytest.raises(UsageError, match=f"is the name of session {session}"):
        machines("b").rename(other, "the login bug")
    machines("b").rename(session, "")
    with pytest.raises(UsageError, match="no session"):
        machines().find("the login bug")


async def test_a_deleted_session_is_gone_everywhere(machines):
    session = await write(machines().create(machines.workspace), note("x" * 500_000))
    kept = await write(machines().create(machines.workspace), note("y"))
    machines("b").resume(session).close()
    machines("b").delete(session)
    if machines.kind != "local":
        assert [info.id for info in machines("c").list()] == [kept]
        with pytest.raises(UsageError, match="no session"):
            machines("c").find(session)
        machines("a").delete(session)
    assert [info.id for info in machines().list()] == [kept]
    assert texts(machines(), kept) == ["y"]


async def test_lines_are_the_same_bytes_everywhere(machines):
    session = await write(machines().create(machines.workspace), note("x"), note("y"))
    first, second = ([*machines(machine).lines(session)[1]] for machine in "ab")
    assert first == second
    assert [json.loads(line)["seq"] for line in first] == [1, 2]
