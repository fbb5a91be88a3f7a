"""Sums of what a run's model calls used and cost."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from codeflow.core.events import Event, ModelCalled
from codeflow.core.results import Share
from codeflow.core.values import Cost, Spend, Usage


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of model calls; `usage` is what the service reported."""

    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    spend: Spend = field(default_factory=Spend)

    def add(self, usage: Usage | None, cost: Cost) -> "Sum":
        return Sum(self.calls + 1, self.usage + (usage or Usage()), self.spend.add(cost))


class Meter:
    """Counts every model call of a run: failed, retried and cancelled ones too."""

    def __init__(self) -> None:
        self._whole = Sum()
        self._agents: defaultdict[str, Sum] = defaultdict(Sum)
        self._models: defaultdict[str, Sum] = defaultdict(Sum)

    def __call__(self, event: Event) -> None:
        if isinstance(event, ModelCalled):
            self._whole = self._whole.add(event.usage, event.cost)
            self._agents[event.agent] = self._agents[event.agent].add(event.usage, event.cost)
            self._models[event.model] = self._models[event.model].add(event.usage, event.cost)

    @property
    def calls(self) -> int:
        return self._whole.calls

    @property
    def usage(self) -> Usage:
        return self._whole.usage

    @property
    def spend(self) -> Spend:
        return self._whole.spend

    def by_agent(self) -> tuple[Share, ...]:
        """One share per agent, the dearest first."""
        return _shares(self._agents)

    def by_model(self) -> tuple[Share, ...]:
        """One share per requested model, the dearest first."""
        return _shares(self._models)


def _shares(sums: Mapping[str, Sum]) -> tuple[Share, ...]:
    shares = [
        Share(
            name=name, calls=part.calls, usage=part.usage, cost=part.spend.total, known_cost=part.spend.known
        )
        for name, part in sums.items()
    ]
    return tuple(sorted(shares, key=lambda share: (-share.known_cost, share.name)))
