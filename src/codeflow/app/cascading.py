"""The ladder of a task: which specialists may work on it, with what chance and at what price, by settings and ledger."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeflow.agents.specialists import LEAD, Specialist, load_specialists
from codeflow.app.lineup import Lineup
from codeflow.core.cascade import Expense, Lesson
from codeflow.core.places import state_home
from codeflow.core.settings import CascadeSettings, Settings
from codeflow.core.values import Complexity, Cost, Route, TaskKind, Usage
from codeflow.knowledge.memory.identity import project_home
from codeflow.models.catalogue import Catalogue, ModelSpec
from codeflow.models.pricing import price
from codeflow.models.rosters import Roster
from codeflow.policies.cascade import Ladder, Rung, blended_cost, chance
from codeflow.telemetry.ledger import ledger_to_read

CODERS = ("fast_coder", "senior_coder", LEAD)
"""The weakest first."""
DEBUGGER = "debugger"

Experience = tuple[Sequence[Lesson], Sequence[Expense]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladders:
    """Makes the ladder of a task; `experience` is asked for once the task's kind is known."""

    settings: CascadeSettings
    lineup: Lineup
    specialists: Mapping[str, Specialist]
    experience: Callable[[], Experience]

    def __call__(self, route: Route) -> Ladder:
        """The ladder of a routed task."""
        return self.of(route.kind, route.complexity)

    def of(self, kind: TaskKind | None, complexity: Complexity) -> Ladder:
        """The ladder of a kind of task; None: of one that nothing was learned about."""
        lessons, expenses = self.experience() if self.settings.learn and kind else ((), ())
        seen = {(one.agent, one.model): one for one in lessons if _is_about(one, kind, complexity)}
        paid = {(one.agent, one.model): one for one in expenses if _is_about(one, kind, complexity)}

        def rung(agent: str) -> Rung:
            spec = self._model(agent, complexity)
            place = (agent, spec.model_id)
            return self._rung(agent, spec, complexity, seen.get(place), paid.get(place))

        return Ladder(
            coders=tuple(map(rung, CODERS)),
            debugger=rung(DEBUGGER),
            capable=self.settings.capable,
            escalations=self.settings.escalations,
        )

    def _model(self, agent: str, complexity: Complexity) -> ModelSpec:
        specialist = self.specialists[agent]
        return self.lineup.candidates(specialist.role, complexity, specialist.model)[0]

    def _rung(
        self,
        agent: str,
        spec: ModelSpec,
        complexity: Complexity,
        lesson: Lesson | None,
        expense: Expense | None,
    ) -> Rung:
        weight = self.settings.prior_runs
        green, red = (lesson.green, lesson.red) if lesson else (0, 0)
        believed: float = getattr(getattr(self.settings.chances, complexity.lower()), agent)
        estimate = self._estimate(spec)
        return Rung(
            agent=agent,
            model=spec.model_id,
            chance=chance(believed, weight, green=green, red=red),
            cost=blended_cost(estimate, weight, runs=expense.runs, total=expense.cost)
            if expense
            else estimate,
            green=green,
            red=red,
        )

    def _estimate(self, spec: ModelSpec) -> Cost:
        """A visit of the size that the settings assume, nothing of it cached."""
        settings = self.settings
        return price(
            spec,
            Usage(input_tokens=settings.visit_input_tokens, output_tokens=settings.visit_output_tokens),
        )


def known_ladders(
    settings: Settings, folder: Path, env: Mapping[str, str]
) -> tuple[Ladders, list[tuple[TaskKind | None, Complexity]]]:
    """What a folder's runs would begin with, and the kinds of task that make a difference; None: all others."""
    project = project_home(folder)
    with ledger_to_read(state_home(env) / "ledger.sqlite3") as ledger:
        experience = ledger.lessons(project), ledger.expenses(project)
    ladders = Ladders(
        settings=settings.cascade,
        lineup=Lineup(
            catalogue=Catalogue.load(),
            roster=Roster.load(settings.run.roster),
            overrides=settings.models.roles,
        ),
        specialists=load_specialists(folder, env),
        experience=lambda: experience,
    )
    learned = {(one.complexity, one.task_kind) for one in experience[0]} if settings.cascade.learn else set()
    order = list(Complexity)
    cells = sorted(learned, key=lambda cell: (order.index(cell[0]), cell[1]))
    others: list[tuple[TaskKind | None, Complexity]] = [(None, Complexity.SIMPLE), (None, Complexity.MEDIUM)]
    return ladders, [*((kind, complexity) for complexity, kind in cells), *others]


def _is_about(one: Lesson | Expense, kind: TaskKind | None, complexity: Complexity) -> bool:
    return (one.task_kind, one.complexity) == (kind, complexity)
