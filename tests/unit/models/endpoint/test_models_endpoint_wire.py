import json
from typing import Any

from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from codeflow.models.endpoint.wire import event_frame, exception_frame

names = st.text("abcdefghijklmnopqrstuvwxyzABC", min_size=1, max_size=40)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
payloads = st.dictionaries(st.text(), json_values, max_size=4)


def decoded(data: bytes) -> list[Any]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [message.to_response_dict() for message in buffer]


@given(names, payloads)
def test_botocore_decodes_an_event_frame_to_what_was_encoded(name: str, payload: dict[str, Any]):
    (message,) = decoded(event_frame(name, payload))
    assert message["headers"][":event-type"] == name
    assert message["headers"][":message-type"] == "event"
    assert json.loads(message["body"]) == payload


@given(st.lists(st.tuples(names, payloads), max_size=5))
def test_frames_that_follow_each_other_keep_their_bounds(events: list[tuple[str, dict[str, Any]]]):
    messages = decoded(b"".join(event_frame(name, payload) for name, payload in events))
    assert [message["headers"][":event-type"] for message in messages] == [name for name, _ in events]


def test_an_exception_frame_is_an_error_to_botocore():
    (message,) = decoded(exception_frame("throttlingException", {"message": "slow down"}))
    assert message["status_code"] == 400
    assert message["headers"][":exception-type"] == "throttlingException"
