from decimal import Decimal

import genai_prices
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.values import Usage
from codeflow.models.catalogue import Catalogue, ModelSpec
from codeflow.models.pricing import highest_prices, price

CATALOGUE = Catalogue.load()
TOKENS = st.integers(min_value=0, max_value=2_000_000)
USAGES = st.builds(
    Usage,
    input_tokens=TOKENS,
    output_tokens=TOKENS,
    cache_read_tokens=TOKENS,
    cache_write_tokens=TOKENS,
    cache_write_1h_tokens=TOKENS,
)
FLAT = [spec for spec in CATALOGUE.models.values() if spec.long_prompt is None]
INVOKED = [
    f"{prefix}.{spec.id}".removeprefix(".") for spec in CATALOGUE.models.values() for prefix in spec.profiles
]


def spec_of(model_id: str) -> ModelSpec:
    spec = CATALOGUE.find(model_id)
    assert spec is not None
    return spec


def known_to_genai(model_id: str, usage: genai_prices.Usage) -> Decimal | None:
    try:
        return genai_prices.calc_price(usage, model_id, provider_id="aws").total_price
    except LookupError:
        return None


CARRIED = [
    model_id
    for model_id in INVOKED
    if known_to_genai(model_id, genai_prices.Usage(input_tokens=1, output_tokens=1)) is not None
]


@pytest.mark.parametrize("model_id", CARRIED)
@pytest.mark.parametrize("prompt", [90_000, 150_000, 300_000])
def test_every_price_that_genai_prices_carries_is_the_same(model_id, prompt):
    spec = spec_of(model_id)
    assert spec.price is not None
    written = 7_000 if spec.price.cache_write else 0
    read = 11_000 if spec.price.cache_read else 0
    other = known_to_genai(
        model_id,
        genai_prices.Usage(
            input_tokens=prompt, output_tokens=3_000, cache_read_tokens=read, cache_write_tokens=written
        ),
    )
    ours = price(
        spec,
        Usage(
            input_tokens=prompt - read - written,
            output_tokens=3_000,
            cache_read_tokens=read,
            cache_write_tokens=written,
        ),
    )
    assert ours == other


def test_genai_prices_checks_most_of_the_catalogue():
    assert len(CARRIED) > len(INVOKED) / 2


@given(st.sampled_from(FLAT), USAGES, USAGES)
def test_without_a_step_the_price_of_two_calls_is_the_sum_of_their_prices(spec, first, second):
    one, two, both = price(spec, first), price(spec, second), price(spec, first + second)
    if one is None or two is None:
        assert both is None
    else:
        assert both == one + two


@given(USAGES)
def test_an_unknown_model_never_costs_a_known_amount(usage):
    assert price(ModelSpec.unknown("acme.thinker"), usage) is None


@given(st.sampled_from(FLAT), USAGES)
def test_an_unknown_tier_never_costs_a_known_amount(spec, usage):
    assert price(spec, usage, tier="reserved") is None


def test_the_step_applies_to_the_whole_call_and_counts_cached_tokens():
    spec = spec_of("global.anthropic.claude-haiku-5-5")
    below = Usage(input_tokens=40_000, cache_read_tokens=60_000)
    above = Usage(input_tokens=40_001, cache_read_tokens=60_000)
    assert price(spec, below) == Decimal("0.0046")
    assert price(spec, above) == Decimal("0.0230005")


def test_writes_of_a_model_without_a_write_price_are_billed_as_input():
    spec = spec_of("amazon.nova-pro-v1:0")
    assert price(spec, Usage(cache_write_tokens=1_000_000)) == Decimal("0.8")


@pytest.mark.parametrize(
    ("model_id", "usage"),
    [
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", Usage(cache_write_1h_tokens=1)),
        ("us.meta.llama3-3-70b-instruct-v1:0", Usage(cache_read_tokens=1)),
    ],
)
def test_a_kind_of_token_without_a_price_makes_the_cost_unknown(model_id, usage):
    assert price(spec_of(model_id), usage) is None


def test_the_flex_tier_halves_the_price_where_it_exists():
    usage = Usage(input_tokens=1_000_000)
    assert price(spec_of("amazon.nova-pro-v1:0"), usage, tier="flex") == Decimal("0.4")
    assert price(spec_of("global.anthropic.claude-haiku-5-5"), usage, tier="flex") is None


def test_the_estimate_assumes_that_the_prompt_is_written_to_the_cache():
    prompt, output = highest_prices(spec_of("global.anthropic.claude-opus-5-5"), 1_000)
    assert (prompt, output) == (Decimal("0.000005"), Decimal("0.00002"))
    assert highest_prices(ModelSpec.unknown("acme.thinker"), 1_000) == (None, None)
