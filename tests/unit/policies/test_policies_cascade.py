"""Laws of who begins a task and who takes over."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from codeflow.policies.cascade import Ladder, Rung, blended_cost, chance

CHANCES = st.floats(0.01, 0.99)
COSTS = st.decimals("0.0001", "10", places=4)
NAMES = ("fast_coder", "senior_coder", "lead_coder")


def ladder(*coders: Rung, debugger_model: str = "d", escalations: int = 3, capable: float = 0.6) -> Ladder:
    debugger = Rung(agent="debugger", model=debugger_model, chance=0.5, cost=Decimal(1))
    return Ladder(coders=coders, debugger=debugger, capable=capable, escalations=escalations)


def rung(agent: str, chance: float, cost: str | None = "1", model: str | None = None) -> Rung:
    return Rung(
        agent=agent, model=model or agent, chance=chance, cost=None if cost is None else Decimal(cost)
    )


@st.composite
def ladders(draw) -> Ladder:
    model = st.sampled_from("abcd")
    coders = [
        Rung(agent=name, model=draw(model), chance=draw(CHANCES), cost=draw(st.none() | COSTS))
        for name in NAMES
    ]
    debugger = Rung(agent="debugger", model=draw(model), chance=draw(CHANCES), cost=draw(COSTS))
    return Ladder(
        coders=tuple(coders), debugger=debugger, capable=draw(CHANCES), escalations=draw(st.integers(0, 5))
    )


@given(ladders(), st.integers(0, 2), st.floats(0, 1))
def test_a_better_record_never_makes_a_coder_less_chosen(known, place, more):
    before = known.start()
    if before.agent != NAMES[place]:
        return
    better = replace(before, chance=before.chance + (1 - before.chance) * more)
    coders = tuple(better if coder is before else coder for coder in known.coders)
    assert replace(known, coders=coders).start() == better


@given(CHANCES, st.floats(0.1, 50), st.integers(0, 50), st.integers(0, 50))
def test_a_chance_follows_what_was_seen_and_stays_one(believed, weight, green, red):
    now = chance(believed, weight, green=green, red=red)
    assert 0 < now < 1
    assert (
        chance(believed, weight, green=green + 1, red=red)
        > now
        > chance(believed, weight, green=green, red=red + 1)
    )
    assert abs(chance(believed, weight, green=0, red=0) - believed) < 1e-9


@given(st.none() | COSTS, st.floats(0.1, 50), st.lists(COSTS, max_size=5))
def test_a_cost_lies_between_what_is_believed_and_what_was_measured(believed, weight, seen):
    cost = blended_cost(believed, weight, runs=len(seen), total=sum(seen, Decimal(0)))
    known = [*seen, *([] if believed is None else [believed])]
    assert (cost is None) == (not known)
    assert cost is None or min(known) - Decimal("1e-9") <= cost <= max(known) + Decimal("1e-9")


@given(ladders(), st.lists(st.booleans(), min_size=9, max_size=9))
def test_every_course_ends_and_nobody_works_twice(known, answers):
    start = known.start()
    tried = [start.agent]
    for answered in answers:
        following = known.after(tried, answered=answered)
        if following is None:
            break
        assert following.agent not in tried
        tried.append(following.agent)
    assert known.after(tried, answered=True) is None or len(tried) <= known.escalations
    assert len(tried) <= 1 + min(known.escalations, 3)
    models = [coder.model for coder in known.course(start.agent) if coder.agent != "debugger"]
    assert len(set(models)) == len(models)


@given(ladders())
def test_who_begins_is_capable_or_the_strongest(known):
    start = known.start()
    assert start.chance >= known.capable or start == known.coders[-1]


def test_the_debugger_comes_first_then_a_model_that_has_not_tried():
    known = ladder(
        rung("fast_coder", 0.9),
        rung("senior_coder", 0.9),
        rung("lead_coder", 0.9),
        debugger_model="senior_coder",
    )
    assert [one.agent for one in known.course("fast_coder")] == ["fast_coder", "debugger", "lead_coder"]
    assert [one.agent for one in known.course("lead_coder")] == ["lead_coder", "debugger"]
    unanswered = known.after(["fast_coder"], answered=False)
    assert unanswered
    assert unanswered.agent == "senior_coder"
    assert known.after(["fast_coder", "senior_coder", "lead_coder"], answered=False) is None
    assert replace(known, escalations=0).course("fast_coder") == known.coders[:1]


def test_a_debugger_as_strong_as_the_strongest_is_the_last():
    known = ladder(
        rung("fast_coder", 0.9),
        rung("senior_coder", 0.9),
        rung("lead_coder", 0.9),
        debugger_model="lead_coder",
    )
    assert [one.agent for one in known.course("senior_coder")] == ["senior_coder", "debugger"]


def test_the_cheapest_course_counts_what_follows_a_failure():
    dear = ladder(
        rung("fast_coder", 0.6, "1"), rung("senior_coder", 0.95, "1.2"), rung("lead_coder", 0.95, "9")
    )
    assert dear.start().agent == "senior_coder"
    assert dear.expected_cost("lead_coder") == Decimal("9.05")
    cheap = ladder(rung("fast_coder", 0.6, "0.1"), *dear.coders[1:])
    assert cheap.start().agent == "fast_coder"


def test_without_prices_the_weakest_capable_coder_begins():
    known = ladder(rung("fast_coder", 0.5), rung("senior_coder", 0.7, None), rung("lead_coder", 0.9, "0.1"))
    assert known.start().agent == "senior_coder"
    assert known.expected_cost("senior_coder") is None


def test_coders_with_one_model_are_one_choice():
    known = ladder(
        rung("fast_coder", 0.7, model="m"),
        rung("senior_coder", 0.9, model="m"),
        rung("lead_coder", 0.95, model="m"),
    )
    assert known.start().agent == "fast_coder"


def test_a_specialist_of_ones_own_may_begin():
    known = ladder(rung("fast_coder", 0.9), rung("senior_coder", 0.9), rung("lead_coder", 0.9))
    assert [one.agent for one in known.course("mine")] == ["mine", "debugger", "senior_coder", "lead_coder"]
