"""What the calls of the ledger would have cost with one model for all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from codeflow.core.errors import UsageError
from codeflow.core.settings import Settings
from codeflow.core.values import Cost, Spend, Usage
from codeflow.models.catalogue import Catalogue, ModelSpec, Prices
from codeflow.models.pricing import price, prices_at
from codeflow.models.rosters import Roster
from codeflow.telemetry.bill import Call

_ROUTER = "router"
_ROLES = ("architect", "senior_coder", "fast_coder")
"""Whose models could have done everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """What one model for everything would have cost; `priced_on` is an ISO date, "" where the roster has the prices."""

    model: str
    cost: Decimal
    priced_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The models, the dearest first, and what the same calls did cost, the router's included.

    `left_out` calls are in neither: how many tokens they took is not known.
    """

    singles: Sequence[Single]
    spent: Cost
    left_out: int

    @property
    def assumptions(self) -> str:
        """What the figures rest on, in some sentences; they belong wherever the figures are shown."""
        dates = ", ".join(sorted({single.priced_on for single in self.singles if single.priced_on}))
        calls = "1 call" if self.left_out == 1 else f"{self.left_out} calls"
        unknown = f" Left out on both sides: {calls} of unknown size." if self.left_out else ""
        return (
            "Assumed: the same calls but the router's, the same tokens, as many of them from the cache, "
            f"list prices{f' of {dates}' if dates else ''}.{unknown} "
            "Another model would have taken other steps: this compares prices, not models."
        )


def candidates(settings: Settings, named: Iterable[str] = ()) -> list[ModelSpec]:
    """The models to compare with: those that were named, else the roster's architect and coders; priced ones only.

    Raises:
        UsageError: for a name that no model has, or a model without a price.
    """
    roster, catalogue = Roster.load(settings.run.roster), Catalogue.load()
    wanted = [roster.spec(catalogue, model) for model in dict.fromkeys(named)]
    for spec in wanted:
        if spec.price is None:
            raise UsageError(
                f"--versus {spec.address}: its price is not known", hint="`codeflow models` lists prices."
            )
    chosen = settings.models.roles
    usual = dict.fromkeys(roster.candidates(role, override=chosen.get(role))[0] for role in _ROLES)
    return wanted or [spec for one in usual if (spec := roster.spec(catalogue, one)).price is not None]


def compare(calls: Iterable[Call], specs: Iterable[ModelSpec]) -> Comparison:
    """What the calls would have cost with each of the models; one without a price for them is left out."""
    spend = Spend()
    usages: list[Usage] = []
    left_out = 0
    for call in calls:
        if call.usage is None:
            left_out += 1
            continue
        spend = spend.add(call.cost)
        if call.agent != _ROUTER:
            usages.append(call.usage)
    found = [
        Single(model=spec.address, cost=total, priced_on=spec.priced_on.isoformat() if spec.priced_on else "")
        for spec in specs
        if (total := _total(spec, usages)) is not None
    ]
    return Comparison(
        singles=sorted(found, key=lambda single: -single.cost), spent=spend.total, left_out=left_out
    )


def _total(spec: ModelSpec, usages: Iterable[Usage]) -> Cost:
    total = Decimal(0)
    for usage in usages:
        prices = prices_at(spec, usage.prompt_tokens)
        billed = None if prices is None else _billed(usage, prices)
        cost = None if billed is None else price(spec, billed, tier=spec.service_tier or "default")
        if cost is None:
            return None
        total += cost
    return total


def _billed(usage: Usage, prices: Prices) -> Usage:
    """The same tokens as a model bills them that has no price for some kinds: reads as input, long writes as short ones."""
    reads = usage.cache_read_tokens if prices.cache_read is None else 0
    writes = usage.cache_write_1h_tokens if prices.cache_write_1h is None else 0
    return Usage(
        input_tokens=usage.input_tokens + reads,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens - reads,
        cache_write_tokens=usage.cache_write_tokens + writes,
        cache_write_1h_tokens=usage.cache_write_1h_tokens - writes,
    )
