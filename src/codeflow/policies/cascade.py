"""Who begins a task and who takes over on red: the cheapest specialist that is likely to manage, as pure functions.

A specialist's chance of green gates is the mean of a Beta distribution: what the settings believe counts as some runs,
and every run that the ledger has of this project, kind and complexity counts as one more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from codeflow.core.values import Cost


def chance(believed: float, weight: float, *, green: int, red: int) -> float:
    """The chance of green gates, from 0 to 1: a belief worth `weight` runs, and the runs that were seen."""
    return (believed * weight + green) / (weight + green + red)


def blended_cost(believed: Cost, weight: float, *, runs: int, total: Decimal) -> Cost:
    """US dollars of one visit: an estimate worth `weight` runs, and the `total` of those that were measured.

    What was measured stands alone where nothing is believed; None where neither is known.
    """
    if not runs:
        return believed
    if believed is None:
        return total / runs
    worth = Decimal(str(weight))
    return (believed * worth + total) / (worth + runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A specialist that may work on the task: its chance of green gates, the cost of a visit in US dollars."""

    agent: str
    model: str
    chance: float
    cost: Cost
    green: int = 0
    """Runs seen that began with it and went well."""
    red: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Who may work on a task: coders, the weakest first, and the debugger, who only ever takes over."""

    coders: tuple[Rung, ...]
    debugger: Rung
    capable: float
    """The least chance with which a coder may begin."""
    escalations: int
    """How often the task may go to another specialist."""

    def start(self) -> Rung:
        """The capable coder with the least expected cost; the strongest one where none is capable.

        Equal ones, and all where a cost is unknown, go by their order: the weakest first. Of those that share a model
        only the first counts: the others would be the same model, believed in more.
        """
        able = self.able()
        if not able:
            return self.coders[-1]
        costs = [self.expected_cost(coder.agent) for coder in able]
        known = [cost for cost in costs if cost is not None]
        return able[costs.index(min(known))] if len(known) == len(able) else able[0]

    def able(self) -> list[Rung]:
        """Coders that may begin, each with a model of its own."""
        capable = [coder for coder in self.coders if coder.chance >= self.capable]
        models = [coder.model for coder in capable]
        return [coder for place, coder in enumerate(capable) if coder.model not in models[:place]]

    def expected_cost(self, start: str) -> Cost:
        """US dollars of a run that begins there: each visit's cost, as likely as all before it end red.

        Failures are taken for independent of each other. None as soon as one cost is unknown.
        """
        total, reached = Decimal(0), Decimal(1)
        for rung in self.course(start):
            if rung.cost is None:
                return None
            total += reached * rung.cost
            reached *= 1 - Decimal(str(rung.chance))
        return total

    def course(self, start: str) -> tuple[Rung, ...]:
        """Who works on the task, one after the other, while the gates stay red."""
        found = [self._rung(start)]
        while (following := self.after([rung.agent for rung in found], answered=True)) is not None:
            found.append(following)
        return tuple(found)

    def after(self, tried: Sequence[str], *, answered: bool) -> Rung | None:
        """Who takes over from those that tried; `answered`: the last one finished its visit, and the gates are red.

        The debugger once, unless there is no finished work to debug; then the next coder that is stronger than all
        who tried and whose model has not tried yet. None: nobody, or no escalation is left.
        """
        if len(tried) > self.escalations:
            return None
        if answered and self.debugger.agent not in tried:
            return self.debugger
        models = {self._rung(agent).model for agent in tried}
        reached = max(map(self._strength, tried))
        return next((coder for coder in self.coders[reached + 1 :] if coder.model not in models), None)

    def _rung(self, agent: str) -> Rung:
        known = {rung.agent: rung for rung in (*self.coders, self.debugger)}
        return known.get(agent) or Rung(agent=agent, model="", chance=0.0, cost=None)

    def _strength(self, agent: str) -> int:
        """The place among the coders; of others that of the strongest with the same model, else the lowest."""
        names = [coder.agent for coder in self.coders]
        if agent in names:
            return names.index(agent)
        model = self._rung(agent).model
        return max((place for place, coder in enumerate(self.coders) if coder.model == model), default=0)
