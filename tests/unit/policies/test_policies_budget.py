from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.errors import BudgetExceededError
from codeflow.core.events import ModelCalled, ModelStarted, Notice
from codeflow.core.values import CallEstimate, Cost, Usage
from codeflow.policies.budget import (
    SMALLEST_ANSWER,
    Amount,
    Budget,
    limit_of_day,
    limit_of_run,
    limit_of_session,
    limit_of_tokens,
)

PRICE = Decimal("0.001")


def estimate(
    *, prompt: int = 100, most: int = 1000, step: int = 1, attempt: int = 1, price: Cost = PRICE
) -> CallEstimate:
    return CallEstimate(
        agent="coder",
        step=step,
        attempt=attempt,
        model="m",
        prompt_tokens=prompt,
        max_output_tokens=most,
        input_price=price,
        output_price=price,
    )


def dollars(limit: str | int | Decimal) -> Budget:
    return Budget(limit_of_run(Decimal(limit)))


def called(cost: Cost, *, step: int = 1, attempt: int = 1, usage: Usage | None = None) -> ModelCalled:
    return ModelCalled(
        agent="coder",
        step=step,
        attempt=attempt,
        model="m",
        invoked_model="m",
        usage=usage,
        cost=cost,
        duration_s=0,
        first_token_s=None,
        outcome="ok",
    )


def test_a_call_that_fits_gets_all_it_asked_for():
    budget = dollars(2)
    assert budget.admit(estimate()) == 1000
    assert budget.reserved == Amount(Decimal("1.100"), 1100)


def test_a_call_gets_what_the_rest_affords():
    assert dollars("0.7").admit(estimate()) == 600


@pytest.mark.parametrize(
    ("max_cost", "prompt", "most"), [("0.611", 100, 1000), ("0.05", 100, 10), ("0", 0, 1), ("-1", 0, 1)]
)
def test_too_little_for_a_useful_answer_is_refused(max_cost: str, prompt: int, most: int):
    budget = dollars(max_cost)
    with pytest.raises(BudgetExceededError, match="too little for the next call of coder") as caught:
        budget.admit(estimate(prompt=prompt, most=most))
    assert "--max-cost" in caught.value.hint
    assert budget.reserved == Amount()


def test_a_short_call_needs_no_more_than_it_asks_for():
    assert dollars("0.11").admit(estimate(most=10)) == 10


def test_the_real_cost_takes_the_place_of_the_reservation():
    budget = dollars(2)
    budget.admit(estimate())
    budget(called(Decimal("0.2"), usage=Usage(input_tokens=20, cache_read_tokens=80, output_tokens=50)))
    assert (budget.spent, budget.reserved) == (Amount(Decimal("0.2"), 150), Amount())


def test_an_unknown_cost_counts_as_the_worst_case():
    budget = dollars(2)
    budget.admit(estimate())
    budget(called(None))
    assert (budget.spent, budget.reserved) == (Amount(Decimal("1.100"), 1100), Amount())


def test_parallel_calls_share_the_rest():
    budget = dollars(2)
    assert budget.admit(estimate(step=1)) == 1000
    assert budget.admit(estimate(step=2)) == 800
    with pytest.raises(BudgetExceededError):
        budget.admit(estimate(step=3))
    budget(called(Decimal("0.1"), step=1))
    assert budget.admit(estimate(step=3)) == 900


def test_a_call_that_was_never_settled_stays_counted_when_admitted_again():
    budget = dollars(3)
    budget.admit(estimate())
    budget.admit(estimate())
    assert (budget.spent, budget.reserved) == (Amount(Decimal("1.100"), 1100),) * 2


def test_an_unknown_price_is_admitted_and_reported():
    budget = dollars(1)
    assert budget.admit(estimate(price=None)) == 1000
    assert budget.unpriced == {"m"}


def test_a_free_model_is_never_refused_while_money_is_left():
    assert dollars(0).admit(estimate(price=Decimal(0))) == 1000


def test_without_a_limit_everything_is_admitted_and_counted():
    budget = Budget()
    assert budget.admit(estimate(price=None)) == 1000
    budget(called(Decimal(5)))
    budget(Notice(level="info", text="other events are none of its business"))
    assert (budget.spent.cost, budget.unpriced) == (Decimal(5), set())


def test_tokens_have_a_limit_of_their_own():
    budget = Budget(limit_of_run(Decimal(10)), limit_of_tokens(2000))
    assert budget.admit(estimate(step=1)) == 1000
    assert budget.admit(estimate(step=2)) == 800
    with pytest.raises(BudgetExceededError, match="the limit of 2000 tokens has 0 left") as caught:
        budget.admit(estimate(step=3))
    assert "--max-tokens" in caught.value.hint
    budget(called(Decimal(1), step=1, usage=Usage(input_tokens=100, output_tokens=10)))
    assert budget.admit(estimate(step=3, most=700)) == 700


def test_an_unknown_usage_counts_as_the_worst_case():
    budget = Budget(tokens=limit_of_tokens(2000))
    budget.admit(estimate(price=None))
    budget(called(None))
    assert budget.spent.tokens == 1100
    assert budget.unpriced == set()


def test_the_least_of_the_limits_counts_and_is_named():
    budget = dollars("0.5")
    budget.tighten(limit_of_session(Decimal(2), earlier=Decimal("1.9")))
    budget.tighten(limit_of_day(Decimal(1), others=Decimal("0.8")))
    with pytest.raises(BudgetExceededError, match=r"the session's \$2 budget has \$0.1000 left") as caught:
        budget.admit(estimate())
    assert "run.max_cost_session" in caught.value.hint


def test_what_an_earlier_process_had_under_way_stays_reserved_also_without_a_price():
    budget = Budget(limit_of_run(Decimal(2)), unknown_prices=(PRICE, PRICE * 2))
    started = ModelStarted(agent="coder", step=1, attempt=1, model="m", worst_cost=None, worst_tokens=300)
    budget(started)
    assert budget.reserved == Amount(Decimal("0.6"), 300)
    budget(called(None))
    assert budget.spent == Amount(Decimal("0.6"), 300)


CALLS = st.lists(
    st.tuples(
        st.integers(0, 100_000),  # prompt tokens
        st.integers(1, 64_000),  # most output tokens
        st.integers(0, 10**6).map(lambda n: Decimal(n) / 10**10),  # input price
        st.integers(0, 10**6).map(lambda n: Decimal(n) / 10**10),  # output price
        st.floats(0, 1),  # share of the admitted output that was used
        st.booleans(),  # cost and usage known
        st.integers(1, 4),  # how many calls are under way before the oldest settles
    ),
    max_size=20,
)
MONEY = st.none() | st.integers(0, 10**6).map(lambda n: Decimal(n) / 10**5)
TOKENS = st.none() | st.integers(0, 10**6)


@given(money=MONEY, tokens=TOKENS, calls=CALLS)
def test_no_sequence_of_calls_breaks_a_limit_and_every_reservation_is_settled(
    money: Decimal | None, tokens: int | None, calls: list[Any]
):
    budget = Budget(
        None if money is None else limit_of_run(money), None if tokens is None else limit_of_tokens(tokens)
    )

    def holds() -> bool:
        taken = budget.taken
        return (money is None or taken.cost <= money) and (tokens is None or taken.tokens <= tokens)

    under_way: list[ModelCalled] = []
    for step, (prompt, most, input_price, output_price, share, known, width) in enumerate(calls, 1):
        request = CallEstimate(
            agent="coder", step=step, attempt=1, model="m", prompt_tokens=prompt, max_output_tokens=most,
            input_price=input_price, output_price=output_price,
        )  # fmt: skip
        try:
            admitted = budget.admit(request)
        except BudgetExceededError:
            continue
        assert min(SMALLEST_ANSWER, most) <= admitted <= most
        used = Usage(cache_read_tokens=prompt, output_tokens=int(admitted * share))
        cost = prompt * input_price + used.output_tokens * output_price
        under_way.append(called(cost if known else None, step=step, usage=used if known else None))
        while len(under_way) > width:
            budget(under_way.pop(0))
        assert holds()
    for event in under_way:
        budget(event)
    assert budget.reserved == Amount()
    assert holds()
