"""Which models play which role, checked before anything is spent."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codeflow.agents.consultant import MAX_TOKENS as MOST_ADVICE
from codeflow.agents.consultant import Adviser
from codeflow.agents.context.summary import MAX_TOKENS, Summarizer
from codeflow.agents.context.summary import NAME as SUMMARIZER
from codeflow.agents.specialists import Specialist, require
from codeflow.app.books import Books
from codeflow.core.consulting import CONSULTANT
from codeflow.core.errors import UsageError
from codeflow.core.reliability import FaultPolicy
from codeflow.core.settings import Settings
from codeflow.core.trust import is_trusted
from codeflow.core.values import Complexity, Task
from codeflow.models.breaker import Breakers
from codeflow.models.catalogue import Catalogue, ModelSpec
from codeflow.models.guarded import GuardedModel
from codeflow.models.providers import Connect
from codeflow.models.rosters import Roster
from codeflow.orchestration.nodes import check_nodes
from codeflow.orchestration.router import Router
from codeflow.sessions.talk import Conversation


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineup:
    """Which models play which role: the roster, with the user's own choices on top."""

    catalogue: Catalogue
    roster: Roster
    overrides: Mapping[str, str]

    def candidates(
        self, role: str, complexity: Complexity | None = None, own_choice: str | None = None
    ) -> list[ModelSpec]:
        """A role's models, first choice first.

        Raises:
            UsageError: for a role or model that nobody knows.
        """
        override = self.overrides.get(role) or own_choice
        ids = self.roster.candidates(role, complexity, override)
        return [self.roster.spec(self.catalogue, model_id) for model_id in ids]


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Makes the guarded model of each agent."""

    settings: Settings
    lineup: Lineup
    books: Books
    connect: Connect
    breakers: Breakers

    def for_specialist(
        self, specialist: Specialist, seat: str, complexity: Complexity, past: Conversation
    ) -> GuardedModel:
        """The model of a specialist in a seat; one that a session has moved on to stays."""
        specs = self.lineup.candidates(specialist.role, complexity, specialist.model)
        known = [spec.model_id for spec in specs]
        if past.model in known:
            specs = specs[known.index(past.model) :]
        foreign = past.foreign if specs[0].model_id == past.model else len(past.messages)
        return self._guarded(
            seat,
            specs,
            self.settings.faults,
            steps=past.steps,
            foreign_messages=foreign,
        )

    def router(self, cache_folder: Path) -> Router:
        model = None
        if self.settings.router.enabled:
            steps = self.books.past.conversations["router"].steps
            candidates = self.lineup.candidates("router")
            model = self._guarded("router", candidates, self.settings.faults.of("router"), steps=steps)
        return Router(
            model=model,
            cache_folder=cache_folder,
            min_confidence=self.settings.router.min_confidence,
            emit=self.books.broadcast,
        )

    def summarizer(self) -> Summarizer:
        """The model of the cheapest coder, which reads code well enough to sum work up."""
        specs = [
            spec.model_copy(update={"max_tokens": min(spec.max_tokens, MAX_TOKENS)})
            for spec in self.lineup.candidates("fast_coder")
        ]
        steps = self.books.past.conversations[SUMMARIZER].steps
        return Summarizer(self._guarded(SUMMARIZER, specs, self.settings.faults.of(SUMMARIZER), steps=steps))

    def adviser(self, complexity: Complexity) -> Adviser:
        """The architect's model, asked for short answers."""
        specs = [
            spec.model_copy(update={"max_tokens": min(spec.max_tokens, MOST_ADVICE)})
            for spec in self.lineup.candidates("architect", complexity)
        ]
        steps = self.books.past.conversations[CONSULTANT].steps
        return Adviser(self._guarded(CONSULTANT, specs, self.settings.faults.of(CONSULTANT), steps=steps))

    def _guarded(
        self,
        agent: str,
        specs: list[ModelSpec],
        policy: FaultPolicy,
        *,
        steps: int,
        foreign_messages: int = 0,
    ) -> GuardedModel:
        return GuardedModel(
            agent=agent,
            session_id=self.books.log.session_id,
            candidates=specs,
            catalogue=self.lineup.catalogue,
            connect=self.connect,
            emit=self.books.broadcast,
            admit=self.books.budget.admit,
            logged=self.books.log.flushed,
            policy=policy,
            breakers=self.breakers,
            steps=steps,
            foreign_messages=foreign_messages,
        )


def choose_lineup(settings: Settings, task: Task, specialists: Mapping[str, Specialist]) -> Lineup:
    """Every name that a flag, a setting or an agent file mentions is looked up, so that a typo ends here."""
    if task.agent:
        require(specialists, task.agent)
    check_nodes(settings.faults, specialists)
    lineup = Lineup(
        catalogue=Catalogue.load(),
        roster=Roster.load(settings.run.roster),
        overrides={**settings.models.roles, **task.models},
    )
    for role in lineup.overrides:
        lineup.candidates(role)
    for specialist in specialists.values():
        lineup.candidates(specialist.role, own_choice=specialist.model)
        _refuse_strange_model(specialist, task.home, settings, lineup.catalogue)
    return lineup


def _refuse_strange_model(
    specialist: Specialist, workspace: Path, settings: Settings, catalogue: Catalogue
) -> None:
    """A stranger's agent file must not send prompts to an ARN of the stranger's account."""
    if specialist.model is None or catalogue.find(specialist.model) is not None:
        return
    if specialist.source.is_relative_to(workspace) and not is_trusted(workspace, settings.trusted_folders):
        raise UsageError(
            f"{specialist.source}: model {specialist.model!r} is not in the catalogue",
            hint="Name a model that `codeflow models` lists, or trust this folder: `codeflow trust` (trusted_folders).",
        )
