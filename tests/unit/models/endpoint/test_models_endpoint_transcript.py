from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.errors import UsageError
from codeflow.core.values import Complexity, Mode, Pattern
from codeflow.models.endpoint import Transcript, dump, load, parse
from codeflow.models.endpoint.schema import error_statuses, stop_reasons, stream_errors
from codeflow.models.endpoint.transcript import (
    Call,
    Cut,
    Options,
    Reply,
    ReplyUsage,
    ServiceError,
    Stop,
    StreamError,
    Truncate,
)

WHOLE = """\
codeflow_transcript: 1
task: make the failing test pass
options:
  pattern: single
  complexity: SIMPLE
  mode: edit
  roster: current
base: 4b825dc
denied_models:
  - amazon.nova-pro-v1:0
replies:
  - agent: coder
    step: 1
    say: |-
      First line,
      second line.
    think: hmm
    call:
      - read_file:
          path: src/x.py
      - list_files: {}
    stop: tool_use
    usage:
      input: 1200
      output: 40
    latency_ms: 5
    pace_ms: 1
    faults:
      - error: ThrottlingException
        message: slow down
        latency_ms: 3
      - stream_error: modelStreamErrorException
        after: 1
      - cut: 3
      - truncate: 10
      - truncate: 4
        stop: end_turn
      - stop: malformed_tool_use
"""


def test_every_field_is_read():
    (reply,) = parse(WHOLE).replies
    assert reply == Reply(
        agent="coder",
        step=1,
        say="First line,\nsecond line.",
        think="hmm",
        call=(Call("read_file", {"path": "src/x.py"}), Call("list_files", {})),
        stop="tool_use",
        usage=ReplyUsage(input=1200, output=40),
        latency_ms=5,
        pace_ms=1,
        faults=(
            ServiceError("ThrottlingException", "slow down", 3),
            StreamError("modelStreamErrorException", 1),
            Cut(3),
            Truncate(10),
            Truncate(4, "end_turn"),
            Stop("malformed_tool_use"),
        ),
    )
    assert parse(WHOLE).options == Options(
        pattern=Pattern.SINGLE, complexity=Complexity.SIMPLE, mode=Mode.EDIT, roster="current"
    )


def test_a_transcript_is_written_as_a_person_would_write_it():
    assert dump(parse(WHOLE)) == WHOLE


HEAD = "codeflow_transcript: 1\ntask: t\n"
REPLY = HEAD + "replies:\n  - agent: a\n    "


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not a transcript"),
        ("- 1", "not a transcript"),
        ("task: t", "not a transcript"),
        ("codeflow_transcript: 2\ntask: t\nreplies: []", "codeflow_transcript: Input should be 1"),
        ("a: [", "t.yaml:1: not valid YAML"),
        ("a: 1\nb: \x00", "t.yaml: not valid YAML"),
        ("a: !!python/object:os.system {}", "t.yaml:1: not valid YAML"),
        (HEAD + "task: u", "t.yaml:1: not valid YAML: the same key twice"),
        ("codeflow_transcript: 1\nreplies: []", "task: Field required"),
        (HEAD, "replies: Field required"),
        (HEAD + "replies: []\nreplys: []", "replys: unknown key"),
        (HEAD + "options: {patern: x}\nreplies: []", "options.patern: unknown key"),
        (HEAD + "options: {mode: yolo}\nreplies: []", "options.mode: Input should be 'plan'"),
        (HEAD + "replies:\n  - say: hi", "replies[0].agent: Field required"),
        (REPLY + "says: hi", "replies[0].says: unknown key"),
        (REPLY + "say: 5", "replies[0].say: Input should be a valid string"),
        (REPLY + "step: 0", "replies[0].step: Input should be greater than or equal to 1"),
        (REPLY + "stop: tired", "replies[0].stop: unknown stop reason 'tired'; known are content_filtered"),
        (REPLY + "call: [read_file]", "replies[0].call[0]: a call is one tool name with its input"),
        (REPLY + "call: [{a: {}, b: {}}]", "replies[0].call[0]: a call is one tool name with its input"),
        (REPLY + "call: [{read file: {}}]", "replies[0].call[0].name: not a tool name"),
        (REPLY + "call: [{look: [1]}]", "replies[0].call[0].input: Input should be a valid dictionary"),
        (
            REPLY + "call: [{look: {day: 2024-01-01}}]",
            "replies[0].call[0].input.day: input was not a valid JSON",
        ),
        (REPLY + "usage: {input: -1}", "replies[0].usage.input: Input should be greater than or equal to 0"),
        (REPLY + "faults: [{}]", "replies[0].faults[0]: a fault needs one of the keys error, stream_error"),
        (REPLY + "faults: [cut]", "replies[0].faults[0]: a fault needs one of the keys"),
        (
            REPLY + "faults: [{error: Oops}]",
            "replies[0].faults[0].error: unknown error 'Oops'; known are Access",
        ),
        (REPLY + "faults: [{cut: 1, error: ThrottlingException}]", "replies[0].faults[0].cut: unknown key"),
        (REPLY + "faults: [{stream_error: x}]", "replies[0].faults[0].stream_error: unknown stream error"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_file_and_place(text: str, complaint: str):
    with pytest.raises(UsageError) as caught:
        parse(text, name="t.yaml")
    message = str(caught.value)
    assert message.startswith("t.yaml")
    assert complaint in message
    assert "\n" not in message
    assert caught.value.hint


def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path):
    with pytest.raises(UsageError, match=r"gone\.yaml: cannot be read: No such file"):
        load(tmp_path / "gone.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"binary\.yaml: not UTF-8"):
        load(binary)
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        load(tmp_path)


prose = st.text(st.characters(), max_size=40) | st.text("ab \n\t\r\x85\u2028\ufeff:#-|'\"{[", max_size=40)
counts = st.integers(0, 10**6)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | prose,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(prose, inner, max_size=3),
    max_leaves=8,
)
stops = st.sampled_from(sorted(stop_reasons()))
faults = st.one_of(
    st.builds(ServiceError, st.sampled_from(sorted(error_statuses())), prose, counts),
    st.builds(StreamError, st.sampled_from(sorted(stream_errors())), counts, prose),
    st.builds(Cut, counts),
    st.builds(Truncate, counts, stops),
    st.builds(Stop, stops),
)
replies = st.builds(
    Reply,
    agent=prose,
    step=st.none() | st.integers(1, 99),
    say=prose,
    think=prose,
    call=st.lists(st.builds(Call, names, st.dictionaries(prose, json_values, max_size=3)), max_size=2).map(
        tuple
    ),
    stop=st.none() | stops,
    usage=st.none() | st.builds(ReplyUsage, input=counts, output=counts, cache_write_1h=counts),
    latency_ms=counts,
    faults=st.lists(faults, max_size=3).map(tuple),
)
transcripts = st.builds(
    Transcript,
    task=prose,
    options=st.builds(Options, mode=st.none() | st.sampled_from(Mode), roster=st.none() | prose),
    base=st.none() | prose,
    denied_models=st.lists(prose, max_size=2).map(tuple),
    replies=st.lists(replies, max_size=2).map(tuple),
)


@given(transcripts)
def test_what_is_written_reads_back_the_same(transcript: Transcript):
    assert parse(dump(transcript)) == transcript
