"""The guarded model over a scripted provider; test_models_wire.py drives the real one."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from botocore import exceptions as boto
from pydantic import BaseModel
from strands import Agent, tool
from strands.models import Model
from strands.types.exceptions import ContextWindowOverflowException, ModelThrottledException

from codeflow.core.errors import BadReplyError, BudgetExceededError, ModelAccessError, ModelError, UsageError
from codeflow.core.events import Event, ModelCalled, ModelRetried, TextDelta
from codeflow.core.values import CallEstimate, Usage
from codeflow.models.attempts import RetryPolicy
from codeflow.models.catalogue import Catalogue, ModelSpec
from codeflow.models.guarded import GuardedModel

CATALOGUE = Catalogue.load()
OPUS = CATALOGUE.require("global.anthropic.claude-opus-5-5")
HAIKU = CATALOGUE.require("us.anthropic.claude-haiku-5-5")
LLAMA = CATALOGUE.require("us.meta.llama3-3-70b-instruct-v1:0")
ASK: list[Any] = [{"role": "user", "content": [{"text": "Fix it, please."}]}]
TOOLS: list[Any] = [{"name": "read", "description": "Reads", "inputSchema": {"json": {"type": "object"}}}]

Event_ = dict[str, Any]
Script = list[Event_ | BaseException]


def text(content: str) -> Script:
    return [{"contentBlockDelta": {"delta": {"text": content}}}, {"contentBlockStop": {}}]


def call(arguments: str, name: str = "read") -> Script:
    return [
        {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t1", "name": name}}}},
        {"contentBlockDelta": {"delta": {"toolUse": {"input": arguments}}}},
        {"contentBlockStop": {}},
    ]


def thought(content: str) -> Script:
    reasoning = {"text": content}
    return [{"contentBlockDelta": {"delta": {"reasoningContent": reasoning}}}, {"contentBlockStop": {}}]


def reply(*parts: Script, stop: str = "end_turn", **metadata: Any) -> Script:
    usage = {"inputTokens": 1_000, "outputTokens": 100, "totalTokens": 1_100}
    return [
        {"messageStart": {"role": "assistant"}},
        *[event for part in parts for event in part],
        {"messageStop": {"stopReason": stop}},
        {"metadata": {"usage": usage, "metrics": {"latencyMs": 1}, **metadata}},
    ]


def refused(code: str, message: str = "", status: int = 400) -> boto.ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return boto.ClientError(response, "ConverseStream")


@dataclass
class Provider(Model):
    """Plays one script per attempt: exceptions in it are raised, "wait" never ends, "cancel" sets the signal."""

    scripts: list[Script]
    seen: list[dict[str, Any]] = field(default_factory=list)
    cancel: threading.Event = field(default_factory=threading.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    def update_config(self, **model_config: Any) -> None:
        raise NotImplementedError

    def get_config(self) -> Any:
        return {}

    def structured_output(
        self, output_model: Any, prompt: Any, system_prompt: Any = None, **kwargs: Any
    ) -> Any:
        raise NotImplementedError

    async def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        self.seen.append({"messages": messages, **kwargs})
        for event in self.scripts.pop(0):
            if isinstance(event, BaseException):
                raise event
            if event == {"wait": True}:
                self.waiting.set()
                await asyncio.Event().wait()
            if event == {"cancel": True}:
                self.cancel.set()
                continue
            yield event


@dataclass
class Connection:
    provider: Provider
    fresh: bool = False
    profile: str = "work"
    prepared_with: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)

    def prepared(self, *, max_tokens: int, metadata: Mapping[str, str], tools: bool) -> Model:
        self.prepared_with.append((max_tokens, metadata))
        return self.provider

    def renew(self) -> bool:
        return self.fresh


class Bench:
    """A guarded model over scripts, with everything it emitted."""

    def __init__(
        self,
        *scripts: Script,
        candidates: Sequence[ModelSpec] = (OPUS,),
        fresh: bool = False,
        max_attempts: int = 3,
        allowance: int = 1_000_000,
    ) -> None:
        self.events: list[Event] = []
        self.estimates: list[CallEstimate] = []
        self.slept: list[float] = []
        self.allowance = allowance
        self.provider = Provider(list(scripts))
        self.connection = Connection(self.provider, fresh)
        self.connected: list[str] = []
        self.model = GuardedModel(
            agent="coder",
            session_id="s1",
            candidates=candidates,
            catalogue=CATALOGUE,
            connect=self.connect,
            emit=self.events.append,
            admit=self.admit,
            retry=RetryPolicy(max_attempts=max_attempts, max_wait_s=8.0),
            sleep=self.sleep,
        )

    def connect(self, spec: ModelSpec) -> Connection:
        self.connected.append(spec.model_id)
        return self.connection

    def admit(self, estimate: CallEstimate) -> int:
        self.estimates.append(estimate)
        if self.allowance == 0:
            raise BudgetExceededError("too dear")
        return min(self.allowance, estimate.max_output_tokens)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def ask(self, messages: Any = ASK, **options: Any) -> list[Any]:
        return [event async for event in self.model.stream(messages, TOOLS, "Be brief.", **options)]

    @property
    def calls(self) -> list[ModelCalled]:
        return [event for event in self.events if isinstance(event, ModelCalled)]

    @property
    def outcomes(self) -> list[str]:
        return [str(called.outcome) for called in self.calls]

    @property
    def retries(self) -> list[ModelRetried]:
        return [event for event in self.events if isinstance(event, ModelRetried)]


GOOD = reply(text("Done."))


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


CUT = [{"messageStart": {"role": "assistant"}}, *text("Half an ans")]


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


async def test_the_budget_stops_a_call_before_it_is_made():
    bench = Bench(allowance=0)
    with pytest.raises(BudgetExceededError):
        await bench.ask()
    assert bench.events == []
    (estimate,) = bench.estimates
    assert estimate.input_price == Decimal("0.000005")
    assert estimate.prompt_tokens > 0


async def test_the_estimate_learns_from_what_the_last_prompt_really_was():
    bench = Bench(GOOD, GOOD)
    await bench.ask()
    await bench.ask()
    first, second = bench.estimates
    assert first.prompt_tokens < 100
    assert second.prompt_tokens == pytest.approx(1_000, abs=1)


async def test_a_cancelled_task_is_metered_and_stays_cancelled():
    bench = Bench([*CUT, {"wait": True}])
    task = asyncio.create_task(bench.ask())
    await bench.provider.waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (called,) = bench.calls
    assert (called.outcome, called.usage, called.cost) == ("cancelled", None, None)


async def test_the_cancel_signal_ends_the_stream_without_an_error():
    bench = Bench([*CUT, {"cancel": True}, *text("never seen")])
    assert await bench.ask(cancel_signal=bench.provider.cancel) == []
    assert bench.outcomes == ["cancelled"]


async def test_the_cancel_signal_ends_a_wait_for_the_next_attempt():
    bench = Bench([{"cancel": True}, refused("ThrottlingException", status=429)])
    assert await bench.ask(cancel_signal=bench.provider.cancel) == []
    assert bench.outcomes == ["throttled"]
    assert bench.slept == []


async def test_a_bug_is_metered_and_not_dressed_up_as_a_model_error():
    bench = Bench([KeyError("bug")])
    with pytest.raises(KeyError):
        await bench.ask()
    assert bench.outcomes == ["internal"]


async def test_a_missing_package_costs_nothing():
    bench = Bench()

    def connect(spec: ModelSpec) -> Connection:
        raise UsageError("not installed")

    bench.model._connect = connect
    with pytest.raises(UsageError):
        await bench.ask()
    assert (bench.calls[0].usage, bench.calls[0].cost) == (Usage(), Decimal(0))


async def test_reasoning_of_another_model_is_not_sent_and_the_history_is_untouched():
    history: list[Any] = [
        *ASK,
        {
            "role": "assistant",
            "content": [{"reasoningContent": {"reasoningText": {"text": "A"}}}, {"text": "a"}],
        },
        *ASK,
    ]
    bench = Bench([refused("AccessDeniedException", status=403)], GOOD, GOOD, candidates=(OPUS, HAIKU))
    await bench.ask(history)
    own = {
        "role": "assistant",
        "content": [{"reasoningContent": {"reasoningText": {"text": "B"}}}, {"text": "b"}],
    }
    await bench.ask([*history, own, *ASK])
    first, second, third = (seen["messages"] for seen in bench.provider.seen)
    assert first == history
    assert second[1]["content"] == [{"text": "a"}]
    assert third[1]["content"] == [{"text": "a"}]
    assert third[3] == own
    assert "reasoningContent" in history[1]["content"][0]


async def test_a_model_that_refuses_reasoning_never_gets_any():
    history: list[Any] = [
        *ASK,
        {"role": "assistant", "content": [{"reasoningContent": {}}, {"text": "a"}]},
        *ASK,
    ]
    bench = Bench(GOOD, candidates=(LLAMA,))
    await bench.ask(history)
    assert bench.provider.seen[0]["messages"][1]["content"] == [{"text": "a"}]


async def test_a_forced_tool_choice_is_dropped_for_models_that_refuse_it():
    forced: dict[str, Any] = {"any": {}}
    bench = Bench(GOOD, candidates=(OPUS,))
    await bench.ask(tool_choice=forced)
    assert bench.provider.seen[0]["tool_choice"] is None
    bench = Bench(GOOD, candidates=(HAIKU,))
    await bench.ask(tool_choice=forced)
    assert bench.provider.seen[0]["tool_choice"] == forced


async def test_the_echoed_tier_and_the_routed_model_decide_the_price():
    nova = CATALOGUE.require("us.amazon.nova-pro-v1:0")
    routed = {"promptRouter": {"invokedModelId": "us.amazon.nova-lite-v1:0"}}
    flex = {"type": "flex"}
    bench = Bench(
        reply(text("a"), serviceTier=flex),
        reply(text("a"), trace=routed),
        reply(text("a"), serviceTier={"type": "reserved"}),
        candidates=(nova,),
    )
    for _ in range(3):
        await bench.ask()
    assert [called.cost for called in bench.calls] == [Decimal("0.00056"), Decimal("0.000084"), None]
    assert bench.calls[1].invoked_model == "us.amazon.nova-lite-v1:0"


async def test_an_unknown_model_is_metered_without_a_price():
    bench = Bench(GOOD, candidates=(ModelSpec.unknown("acme.thinker"),))
    await bench.ask()
    assert bench.calls[0].usage is not None
    assert bench.calls[0].cost is None


async def test_hour_long_cache_writes_are_told_apart():
    usage = {
        "inputTokens": 1,
        "outputTokens": 1,
        "totalTokens": 2,
        "cacheReadInputTokens": 5,
        "cacheWriteInputTokens": 10,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 4}, {"ttl": "5m", "inputTokens": 6}],
    }
    bench = Bench(reply(text("a"), usage=usage))
    await bench.ask()
    assert bench.calls[0].usage == Usage(
        input_tokens=1, output_tokens=1, cache_read_tokens=5, cache_write_tokens=6, cache_write_1h_tokens=4
    )


class Verdict(BaseModel):
    """A verdict."""

    good: bool


async def test_structured_output_is_the_input_of_the_tool_that_the_model_called():
    bench = Bench(reply(call('{"good": true}', "Verdict"), stop="tool_use"))
    outputs = [event async for event in bench.model.structured_output(Verdict, ASK)]
    assert outputs == [{"output": Verdict(good=True)}]


@pytest.mark.parametrize(
    "script", [reply(text("good")), reply(call('{"good": "perhaps"}', "Verdict"), stop="tool_use")]
)
async def test_structured_output_in_another_form_is_an_error(script):
    bench = Bench(script)
    with pytest.raises(BadReplyError):
        _ = [event async for event in bench.model.structured_output(Verdict, ASK)]


async def test_an_agent_runs_a_tool_once_although_its_call_arrived_broken_first():
    read: list[str] = []

    @tool
    def read_file(path: str = "default") -> str:
        """Reads a file.

        Args:
            path: The file.
        """
        read.append(path)
        return "content"

    bench = Bench(
        reply(text("Reading."), call('{"path": "a', "read_file"), stop="max_tokens"),
        reply(call('{"path": "a.py"}', "read_file"), stop="tool_use"),
        GOOD,
    )
    agent = Agent(model=bench.model, tools=[read_file], callback_handler=None)
    result = await agent.invoke_async("Fix it.")
    assert read == ["a.py"]
    assert str(result).strip() == "Done."
    assert "Reading." not in str(agent.messages)
    assert bench.outcomes == ["truncated", "ok", "ok"]
    assert [called.step for called in bench.calls] == [1, 1, 2]
