"""Shares of the limits, and whom the gates, a judge and the price leave."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.results import RunResult, Share
from codeflow.core.values import FileChange, Limits, Status, Usage
from codeflow.orchestration.attempts import (
    accepted,
    billed,
    cheapest,
    choice,
    common_status,
    is_open,
    rest_of,
    share_of,
)

MONEY = st.decimals(min_value=0, max_value=1000, places=4)


def ended(status=Status.DONE, cost: Decimal | None = Decimal(1), diff="", *, changed=True) -> RunResult:
    change = FileChange(path="a.py", change="modified", added_lines=1, removed_lines=0)
    known = cost or Decimal(0)
    usage = Usage(input_tokens=10, output_tokens=1)
    return RunResult(
        status=status,
        session_id="s",
        answer="",
        complexity=None,
        pattern=None,
        route=None,
        plan=None,
        files_changed=(change,) if changed else (),
        diff=diff,
        gates=(),
        usage=usage,
        cost=cost,
        known_cost=known,
        unpriced_calls=int(cost is None),
        by_agent=(Share(name="coder", calls=1, usage=usage, cost=cost, known_cost=known),),
        by_model=(),
        model_calls=1,
        duration_s=1.0,
    )


@given(money=MONEY, tokens=st.integers(0, 10**9), count=st.integers(2, 8), data=st.data())
def test_attempts_within_their_shares_leave_the_judge_a_tenth_and_all_stay_within_the_limits(
    money, tokens, count, data
):
    limits = Limits(max_cost=money, max_tokens=tokens)
    each = share_of(limits, count)
    assert each.max_cost is not None
    assert each.max_tokens is not None
    results = []
    for _ in range(count):
        spent = data.draw(st.decimals(min_value=0, max_value=each.max_cost, places=4))
        used = Usage(input_tokens=data.draw(st.integers(0, each.max_tokens)))
        is_known = data.draw(st.booleans())
        results.append(replace(ended(), cost=spent if is_known else None, known_cost=spent, usage=used))
    rest = rest_of(limits, each, results)
    assert rest.max_cost is not None
    assert rest.max_tokens is not None
    assert rest.max_cost >= money / 10
    assert rest.max_tokens >= tokens // 10
    assert rest.max_cost + sum(one.known_cost for one in results) <= money
    assert rest.max_tokens + sum(one.usage.prompt_tokens for one in results) <= tokens


def test_no_limit_stays_none():
    assert share_of(Limits(), 3) == Limits()
    assert rest_of(Limits(), Limits(), [ended()]) == Limits()


def test_whom_the_gates_accept():
    results = [ended(Status.FAILED), ended(changed=False), ended(diff="+a"), ended(diff="+b")]
    assert accepted(results) == [2, 3]
    assert accepted(results[:2]) == [1]
    assert accepted(results[:1]) == []
    assert is_open(results, [2, 3])
    assert not is_open([ended(diff="+a"), ended(diff="+a")], [0, 1])
    answers = [replace(ended(changed=False), answer=text) for text in ("a", "a", "b")]
    assert not is_open(answers, [0, 1])
    assert is_open(answers, [1, 2])


def test_what_costs_nobody_knows_how_much_is_not_the_cheapest():
    assert cheapest([ended(cost=None), ended(cost=Decimal(5)), ended(cost=Decimal(4))], [0, 1]) == 1


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ('{"attempt": 2, "reason": "a\\nb"}', (1, "a b")),
        ('first {"attempt": 1}, no: {"attempt": 2}', (1, "")),
        ('{"attempt": 3}', None),
        ('{"attempt": 0}', None),
        ('{"attempt": "the second"}', None),
        ("2", None),
        ("", None),
    ],
)
def test_what_a_judge_says(answer, found):
    assert choice(answer, [0, 1]) == found


def test_the_bill_is_that_of_all():
    whole = billed(ended(), [ended(cost=Decimal(1)), ended(cost=Decimal(2))])
    assert (whole.cost, whole.known_cost, whole.model_calls) == (Decimal(3), Decimal(3), 2)
    assert whole.usage == Usage(input_tokens=20, output_tokens=2)
    assert [(share.name, share.calls, share.cost) for share in whole.by_agent] == [("coder", 2, Decimal(3))]
    unknown = billed(ended(), [ended(cost=Decimal(1)), ended(cost=None)])
    assert (unknown.cost, unknown.known_cost, unknown.unpriced_calls) == (None, Decimal(1), 1)
    assert unknown.by_agent[0].cost is None


@pytest.mark.parametrize(
    ("statuses", "common"),
    [
        ([Status.FAILED, Status.NO_ACCESS], Status.FAILED),
        ([Status.STOPPED, Status.STOPPED], Status.STOPPED),
        ([Status.DONE, Status.INTERRUPTED], Status.INTERRUPTED),
    ],
)
def test_how_all_ended_where_none_is_chosen(statuses, common):
    assert common_status([ended(status) for status in statuses]) is common
