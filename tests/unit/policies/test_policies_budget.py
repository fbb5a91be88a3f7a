from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.errors import BudgetExceededError
from codeflow.core.events import ModelCalled, Notice
from codeflow.core.values import CallEstimate, Cost
from codeflow.policies.budget import SMALLEST_ANSWER, Budget

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


def called(cost: Cost, *, step: int = 1, attempt: int = 1) -> ModelCalled:
    return ModelCalled(
        agent="coder",
        step=step,
        attempt=attempt,
        model="m",
        invoked_model="m",
        usage=None,
        cost=cost,
        duration_s=0,
        first_token_s=None,
        outcome="ok",
    )


def test_a_call_that_fits_gets_all_it_asked_for():
    budget = Budget(Decimal(2))
    assert budget.admit(estimate()) == 1000
    assert budget.reserved == Decimal("1.100")


def test_a_call_gets_what_the_rest_affords():
    assert Budget(Decimal("0.7")).admit(estimate()) == 600


@pytest.mark.parametrize(
    ("max_cost", "prompt", "most"), [("0.611", 100, 1000), ("0.05", 100, 10), ("0", 0, 1), ("-1", 0, 1)]
)
def test_too_little_for_a_useful_answer_is_refused(max_cost: str, prompt: int, most: int):
    budget = Budget(Decimal(max_cost))
    with pytest.raises(BudgetExceededError, match="too little for the next call of coder") as caught:
        budget.admit(estimate(prompt=prompt, most=most))
    assert "--max-cost" in caught.value.hint
    assert budget.reserved == 0


def test_a_short_call_needs_no_more_than_it_asks_for():
    assert Budget(Decimal("0.11")).admit(estimate(most=10)) == 10


def test_the_real_cost_takes_the_place_of_the_reservation():
    budget = Budget(Decimal(2))
    budget.admit(estimate())
    budget(called(Decimal("0.2")))
    assert (budget.spent, budget.reserved) == (Decimal("0.2"), Decimal(0))


def test_an_unknown_cost_counts_as_the_worst_case():
    budget = Budget(Decimal(2))
    budget.admit(estimate())
    budget(called(None))
    assert (budget.spent, budget.reserved) == (Decimal("1.100"), Decimal(0))


def test_parallel_calls_share_the_rest():
    budget = Budget(Decimal(2))
    assert budget.admit(estimate(step=1)) == 1000
    assert budget.admit(estimate(step=2)) == 800
    with pytest.raises(BudgetExceededError):
        budget.admit(estimate(step=3))
    budget(called(Decimal("0.1"), step=1))
    assert budget.admit(estimate(step=3)) == 900


def test_a_call_that_was_never_settled_stays_counted_when_admitted_again():
    budget = Budget(Decimal(3))
    budget.admit(estimate())
    budget.admit(estimate())
    assert (budget.spent, budget.reserved) == (Decimal("1.100"), Decimal("1.100"))


def test_an_unknown_price_is_admitted_and_reported():
    budget = Budget(Decimal(1))
    assert budget.admit(estimate(price=None)) == 1000
    assert budget.unpriced == {"m"}


def test_a_free_model_is_never_refused_while_money_is_left():
    assert Budget(Decimal(0)).admit(estimate(price=Decimal(0))) == 1000


def test_without_a_limit_everything_is_admitted_and_counted():
    budget = Budget(None)
    assert budget.admit(estimate(price=None)) == 1000
    budget(called(Decimal(5)))
    budget(Notice(level="info", text="other events are none of its business"))
    assert (budget.spent, budget.unpriced) == (Decimal(5), set())


CALLS = st.lists(
    st.tuples(
        st.integers(0, 100_000),  # prompt tokens
        st.integers(1, 64_000),  # most output tokens
        st.integers(0, 10**6).map(lambda n: Decimal(n) / 10**10),  # input price
        st.integers(0, 10**6).map(lambda n: Decimal(n) / 10**10),  # output price
        st.floats(0, 1),  # share of the admitted output that was used
        st.booleans(),  # cost known
        st.integers(1, 4),  # how many calls are under way before the oldest settles
    ),
    max_size=20,
)


@given(limit=st.integers(0, 10**6).map(lambda n: Decimal(n) / 10**5), calls=CALLS)
def test_no_sequence_of_calls_breaks_the_budget_and_every_reservation_is_settled(
    limit: Decimal, calls: list[Any]
):
    budget = Budget(limit)
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
        cost = prompt * input_price + int(admitted * share) * output_price
        under_way.append(called(cost if known else None, step=step))
        while len(under_way) > width:
            budget(under_way.pop(0))
        assert budget.spent + budget.reserved <= limit
    for event in under_way:
        budget(event)
    assert budget.reserved == 0
    assert budget.spent <= limit
