from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.errors import SessionError
from codeflow.core.events import Event, Notice, RunFinished, RunStarted
from codeflow.core.values import Status
from codeflow.sessions.log import SessionStore
from codeflow.sessions.records import Chain, decode, encode, salvage, whole_lines
from codeflow.sessions.summary import summarize

VERSION_1 = Path(__file__).parent / "data" / "20261121-122306-gw22.jsonl"
"""The log of `codeflow demo` as the first released version wrote it."""


def log_of(*texts: str) -> list[bytes]:
    chain, lines = Chain(), []
    for text in texts:
        lines.append(encode(Notice(level="info", text=text), chain))
        chain.extend(lines[-1])
    return lines


def read(lines: list[bytes]) -> list[Event]:
    return [decode(line, place) for place, line in whole_lines(lines, "log")]


def texts(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def test_a_log_of_version_1_loads_and_goes_on(tmp_path):
    folder = tmp_path / "anywhere"
    folder.mkdir()
    (folder / VERSION_1.name).write_bytes(VERSION_1.read_bytes())
    store = SessionStore(tmp_path)
    log = store.resume(VERSION_1.stem)
    log(Notice(level="info", text="by this version"))
    log.close()
    events = list(store.events(VERSION_1.stem))
    assert len(events) == 31
    assert isinstance(events[0], RunStarted)
    assert events[0].task == "make the failing test pass"
    assert isinstance(events[-2], RunFinished)
    assert events[-2].result.status is Status.DONE
    assert events[-1] == Notice(level="info", text="by this version")
    (info,) = store.list()
    assert (info.status, str(info.cost), info.files_changed, info.problem) == ("done", "0.000547935", 1, None)


def test_a_line_of_this_version_protects_the_lines_of_version_1_before_it():
    old = VERSION_1.read_bytes().splitlines(keepends=True)
    chain = Chain()
    for line in old:
        chain.extend(line)
    new = encode(Notice(level="info", text="x"), chain)
    old[1] = old[1].replace(b"SIMPLE", b"MEDIUM")
    with pytest.raises(SessionError, match=rf"log:{len(old) + 1}: damaged line \(wrong checksum\)"):
        read([*old, new])


@given(data=st.data(), words=st.lists(st.text(max_size=20), min_size=2, max_size=5))
def test_a_changed_byte_anywhere_is_found_and_costs_no_other_line(data, words):
    lines = log_of(*words)
    index = data.draw(st.integers(0, len(lines) - 2))  # the last line of all may be torn
    place = data.draw(st.integers(0, len(lines[index]) - 2))  # a line feed joins or cuts lines
    other = data.draw(st.integers(1, 255))
    damaged = bytearray(lines[index])
    damaged[place] ^= other
    if damaged.count(b"\n") != 1:
        return
    lines[index] = bytes(damaged)
    tally = summarize(lines, "log")
    assert (tally.problem or "").startswith(f"log:{index + 1}: ")
    assert tally.chain.count == index
    clean = [text.encode(errors="replace").decode() for text in words]
    saved = salvage(lines)
    assert saved.lost in (
        (index + 1,),
        (),
    )  # a checksum's own digit: the event is whole, and the next line proves it
    assert texts(read(list(saved.lines))) == [text for n, text in enumerate(clean, 1) if n not in saved.lost]


def test_lines_that_are_missing_swapped_or_twice_are_found():
    one, two, three = log_of("1", "2", "3")
    for lines in ([one, three], [one, three, two], [one, one, two], [two, three]):
        with pytest.raises(SessionError, match="damaged line"):
            read(lines)


def test_an_event_that_a_newer_codeflow_wrote_is_not_called_damaged():
    (line,) = log_of("x")
    body = line.partition(b',"sum"')[0].replace(b'"kind":"notice"', b'"kind":"tomorrow"')
    from codeflow.sessions.records import checksum

    newer = b'%s,"sum":"%s"}\n' % (body, checksum("", body).encode())
    with pytest.raises(SessionError, match="log:1: written by another version"):
        read([newer])
