"""The terms of a guarded call: budget, cancellation, reasoning, price, form."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel
from strands import Agent, tool
from tests.unit.models.guarded_bench import (
    ASK,
    CATALOGUE,
    CUT,
    GOOD,
    HAIKU,
    LLAMA,
    OPUS,
    Bench,
    Connection,
    call,
    refused,
    reply,
    text,
)

from codeflow.core.errors import BadReplyError, BudgetExceededError, UsageError
from codeflow.core.values import Usage
from codeflow.models.catalogue import ModelSpec


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
