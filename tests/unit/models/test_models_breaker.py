"""Circuits as values, and agents that share them, on a clock that only the test moves."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit import virtual_time
from tests.unit.models.guarded_bench import CUT, GOOD, HAIKU, OPUS, Bench, Script, fault_policy, refused

from codeflow.core.errors import ModelError
from codeflow.core.events import BreakerChanged, ModelRetried
from codeflow.core.reliability import BreakerPolicy
from codeflow.models.breaker import (
    COUNTED,
    Breakers,
    Circuit,
    after_admission,
    after_failure,
    after_no_verdict,
    wait_s,
)
from codeflow.models.faults import Outcome, fault

POLICY = BreakerPolicy(threshold=3, cool_down_s=30)
KEY = ("m", "")


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def quiet(*_change: object) -> None:
    pass


def failing(circuit: Circuit, times: int, now: float = 0.0) -> Circuit:
    for _ in range(times):
        circuit = after_failure(circuit, now, POLICY)
    return circuit


def test_a_circuit_opens_at_the_threshold_and_lets_one_probe_through_after_the_cool_down():
    assert failing(Circuit(), 2).state == "closed"
    circuit = failing(Circuit(), 3, now=10)
    assert (circuit.state, wait_s(circuit, 10, POLICY), wait_s(circuit, 39, POLICY)) == ("open", 30, 1)
    assert wait_s(circuit, 40, POLICY) == 0
    probing = after_admission(circuit)
    assert (probing.state, wait_s(probing, 1_000, POLICY)) == ("half_open", None)
    assert wait_s(after_failure(probing, 50, POLICY), 50, POLICY) == 30
    assert wait_s(after_no_verdict(probing), 50, POLICY) == 0


@given(st.lists(st.sampled_from(["fail", "succeed", "other"]), max_size=40), st.floats(0, 100))
def test_the_number_of_failures_in_a_row_decides_whatever_came_before(calls, pause):
    clock = Clock()
    breakers = Breakers(POLICY, clock)
    in_a_row = 0
    for call in calls:
        clock.now += pause
        wait = breakers.wait_s(KEY)
        assert wait is not None
        assert (wait > 0) <= (in_a_row >= POLICY.threshold)
        if wait:
            continue
        breakers.admit(KEY, quiet)
        outcome = {"fail": Outcome.THROTTLED, "other": Outcome.VALIDATION}.get(call)
        breakers.settle(KEY, fault(outcome, "x") if outcome else None, quiet)
        in_a_row = {"fail": in_a_row + 1, "succeed": 0}.get(call, in_a_row)


def test_regions_and_models_have_circuits_of_their_own():
    breakers = Breakers(BreakerPolicy(threshold=1, cool_down_s=30), Clock())
    breakers.admit(("m", "eu-west-1"), quiet)
    breakers.settle(("m", "eu-west-1"), fault(Outcome.UNAVAILABLE, "x"), quiet)
    waits = [breakers.wait_s(key) for key in (("m", "eu-west-1"), ("m", ""), ("other", "eu-west-1"))]
    assert waits == [30, 0, 0]


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - COUNTED - {Outcome.OK}))
def test_what_says_nothing_about_the_service_does_not_open_a_circuit(outcome):
    breakers = Breakers(BreakerPolicy(threshold=1, cool_down_s=30), Clock())
    breakers.admit(KEY, quiet)
    breakers.settle(KEY, fault(outcome, "x"), quiet)
    assert breakers.wait_s(KEY) == 0


SLOW: Script = [refused("ThrottlingException", status=429)]


async def test_an_open_circuit_is_passed_over_without_a_call_by_every_agent_of_the_run():
    breakers = Breakers(BreakerPolicy(threshold=2, cool_down_s=30), Clock())
    first = Bench(SLOW, SLOW, GOOD, candidates=(OPUS, HAIKU), breakers=breakers, max_attempts=5)
    await first.ask()
    second = Bench(GOOD, candidates=(OPUS, HAIKU), breakers=breakers)
    await second.ask()
    assert [called.model for called in first.calls] == [OPUS.model_id] * 2 + [HAIKU.model_id]
    assert [called.model for called in second.calls] == [HAIKU.model_id]
    assert [(e.state, e.region) for e in first.events if isinstance(e, BreakerChanged)] == [
        ("open", "us-east-1")
    ]
    (passed,) = [event for event in second.events if isinstance(event, ModelRetried)]
    assert (passed.model, passed.next_model, passed.delay_s) == (OPUS.model_id, HAIKU.model_id, 0)


def test_without_another_model_the_agent_waits_for_the_cool_down_and_probes():
    async def scene() -> tuple[Bench, float]:
        loop = asyncio.get_running_loop()
        breakers = Breakers(POLICY, loop.time)
        bench = Bench(
            SLOW, SLOW, SLOW, GOOD, breakers=breakers, policy=fault_policy(max_attempts=9, max_wait_s=30)
        )
        bench.model._sleep = asyncio.sleep
        await bench.ask()
        return bench, loop.time()

    bench, elapsed = virtual_time.run(scene())
    assert bench.outcomes == ["throttled"] * 3 + ["ok"]
    assert elapsed >= POLICY.cool_down_s
    states = [event.state for event in bench.events if isinstance(event, BreakerChanged)]
    assert states == ["open", "half_open", "closed"]


def test_without_another_model_nobody_waits_longer_than_a_retry_may():
    async def scene() -> tuple[Bench, float]:
        loop = asyncio.get_running_loop()
        policy = fault_policy(max_attempts=9, max_wait_s=POLICY.cool_down_s / 2)
        bench = Bench(SLOW, SLOW, SLOW, GOOD, breakers=Breakers(POLICY, loop.time), policy=policy)
        bench.model._sleep = asyncio.sleep
        with pytest.raises(ModelError, match=r"left alone for \d+ s, longer than faults\.max_wait_s"):
            await bench.ask()
        return bench, loop.time()

    bench, elapsed = virtual_time.run(scene())
    assert bench.outcomes == ["throttled"] * 3
    assert elapsed < POLICY.cool_down_s


def test_one_agent_probes_while_the_others_wait_for_what_it_finds():
    async def scene() -> list[Bench]:
        breakers = Breakers(BreakerPolicy(threshold=1, cool_down_s=5), asyncio.get_running_loop().time)
        opener = Bench(SLOW, breakers=breakers, max_attempts=1)
        with pytest.raises(ModelError):
            await opener.ask()
        waiting = [Bench(GOOD, breakers=breakers), Bench(GOOD, breakers=breakers)]
        for bench in waiting:
            bench.model._sleep = asyncio.sleep
        await asyncio.gather(*(bench.ask() for bench in waiting))
        return waiting

    benches = virtual_time.run(scene())
    assert [bench.outcomes for bench in benches] == [["ok"], ["ok"]]
    changes = [
        event.state for bench in benches for event in bench.events if isinstance(event, BreakerChanged)
    ]
    assert changes == ["half_open", "closed"]


HANG: Script = [{"wait": True}]


@pytest.mark.parametrize(
    ("limits", "script", "said", "after_s"),
    [
        ({"first_token_timeout_s": 20}, HANG, "no token within 20 s", 20),
        ({"first_token_timeout_s": 20, "call_timeout_s": 60}, [*CUT, *HANG], "not finished within 60 s", 60),
        ({"call_timeout_s": 60}, HANG, "not finished within 60 s", 60),
        ({"first_token_timeout_s": 90, "call_timeout_s": 60}, HANG, "not finished within 60 s", 60),
    ],
)
def test_a_try_that_takes_too_long_is_given_up_counted_as_unknown_and_repeated(limits, script, said, after_s):
    async def scene() -> tuple[Bench, float]:
        bench = Bench(script, GOOD, policy=fault_policy(**limits))
        await bench.ask()
        return bench, asyncio.get_running_loop().time()

    bench, elapsed = virtual_time.run(scene())
    assert bench.outcomes == ["timeout", "ok"]
    assert said in bench.calls[0].detail
    assert (bench.calls[0].usage, bench.calls[0].cost) == (None, None)
    assert elapsed == after_s


def test_a_long_answer_that_keeps_coming_is_not_stopped_by_the_limit_on_the_first_token():
    async def scene() -> Bench:
        bench = Bench([*CUT, {"pause": 500}, *GOOD[1:]], policy=fault_policy(first_token_timeout_s=20))
        await bench.ask()
        return bench

    assert virtual_time.run(scene()).outcomes == ["ok"]


async def test_what_an_abandoned_answer_had_said_can_be_read():
    bench = Bench(CUT, max_attempts=1)
    with pytest.raises(ModelError):
        await bench.ask()
    assert bench.model.unfinished == "Half an ans"
