from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from codeflow.app.comparing import candidates, compare
from codeflow.core.errors import UsageError
from codeflow.core.settings import load_settings
from codeflow.core.values import Usage
from codeflow.models.catalogue import Catalogue, ModelSpec, Prices, PriceStep
from codeflow.telemetry.bill import Call

CALL = Call(
    at=datetime(2026, 11, 22, tzinfo=UTC), session="s", repository="r", workspace="/w", complexity="", agent="coder",
    model="m", outcome="ok", cost=Decimal("0.25"),
    usage=Usage(input_tokens=1_000_000, output_tokens=1_000_000, cache_read_tokens=1_000_000),
)  # fmt: skip
PLAIN = Prices(input=Decimal(3), output=Decimal(15))
CACHING = Prices(input=Decimal(3), output=Decimal(15), cache_read=Decimal("0.5"))


def spec(prices: Prices | None, **more: object) -> ModelSpec:
    given = {"id": "a.model-v1:0", "name": "m", "price": prices, "context": 1000, "max_output": 100}
    return ModelSpec.model_validate({**given, **more})


@pytest.fixture
def settings(tmp_path):
    return load_settings(tmp_path, env={"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)})


def costs(calls, *specs) -> list[str]:
    return [str(single.cost.normalize()) for single in compare(calls, specs).singles]


def test_a_model_with_a_cache_reads_from_it_and_one_without_pays_in_full():
    assert costs([CALL], spec(PLAIN), spec(CACHING)) == ["21", "18.5"]


def test_long_writes_are_billed_as_short_ones_where_they_have_no_price():
    call = replace(CALL, usage=Usage(cache_write_1h_tokens=1_000_000))
    assert costs([call], spec(PLAIN)) == ["3"]
    assert costs([call], spec(replaced(CACHING, cache_write=Decimal(4)))) == ["4"]


def replaced(prices: Prices, **more: Decimal) -> Prices:
    return prices.model_copy(update=more)


def test_a_long_prompt_has_its_own_price():
    step = PriceStep(above=100, prices=replaced(PLAIN, input=Decimal(6)))
    assert costs([CALL], spec(PLAIN, long_prompt=step)) == ["27"]


def test_the_router_is_spared_and_calls_of_unknown_size_are_on_neither_side():
    calls = [replace(CALL, agent="router"), CALL, replace(CALL, usage=None, cost=None)]
    found = compare(calls, [spec(PLAIN)])
    assert (found.spent, found.left_out) == (Decimal("0.5"), 1)
    assert [single.cost for single in found.singles] == [Decimal(21)]
    assert "1 call of unknown size" in found.assumptions


def test_where_a_call_has_no_price_it_is_not_known_what_was_spent():
    assert compare([replace(CALL, cost=None)], [spec(PLAIN)]).spent is None


def test_a_model_without_a_price_is_no_comparison():
    assert compare([CALL], [spec(None)]).singles == []


def test_the_models_are_the_rosters_or_those_that_were_named(settings):
    assert [one.name for one in candidates(settings)] == [
        "Claude Opus 5.5",
        "Claude Sonnet 5.5",
        "Claude Haiku 5.5",
    ]
    named = "amazon.nova-pro-v1:0"
    assert [one.address for one in candidates(settings, [named, named])] == [named]
    with pytest.raises(UsageError, match="its price is not known"):
        candidates(settings, ["some.model-v1:0"])


def test_the_prices_and_their_day_are_the_catalogues(settings):
    found = compare([CALL], candidates(settings))
    opus = Catalogue.load().resolve("global.anthropic.claude-opus-5-5")
    assert opus.price
    assert found.singles[0].cost == opus.price.input + opus.price.output + (opus.price.cache_read or 0)
    assert f"list prices of {opus.priced_on}." in found.assumptions
