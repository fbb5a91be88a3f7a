from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.values import Usage
from codeflow.models.endpoint.cache import PromptCache, estimated_tokens

LONG = "x" * 8000
"""About 2000 tokens."""
POINT = {"cachePoint": {"type": "default"}}
HOUR = {"cachePoint": {"type": "default", "ttl": "1h"}}


def request(*turns: str, system: str = LONG, cache: Any = POINT) -> dict[str, Any]:
    roles = ("user", "assistant")
    messages: list[dict[str, Any]] = [
        {"role": roles[n % 2], "content": [{"text": turn}]} for n, turn in enumerate(turns)
    ]
    messages[-1]["content"].append(POINT)
    return {"system": [{"text": system}, cache], "messages": messages}


def test_the_first_call_writes_and_the_same_call_again_reads():
    cache = PromptCache()
    first = cache.bill("m", request("hi"), min_tokens=1024)
    again = cache.bill("m", request("hi"), min_tokens=1024)
    assert first.cache_read_tokens == 0
    assert first.cache_write_tokens == first.prompt_tokens > 2000
    assert again == Usage(cache_read_tokens=first.cache_write_tokens)


def test_a_moving_tail_point_reads_what_the_call_before_wrote():
    cache = PromptCache()
    first = cache.bill("m", request("hi"), min_tokens=1024)
    second = cache.bill("m", request("hi", "hello", LONG), min_tokens=1024)
    assert second.cache_read_tokens == first.cache_write_tokens
    assert second.cache_write_tokens > 2000
    assert second.input_tokens == 0


def test_what_follows_the_last_point_is_plain_input():
    body = {"system": [{"text": LONG}, POINT], "messages": [{"role": "user", "content": [{"text": LONG}]}]}
    usage = PromptCache().bill("m", body, min_tokens=1024)
    assert (usage.cache_write_tokens, usage.input_tokens) == (2003, 2007)


def test_a_change_before_the_point_is_a_cold_write():
    cache = PromptCache()
    cache.bill("m", request("hi"), min_tokens=1024)
    changed = cache.bill("m", request("hi", system="y" + LONG), min_tokens=1024)
    assert changed.cache_read_tokens == 0


def test_another_model_starts_cold():
    cache = PromptCache()
    cache.bill("m", request("hi"), min_tokens=1024)
    assert cache.bill("n", request("hi"), min_tokens=1024).cache_read_tokens == 0


def test_a_prefix_below_the_minimum_is_silently_not_cached():
    cache = PromptCache()
    for _ in range(2):
        usage = cache.bill("m", request("hi", system="short"), min_tokens=1024)
        assert usage == Usage(input_tokens=usage.prompt_tokens)


def test_writes_are_split_by_the_ttl_of_their_points():
    usage = PromptCache().bill("m", request(LONG, cache=HOUR), min_tokens=1024)
    assert usage.cache_write_1h_tokens == 2003
    assert usage.cache_write_tokens == 2007


@given(st.lists(st.text(max_size=5000), min_size=1, max_size=4), st.integers(1, 3))
def test_every_token_of_the_prompt_is_billed_exactly_once(turns: list[str], calls: int):
    cache = PromptCache()
    for _ in range(calls):
        usage = cache.bill("m", request(*turns), min_tokens=1024)
        assert usage.prompt_tokens == estimated_tokens(request(*turns))
        assert min(usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens) >= 0
