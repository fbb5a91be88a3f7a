"""Who makes the attempts at a task, and what they may cost: by catalogue, settings and ledger, before anything is spent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from codeflow.agents.specialists import Specialist, coders, load_specialists, require
from codeflow.app.books import spent_today
from codeflow.app.cascading import CODERS, DEBUGGER
from codeflow.app.lineup import Lineup
from codeflow.core.cascade import Expense
from codeflow.core.errors import UsageError
from codeflow.core.places import state_home
from codeflow.core.settings import Settings
from codeflow.core.values import Complexity, Cost, Limits, Pattern, Task, Usage
from codeflow.knowledge.memory.identity import project_home
from codeflow.models.catalogue import Catalogue
from codeflow.models.pricing import price
from codeflow.models.rosters import Roster
from codeflow.orchestration.attempts import MOST, PATTERNS, Starter, share_of
from codeflow.policies.cascade import blended_cost
from codeflow.telemetry.ledger import ledger_to_read

_WITH_A_MODEL = "senior_coder"
"""Who works with a model that is named without an agent."""
_AT_WORK: Mapping[Pattern, tuple[str, ...]] = {
    Pattern.CASCADE: (CODERS[0], DEBUGGER),
    Pattern.GRAPH: ("architect", "senior_coder", "test_engineer", "reviewer", "documentation"),
}
"""Whose visits an attempt of a pattern is taken to consist of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Attempts as they would be made; costs are US dollars, None where a price is unknown.

    `limits` are those of all attempts and the judge together; each attempt gets `share`.
    """

    starters: tuple[Starter, ...]
    each: tuple[Cost, ...]
    """What is expected of each attempt: a visit of everybody in it, by what such visits took in this project."""
    judge: Cost
    limits: Limits
    share: Limits

    @property
    def expected(self) -> Cost:
        """What all of it is expected to cost, never more than the limit lets it."""
        costs = [cost for cost in (*self.each, self.judge) if cost is not None]
        if len(costs) <= len(self.each):
            return self.limits.max_cost
        total = sum(costs, Decimal(0))
        return total if self.limits.max_cost is None else min(total, self.limits.max_cost)


def offer(settings: Settings, task: Task, names: Sequence[str], count: int, env: Mapping[str, str]) -> Offer:
    """So many attempts, begun in turn by those that were named, else by the coders of the cascade.

    Raises:
        UsageError: for a name that is no agent, model or pattern, an agent that changes nothing, or too many names.
    """
    if len(names) > count:
        raise UsageError(
            f"{len(names)} names for {count} attempts: none is left for {', '.join(names[count:])}",
            hint=f"Give --attempts {len(names)}, or leave names out."
            if len(names) <= MOST
            else "Leave names out.",
        )
    prospects = _Prospects.of(settings, task, env)
    prospects.judge()
    named = names or ([task.agent] if task.agent else CODERS)
    known = [prospects.starter(name, task.agent or _WITH_A_MODEL) for name in named]
    starters = tuple(known[place % len(known)] for place in range(count))
    limits = _within_the_day(task.limits, settings, env)
    return Offer(
        starters=starters,
        each=tuple(map(prospects.cost, starters)),
        judge=prospects.visit(settings.attempts.judge, {}),
        limits=limits,
        share=share_of(limits, count),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prospects:
    """What can be named, and what a visit of each took so far."""

    settings: Settings
    task: Task
    specialists: Mapping[str, Specialist]
    lineup: Lineup
    expenses: Sequence[Expense]

    @classmethod
    def of(cls, settings: Settings, task: Task, env: Mapping[str, str]) -> "_Prospects":
        with ledger_to_read(state_home(env) / "ledger.sqlite3") as ledger:
            expenses = ledger.expenses(project_home(task.workspace))
        return cls(
            settings=settings,
            task=task,
            specialists=load_specialists(task.workspace, env),
            lineup=Lineup(
                catalogue=Catalogue.load(),
                roster=Roster.load(settings.run.roster),
                overrides={**settings.models.roles, **task.models},
            ),
            expenses=expenses,
        )

    def judge(self) -> Specialist:
        return require(self.specialists, self.settings.attempts.judge)

    def starter(self, name: str, with_model: str) -> Starter:
        if name in PATTERNS:
            return Starter(name=name, pattern=Pattern(name))
        if self._is_model(name):
            role = require(self.specialists, with_model).role
            self.lineup.roster.spec(self.lineup.catalogue, name)
            return Starter(name=name, agent=with_model, models={role: name})
        require(self.specialists, name)
        if name not in coders(self.specialists):
            raise UsageError(
                f"{name} changes no files, so it cannot make an attempt",
                hint=f"Coders are {', '.join(coders(self.specialists))}.",
            )
        return Starter(name=name, agent=name)

    def cost(self, starter: Starter) -> Cost:
        """US dollars of an attempt."""
        agents = _AT_WORK[starter.pattern] if starter.pattern else (starter.agent or "",)
        costs = [self.visit(agent, starter.models) for agent in agents]
        known = [cost for cost in costs if cost is not None]
        return sum(known, Decimal(0)) if len(known) == len(costs) else None

    def visit(self, agent: str, models: Mapping[str, str]) -> Cost:
        """US dollars of a visit: what the settings assume, and what such visits took in tasks of all kinds here."""
        specialist = self.specialists[agent]
        lineup = replace(self.lineup, overrides={**self.lineup.overrides, **models})
        complexity = self.task.complexity or Complexity.MEDIUM
        spec = lineup.candidates(specialist.role, complexity, specialist.model)[0]
        assumed = self.settings.cascade
        size = Usage(input_tokens=assumed.visit_input_tokens, output_tokens=assumed.visit_output_tokens)
        seen = [one for one in self.expenses if (one.agent, one.model) == (agent, spec.model_id)]
        return blended_cost(
            price(spec, size),
            assumed.prior_runs,
            runs=sum(one.runs for one in seen),
            total=sum((one.cost for one in seen), Decimal(0)),
        )

    def _is_model(self, name: str) -> bool:
        """Agents' names hold none of the signs that ids of models are full of."""
        if name in self.specialists:
            return False
        known = name in self.lineup.roster.models or self.lineup.catalogue.find(name) is not None
        return known or any(sign in name for sign in ".:/")


def _within_the_day(limits: Limits, settings: Settings, env: Mapping[str, str]) -> Limits:
    """Attempts begin at the same time, so that none would see in the ledger what the others spend."""
    if settings.run.max_cost_day is None:
        return limits
    left = max(settings.run.max_cost_day - sum(spent_today(env).values(), Decimal(0)), Decimal(0))
    return replace(limits, max_cost=left if limits.max_cost is None else min(left, limits.max_cost))
