"""Keeps a run's model calls within its limits of money and tokens, before they are made."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from codeflow.core.errors import BudgetExceededError, NodeBudgetError
from codeflow.core.events import Event, ModelCalled, ModelStarted
from codeflow.core.values import CallEstimate

SMALLEST_ANSWER = 512
"""Output tokens below which a call is not worth making, unless it asked for fewer."""

_Call = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that a run may spend, in US dollars or in tokens; what to call that, and how it is raised."""

    most: Decimal
    name: str
    cure: str


def limit_of_run(cost: Decimal) -> Limit:
    cure = "Go on with more: `codeflow resume --max-cost USD`, or raise run.max_cost in the settings."
    return Limit(cost, f"the ${cost} budget", cure)


def limit_of_tokens(tokens: int) -> Limit:
    """Input and output of all calls; what a cache held counts as much as the rest, since nobody knows it before."""
    cure = "Go on with more: `codeflow resume --max-tokens N`, or raise run.max_tokens in the settings."
    return Limit(Decimal(tokens), f"the limit of {tokens} tokens", cure)


def limit_of_session(cost: Decimal, earlier: Decimal) -> Limit:
    """What the session's `earlier` runs have left of its budget."""
    cure = "Raise run.max_cost_session in the settings, then go on with `codeflow resume`."
    return Limit(cost - earlier, f"the session's ${cost} budget", cure)


def limit_of_day(cost: Decimal, others: Decimal) -> Limit:
    """What the `others` of the day have left of its budget."""
    cure = "Raise run.max_cost_day in the settings, then go on with `codeflow resume`."
    return Limit(cost - others, f"today's ${cost} budget", cure)


def limit_of_node(cost: Decimal, node: str) -> Limit:
    return Limit(cost, f"the ${cost} of node {node}", "Raise the node's max_cost in the workflow.")


@dataclass(frozen=True, slots=True)
class Amount:
    """What calls cost: US dollars, and tokens read and written."""

    cost: Decimal = Decimal(0)
    tokens: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.cost + other.cost, self.tokens + other.tokens)


@dataclass(slots=True)
class Budget:
    """Admits model calls at their worst, and puts what they really took in its place once it is known.

    An event consumer. It holds what it promises as long as no call takes more than its estimate: the prices in
    an estimate have to be the dearest that can apply (cache writes, long prompts). Not thread-safe.
    """

    money: Limit | None = None
    """None for no limit."""
    tokens: Limit | None = None
    """None for no limit."""
    unknown_prices: tuple[Decimal, Decimal] = (Decimal(0), Decimal(0))
    """What a token of a model without a known price is taken to cost, read and written: the dearest there is."""
    nodes: Mapping[str, Limit] = field(default_factory=dict)
    """What nodes of a workflow may spend, by path."""
    spent: Amount = field(default_factory=Amount)
    unpriced: set[str] = field(default_factory=set)
    """Models admitted without a known price: the limit holds for them by assumption only."""
    _reserved: dict[_Call, Amount] = field(default_factory=dict)
    _by_node: dict[str, Decimal] = field(default_factory=dict)
    """What the nodes with a limit have spent."""

    @property
    def reserved(self) -> Amount:
        """What the calls under way may still take."""
        return sum(self._reserved.values(), Amount())

    @property
    def taken(self) -> Amount:
        """What is spent or reserved."""
        return self.spent + self.reserved

    def tighten(self, limit: Limit) -> None:
        """No more money than this either."""
        if self.money is None or limit.most < self.money.most:
            self.money = limit

    def admit(self, estimate: CallEstimate) -> int:
        """How many output tokens the call may use.

        Raises:
            BudgetExceededError: when the rest of a limit does not do for the prompt and a useful answer.
        """
        input_price, output_price = self._prices(estimate)
        prompt = Amount(estimate.prompt_tokens * input_price, estimate.prompt_tokens)
        answer = estimate.max_output_tokens
        useful = min(SMALLEST_ANSWER, answer)
        taken = self.taken
        for node, limit in self._limits_of(estimate.agent):
            rest = limit.most - self._taken_by(node)
            answer = _affordable(rest - prompt.cost, output_price, answer)
            if answer < useful:
                held = self._taken_by(node) - self._by_node.get(node, Decimal(0))
                raise NodeBudgetError(_exceeded(limit, _dollars(rest, held), estimate), hint=limit.cure)
        if self.money is not None:
            rest = self.money.most - taken.cost
            answer = _affordable(rest - prompt.cost, output_price, answer)
            if answer < useful:
                left = _dollars(rest, self.reserved.cost)
                raise BudgetExceededError(_exceeded(self.money, left, estimate), hint=self.money.cure)
        if self.tokens is not None:
            unused = int(self.tokens.most) - taken.tokens
            answer = min(answer, unused - prompt.tokens)
            if answer < useful:
                left = f"{max(unused, 0)} left{_held(str(self.reserved.tokens), self.reserved.tokens)}"
                raise BudgetExceededError(_exceeded(self.tokens, left, estimate), hint=self.tokens.cure)
        self._reserve(estimate, prompt + Amount(answer * output_price, answer))
        return answer

    def __call__(self, event: Event) -> None:
        """Settles a call that was made; what of it is unknown is taken to be all that was reserved.

        A ModelStarted only counts when an earlier process admitted the call and its events are told again.
        """
        if isinstance(event, ModelStarted):
            self._reserved.setdefault((event.agent, event.step, event.attempt), self._worst(event))
        if isinstance(event, ModelCalled):
            reserved = self._reserved.pop((event.agent, event.step, event.attempt), Amount())
            self._settle(
                event.agent,
                Amount(
                    reserved.cost if event.cost is None else event.cost,
                    reserved.tokens
                    if event.usage is None
                    else event.usage.prompt_tokens + event.usage.output_tokens,
                ),
            )

    def _settle(self, agent: str, amount: Amount) -> None:
        self.spent += amount
        for node, _ in self._limits_of(agent):
            self._by_node[node] = self._by_node.get(node, Decimal(0)) + amount.cost

    def _limits_of(self, agent: str) -> Iterator[tuple[str, Limit]]:
        """The limits of the nodes at which an agent sits, whose path stands behind the @ of its name."""
        _, _, place = agent.partition("@")
        return ((node, limit) for node, limit in self.nodes.items() if _is_at(place, node))

    def _taken_by(self, node: str) -> Decimal:
        reserved = (
            amount.cost
            for (agent, _, _), amount in self._reserved.items()
            if _is_at(agent.partition("@")[2], node)
        )
        return self._by_node.get(node, Decimal(0)) + sum(reserved, Decimal(0))

    def _prices(self, estimate: CallEstimate) -> tuple[Decimal, Decimal]:
        if estimate.input_price is not None and estimate.output_price is not None:
            return estimate.input_price, estimate.output_price
        if self.money is not None:
            self.unpriced.add(estimate.model)
        return self.unknown_prices

    def _worst(self, started: ModelStarted) -> Amount:
        """Logs of before 2026-11-22 do not know the tokens."""
        cost = started.worst_cost
        if cost is None:
            cost = started.worst_tokens * max(self.unknown_prices)
        return Amount(cost, started.worst_tokens)

    def _reserve(self, estimate: CallEstimate, worst: Amount) -> None:
        """A call admitted again under the same number was never settled, so its first price stays counted."""
        call = (estimate.agent, estimate.step, estimate.attempt)
        self._settle(estimate.agent, self._reserved.pop(call, Amount()))
        self._reserved[call] = worst


def _exceeded(limit: Limit, left: str, estimate: CallEstimate) -> str:
    return f"{limit.name} has {left}, too little for the next call of {estimate.agent} ({estimate.model})"


def _dollars(left: Decimal, held: Decimal) -> str:
    return f"${max(left, Decimal(0)):.4f} left{_held(f'${held:.4f}', held)}"


def _held(amount: str, of: Decimal | int) -> str:
    """What calls under way may still take, which is not spent."""
    return f" beside the {amount} that calls under way may take" if of else ""


def _is_at(place: str, node: str) -> bool:
    """Whether a seat belongs to a node, or to one inside it."""
    return place == node or place.startswith((f"{node}.", f"{node}+"))


def _affordable(money: Decimal, price: Decimal, most: int) -> int:
    """Output tokens that the money pays for; -1 when it is already overdrawn."""
    if money < 0:
        return -1
    if most * price <= money:
        return most
    return int(money // price)
