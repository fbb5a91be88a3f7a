from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.events import ModelCalled, Notice
from codeflow.core.values import Spend, Usage
from codeflow.telemetry.meter import Meter


def called(agent: str, model: str, cost: Decimal | None, usage: Usage | None) -> ModelCalled:
    return ModelCalled(
        agent=agent, step=1, attempt=1, model=model, invoked_model=model, usage=usage, cost=cost,
        duration_s=1.0, first_token_s=None, outcome="ok",
    )  # fmt: skip


def test_shares_come_dearest_first_and_unknown_costs_are_never_zero():
    meter = Meter()
    meter(called("coder", "cheap", Decimal("0.01"), Usage(input_tokens=10)))
    meter(called("architect", "dear", Decimal("0.50"), Usage(output_tokens=5)))
    meter(called("coder", "dear", None, None))
    meter(Notice(level="info", text="not a call"))
    assert meter.calls == 3
    assert meter.usage == Usage(input_tokens=10, output_tokens=5)
    assert meter.spend == Spend(known=Decimal("0.51"), unpriced_calls=1)
    assert [(s.name, s.calls, s.cost, s.known_cost) for s in meter.by_agent()] == [
        ("architect", 1, Decimal("0.50"), Decimal("0.50")),
        ("coder", 2, None, Decimal("0.01")),
    ]
    assert [share.name for share in meter.by_model()] == ["dear", "cheap"]


costs = st.none() | st.decimals(min_value=0, max_value=100, places=8)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), costs), max_size=30))
def test_the_shares_add_up_to_the_whole_exactly(calls):
    meter = Meter()
    for agent, model, cost in calls:
        meter(called(agent, model, cost, Usage(input_tokens=1)))
    for shares in (meter.by_agent(), meter.by_model()):
        assert sum((share.known_cost for share in shares), Decimal(0)) == meter.spend.known
        assert sum(share.calls for share in shares) == meter.calls == meter.usage.input_tokens
