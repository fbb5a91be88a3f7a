"""Keeps a run's model calls within its price, before they are made."""

from dataclasses import dataclass, field
from decimal import Decimal

from codeflow.core.errors import BudgetExceededError
from codeflow.core.events import Event, ModelCalled, ModelStarted
from codeflow.core.values import CallEstimate

SMALLEST_ANSWER = 512
"""Output tokens below which a call is not worth making, unless it asked for fewer."""

_Call = tuple[str, int, int]


@dataclass(slots=True)
class Budget:
    """Admits model calls at their worst price, and puts the real one in its place once it is known.

    An event consumer. It holds what it promises as long as no call costs more than its estimate: the prices in
    an estimate have to be the dearest that can apply (cache writes, long prompts). Not thread-safe.
    """

    max_cost: Decimal | None
    """US dollars; None for no limit."""
    spent: Decimal = Decimal(0)
    unknown_prices: tuple[Decimal, Decimal] = (Decimal(0), Decimal(0))
    """What a token of a model without a known price is taken to cost, read and written: the dearest there is."""
    unpriced: set[str] = field(default_factory=set)
    """Models admitted without a known price: the limit holds for them by assumption only."""
    of_the_day: bool = False
    """Whether the limit is what is left of the day's."""
    _reserved: dict[_Call, Decimal] = field(default_factory=dict)

    @property
    def reserved(self) -> Decimal:
        """What the calls under way may still cost."""
        return sum(self._reserved.values(), Decimal(0))

    def cap(self, rest_of_day: Decimal) -> None:
        """No more than this may be spent in all, if it is less than the limit."""
        if self.max_cost is None or rest_of_day < self.max_cost:
            self.max_cost, self.of_the_day = max(rest_of_day, Decimal(0)), True

    def admit(self, estimate: CallEstimate) -> int:
        """How many output tokens the call may use.

        Raises:
            BudgetExceededError: when the rest of the budget does not pay for the prompt and a useful answer.
        """
        if self.max_cost is None:
            return estimate.max_output_tokens
        input_price, output_price = estimate.input_price, estimate.output_price
        if input_price is None or output_price is None:
            self.unpriced.add(estimate.model)
            input_price, output_price = self.unknown_prices
        rest = self.max_cost - self.spent - self.reserved
        prompt = estimate.prompt_tokens * input_price
        tokens = _affordable(rest - prompt, output_price, estimate.max_output_tokens)
        if tokens < min(SMALLEST_ANSWER, estimate.max_output_tokens):
            raise self._exceeded(estimate, rest)
        self._reserve(estimate, prompt + tokens * output_price)
        return tokens

    def __call__(self, event: Event) -> None:
        """Settles a call that was made; one of unknown cost is taken to have cost all that was reserved.

        A ModelStarted only counts when an earlier process admitted the call and its events are told again.
        """
        if isinstance(event, ModelStarted):
            worst = event.worst_cost or Decimal(0)
            self._reserved.setdefault((event.agent, event.step, event.attempt), worst)
        if isinstance(event, ModelCalled):
            reserved = self._reserved.pop((event.agent, event.step, event.attempt), Decimal(0))
            self.spent += reserved if event.cost is None else event.cost

    def _reserve(self, estimate: CallEstimate, worst: Decimal) -> None:
        """A call admitted again under the same number was never settled, so its first price stays counted."""
        call = (estimate.agent, estimate.step, estimate.attempt)
        self.spent += self._reserved.pop(call, Decimal(0))
        self._reserved[call] = worst

    def _exceeded(self, estimate: CallEstimate, rest: Decimal) -> BudgetExceededError:
        whole = "today's budget" if self.of_the_day else f"the ${self.max_cost} budget"
        raising = (
            "Raise run.max_cost_day"
            if self.of_the_day
            else "Raise the limit with --max-cost, or set run.max_cost"
        )
        return BudgetExceededError(
            f"${max(rest, Decimal(0)):.4f} of {whole} is left, "
            f"too little for the next call of {estimate.agent} ({estimate.model})",
            hint=f"{raising} in the settings.",
        )


def _affordable(money: Decimal, price: Decimal, most: int) -> int:
    """Output tokens that the money pays for; -1 when it is already overdrawn."""
    if money < 0:
        return -1
    if most * price <= money:
        return most
    return int(money // price)
