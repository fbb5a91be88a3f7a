"""Money, tokens and seconds in words; shared by every place that shows them."""

from decimal import Decimal

from codeflow.core.values import Cost

_THOUSAND = 1_000
_MILLION = 1_000_000
_PRECISE = 2
_SMALLEST = Decimal("0.0001")


def money(cost: Cost, known: Decimal) -> str:
    """US dollars; a lower bound where a call could not be priced."""
    return dollars(cost) if cost is not None else _at_least(known)


def total_money(known: Decimal, unpriced_calls: int) -> str:
    """The bill of a run, which says how many calls it does not know."""
    if not unpriced_calls:
        return dollars(known)
    calls = "1 call" if unpriced_calls == 1 else f"{unpriced_calls} calls"
    return f"{_at_least(known)} ({calls} could not be priced)"


def _at_least(known: Decimal) -> str:
    return f"≥ {dollars(known)}" if known >= _SMALLEST else f"≥ ${known:.6f}"


def dollars(amount: Decimal) -> str:
    if 0 < amount < _SMALLEST:
        return f"< ${_SMALLEST}"
    return f"${amount:.2f}" if amount >= 1 else f"${amount:.4f}"


def times(amount: Decimal, base: Cost) -> str:
    """How many times as much as another amount; nothing where that is unknown or 0."""
    if not base:
        return ""
    ratio = float(amount / base)
    return f"{ratio:.2f} ×" if ratio < _PRECISE else f"{ratio:.1f} ×"  # noqa: RUF001 - the sign for times


def tokens(count: int) -> str:
    if count < _THOUSAND:
        return str(count)
    if count < _MILLION:
        return f"{count / _THOUSAND:.1f}k"
    return f"{count / _MILLION:.1f}M"
