from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.codec import from_json, to_json
from codeflow.core.events import Event, ModelCalled, Notice, RunStarted
from codeflow.core.values import EXIT_CODES, Mode, Spend, Status, Usage

costs = st.none() | st.decimals(min_value=0, max_value=1000, places=9, allow_nan=False)


@given(st.lists(costs))
def test_a_sum_is_unknown_as_soon_as_one_part_is(parts):
    spend = Spend()
    for part in parts:
        spend = spend.add(part)
    known = [part for part in parts if part is not None]
    assert spend.known == sum(known, Decimal(0))
    assert spend.unpriced_calls == len(parts) - len(known)
    assert (spend.total is None) == (None in parts)


def test_every_status_has_an_exit_code_and_only_done_is_zero():
    assert set(EXIT_CODES) == set(Status)
    assert [status for status, code in EXIT_CODES.items() if code == 0] == [Status.DONE]


texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts, st.builds(Usage, input_tokens=st.integers(0), output_tokens=st.integers(0)) | st.none(), costs)
def test_events_survive_json(text, usage, cost):
    events: list[Event] = [
        Notice(level="warning", text=text),
        RunStarted(session_id=text, task=text, workspace=text, mode=Mode.ASK, roster=text, version=text),
        ModelCalled(
            agent=text,
            step=1,
            attempt=2,
            model="m",
            invoked_model="m",
            usage=usage,
            cost=cost,
            duration_s=0.5,
            first_token_s=None,
            outcome="ok",
            reply=({"text": text},),
        ),
    ]
    assert [from_json(to_json(event)) for event in events] == events
