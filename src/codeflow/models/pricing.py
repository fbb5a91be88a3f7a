"""What a model call costs, exactly: decimal dollars, or None when a price that is needed is unknown."""

from collections.abc import Iterable
from decimal import Decimal

from codeflow.core.values import Cost, Usage
from codeflow.models.catalogue import ModelSpec, Prices

_MILLION = Decimal(1_000_000)
_DEFAULT_TIER = "default"


def price(spec: ModelSpec, usage: Usage, *, tier: str = _DEFAULT_TIER) -> Cost:
    """US dollars of one call of `spec` as invoked.

    A model without a price for cache writes bills them as input. None: the model, the tier, or a kind of token
    that the call used has no known price.
    """
    prices = prices_at(spec, usage.prompt_tokens)
    multiplier = Decimal(1) if tier == _DEFAULT_TIER else spec.tiers.get(tier)
    if prices is None or multiplier is None:
        return None
    parts = (
        (usage.input_tokens, prices.input),
        (usage.output_tokens, prices.output),
        (usage.cache_read_tokens, prices.cache_read),
        (usage.cache_write_tokens, _write_price(prices)),
        (usage.cache_write_1h_tokens, prices.cache_write_1h),
    )
    total = Decimal(0)
    for tokens, per_million in parts:
        if tokens and per_million is None:
            return None
        total += tokens * (per_million or Decimal(0))
    return total * multiplier / _MILLION


def prices_at(spec: ModelSpec, prompt_tokens: int) -> Prices | None:
    """The prices per million tokens of a call with a prompt of this size."""
    step = spec.long_prompt
    return step.prices if step and prompt_tokens > step.above else spec.price


def highest_prices(spec: ModelSpec, prompt_tokens: int) -> tuple[Cost, Cost]:
    """US dollars per input and per output token, if the whole prompt had to be written to the cache."""
    prices = prices_at(spec, prompt_tokens)
    if prices is None:
        return None, None
    prompt = max(prices.input, _write_price(prices)) if spec.cache != "none" else prices.input
    return prompt / _MILLION, prices.output / _MILLION


def dearest_prices(specs: Iterable[ModelSpec]) -> tuple[Decimal, Decimal]:
    """The highest known prices per input and output token: an upper guess for a model without any."""
    known = [highest_prices(spec, 0) for spec in specs]
    inputs = [price for price, _ in known if price is not None]
    outputs = [price for _, price in known if price is not None]
    return max(inputs, default=Decimal(0)), max(outputs, default=Decimal(0))


def _write_price(prices: Prices) -> Decimal:
    return prices.input if prices.cache_write is None else prices.cache_write
