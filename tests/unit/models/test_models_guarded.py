"""What the guarded model makes of good, bad and failing answers."""

from decimal import Decimal

import pytest
from botocore import exceptions as boto
from strands.types.exceptions import ContextWindowOverflowException, ModelThrottledException
from tests.unit.models.guarded_bench import (
    CUT,
    GOOD,
    HAIKU,
    LLAMA,
    OPUS,
    Bench,
    Script,
    call,
    refused,
    reply,
    text,
    thought,
)

from codeflow.core.errors import BadReplyError, ModelAccessError, ModelError
from codeflow.core.events import TextDelta
from codeflow.core.values import Usage


async def test_a_good_answer_passes_unchanged_and_is_metered_and_priced():
    bench = Bench(GOOD)
    assert await bench.ask() == GOOD
    (called,) = bench.calls
    assert (called.agent, called.step, called.attempt, called.outcome) == ("coder", 1, 1, "ok")
    assert called.usage == Usage(input_tokens=1_000, output_tokens=100)
    assert called.cost == Decimal("0.006")
    assert called.reply == ({"text": "Done."},)
    assert [event.text for event in bench.events if isinstance(event, TextDelta)] == ["Done."]


async def test_the_provider_learns_who_asks_and_how_much_it_may_say():
    bench = Bench(reply(text("a")), reply(text("b")), allowance=700)
    await bench.ask()
    await bench.ask()
    assert bench.connection.prepared_with[1] == (
        700,
        {"agent": "coder", "session": "s1", "step": "2", "attempt": "1"},
    )


TRANSIENT = [
    ("throttled", refused("ThrottlingException", "Too many tokens, please wait", 429)),
    ("throttled", ModelThrottledException("wait")),
    ("unavailable", refused("ServiceUnavailableException", status=503)),
    ("timeout", refused("ModelTimeoutException", status=408)),
    ("model_error", refused("ModelErrorException", status=424)),
    ("quota", refused("ServiceQuotaExceededException")),
    ("unavailable", boto.EndpointConnectionError(endpoint_url="x")),
]


@pytest.mark.parametrize(("outcome", "error"), TRANSIENT)
async def test_a_refused_call_costs_nothing_and_is_tried_again(outcome, error):
    bench = Bench([error], GOOD)
    assert await bench.ask() == GOOD
    assert bench.outcomes == [outcome, "ok"]
    assert (bench.calls[0].usage, bench.calls[0].cost) == (Usage(), Decimal(0))
    assert [called.attempt for called in bench.calls] == [1, 2]
    assert bench.retries[0].delay_s <= 2.0
    assert sum(bench.slept) == pytest.approx(bench.retries[0].delay_s)


@pytest.mark.parametrize(
    ("outcome", "script"),
    [
        ("stream_cut", CUT),
        ("stream_cut", [*CUT, boto.ResponseStreamingError(error="reset")]),
        ("stream_cut", [*CUT, boto.EventStreamError({"Error": {"Code": "modelStreamErrorException"}}, "x")]),
        ("timeout", [*CUT, boto.ReadTimeoutError(endpoint_url="x")]),
    ],
)
async def test_a_cut_answer_is_thrown_away_and_its_cost_stays_unknown(outcome, script):
    bench = Bench(script, GOOD)
    assert await bench.ask() == GOOD
    assert bench.outcomes == [outcome, "ok"]
    assert (bench.calls[0].usage, bench.calls[0].cost, bench.calls[0].reply) == (None, None, ())


@pytest.mark.parametrize(
    ("outcome", "script"),
    [
        ("malformed", reply(text("x"), stop="malformed_tool_use")),
        ("malformed", reply(text("x"), stop="malformed_model_output")),
        ("malformed", reply(text("x"), stop="a_new_reason")),
        ("malformed", reply(call('{"path": '), stop="tool_use")),
        ("malformed", reply(call("[1]"), stop="tool_use")),
        ("malformed", reply(text("I will"), stop="tool_use")),
        ("malformed", reply(text("  \n"))),
        ("malformed", reply(thought("hm"))),
        ("malformed", reply()),
        ("truncated", reply(call('{"path": "a'), stop="max_tokens")),
        ("truncated", reply(call(""), stop="max_tokens")),
        ("truncated", reply(thought("hm"), stop="max_tokens")),
    ],
)
async def test_an_unusable_answer_is_paid_for_but_tried_once_more(outcome, script):
    bench = Bench(script, GOOD)
    assert await bench.ask() == GOOD
    assert bench.outcomes == [outcome, "ok"]
    assert bench.calls[0].cost == Decimal("0.006")


@pytest.mark.parametrize(
    "script",
    [
        reply(text("long story"), stop="max_tokens"),
        reply(call('{"path": "a"}'), stop="end_turn"),
        reply(call(""), stop="tool_use"),
        reply(text("no"), stop="content_filtered"),
    ],
)
async def test_answers_that_strands_can_use_are_passed_on(script):
    bench = Bench(script)
    assert await bench.ask() == script
    assert bench.outcomes == ["ok"]


async def test_a_single_attempt_means_one_even_for_malformed_answers():
    bench = Bench(reply(text("x"), stop="malformed_tool_use"), GOOD, candidates=(OPUS, HAIKU), max_attempts=1)
    await bench.ask()
    assert [called.model for called in bench.calls] == [OPUS.model_id, HAIKU.model_id]


async def test_two_malformed_answers_end_with_one_error_and_no_third_call():
    bad = reply(text("x"), stop="malformed_tool_use")
    bench = Bench(bad, bad)
    with pytest.raises(BadReplyError, match="malformed_tool_use"):
        await bench.ask()
    assert bench.outcomes == ["malformed", "malformed"]


async def test_a_truncated_call_is_asked_again_with_the_models_full_output():
    bench = Bench(reply(call("{"), stop="max_tokens"), GOOD)
    await bench.ask()
    assert [asked for asked, _ in bench.connection.prepared_with] == [16_000, 128_000]


async def test_throttling_out_moves_to_the_next_model_and_stays_there():
    slow = refused("ThrottlingException", status=429)
    bench = Bench([slow], [slow], GOOD, GOOD, candidates=(OPUS, HAIKU), max_attempts=2)
    await bench.ask()
    await bench.ask()
    assert [called.model for called in bench.calls] == [OPUS.model_id] * 2 + [HAIKU.model_id] * 2
    assert bench.connected == [OPUS.model_id, HAIKU.model_id]
    assert [(retry.model, retry.next_model) for retry in bench.retries] == [
        (OPUS.model_id, OPUS.model_id),
        (OPUS.model_id, HAIKU.model_id),
    ]
    assert bench.retries[1].delay_s == 0
    assert bench.model.model_id == HAIKU.model_id
    assert bench.model.context_window_limit == HAIKU.context


async def test_throttled_out_everywhere_is_temporary_and_counts_every_attempt():
    slow = refused("ThrottlingException", "wait", 429)
    script: Script = [slow]
    bench = Bench(*[script] * 6, candidates=(OPUS, HAIKU))
    with pytest.raises(ModelError, match="wait") as ended:
        await bench.ask()
    assert ended.value.exit_code == 75
    assert len(bench.calls) == 6
    assert isinstance(ended.value.__cause__, boto.ClientError)


async def test_a_model_without_access_is_skipped_at_once():
    denied = refused("AccessDeniedException", "no access to the model", 403)
    bench = Bench([denied], GOOD, candidates=(OPUS, HAIKU))
    assert await bench.ask() == GOOD
    assert bench.outcomes == ["access", "ok"]


async def test_expired_credentials_end_at_once_with_the_cure():
    bench = Bench([refused("ExpiredTokenException", "expired", 403)], candidates=(OPUS, HAIKU))
    with pytest.raises(ModelAccessError) as ended:
        await bench.ask()
    assert ended.value.exit_code == 77
    assert "aws sso login --profile work" in ended.value.hint
    assert bench.outcomes == ["credentials"]
    assert bench.slept == []


async def test_renewed_credentials_are_used_at_once_but_only_one_time():
    expired = refused("ExpiredTokenException", "expired", 403)
    bench = Bench([expired], GOOD, [expired], [expired], fresh=True)
    assert await bench.ask() == GOOD
    with pytest.raises(ModelAccessError):
        await bench.ask()
    assert bench.outcomes == ["credentials", "ok", "credentials", "credentials"]
    assert bench.slept == []


async def test_an_invalid_request_is_not_repeated():
    bench = Bench([refused("ValidationException", "wrong")], candidates=(OPUS, HAIKU))
    with pytest.raises(ModelError) as ended:
        await bench.ask()
    assert ended.value.exit_code == 1
    assert bench.outcomes == ["validation"]


async def test_an_unsupported_request_goes_to_the_next_model():
    unsupported = refused("ValidationException", "This model doesn't support tool use in streaming mode.")
    bench = Bench([unsupported], GOOD, candidates=(LLAMA, HAIKU))
    assert await bench.ask() == GOOD


@pytest.mark.parametrize(
    "script",
    [
        [refused("ValidationException", "Input is too long for requested model.")],
        reply(text("x"), stop="model_context_window_exceeded"),
    ],
)
async def test_an_overflow_is_left_to_strands_which_shortens_the_conversation(script):
    bench = Bench(script, candidates=(OPUS, HAIKU))
    with pytest.raises(ContextWindowOverflowException):
        await bench.ask()
    assert bench.outcomes == ["overflow"]
