"""The composition root: the only file that knows every room. Settings and a task in, an engine out."""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from codeflow.agents.crew import Crew
from codeflow.agents.specialists import Specialist, read_specialists, require
from codeflow.agents.toolbox import Approve, Bench, PolicedTool
from codeflow.core.errors import CodeflowError, UsageError
from codeflow.core.events import Broadcast
from codeflow.core.places import cache_home, state_home
from codeflow.core.settings import Settings
from codeflow.core.values import Complexity, Gate, Mode, Route, Task, ToolResult, Verdict
from codeflow.knowledge.briefing import Briefing, brief
from codeflow.knowledge.instructions import NestedInstructions
from codeflow.models.attempts import RetryPolicy
from codeflow.models.catalogue import Catalogue, ModelSpec
from codeflow.models.guarded import GuardedModel
from codeflow.models.pricing import dearest_prices
from codeflow.models.providers import Connect, connector
from codeflow.models.rosters import Roster
from codeflow.orchestration.engine import Closable, Engine
from codeflow.orchestration.gates import Gates
from codeflow.orchestration.router import Router
from codeflow.orchestration.safety import Safety
from codeflow.policies.budget import Budget
from codeflow.policies.permissions import Rules, decide, load_rules
from codeflow.sessions.checkpoints import Checkpoints
from codeflow.sessions.log import SessionStore
from codeflow.telemetry.ledger import Ledger, Recorder
from codeflow.telemetry.meter import Meter
from codeflow.tools.process import Outcome, execute
from codeflow.tools.project import Project, detect
from codeflow.tools.registry import TOOLS
from codeflow.tools.research import Research
from codeflow.tools.tool import Tool
from codeflow.tools.workspace import Workspace

GATE_NAMES = ("build", "lint", "types", "tests")
"""Cheapest evidence first."""

_ROUTER_ATTEMPTS = 2
_PYTEST = re.compile(r"(python3? -m )?pytest(?= |$)")
_TARGET = re.compile(r"-[qvx]|(?!-|/|.*\.\.)[\w./:\[\]-]+")


class Books:
    """Who listens to a run: its session log first, then budget, meter and ledger."""

    def __init__(self, workspace: Path, budget: Budget, env: Mapping[str, str], *, spends: bool) -> None:
        self.budget = budget
        self.meter = Meter()
        store = SessionStore(state_home(env) / "sessions")
        self.neighbours = store.running(workspace)
        self.log = store.create(workspace)
        self.ledger_problem: str | None = None
        self.broadcast = Broadcast([self.log, self.budget, self.meter])
        self.resources: list[Closable] = [self.log]
        self._recorder: Recorder | None = None
        if spends:
            self._open_ledger(workspace, env)

    def _open_ledger(self, workspace: Path, env: Mapping[str, str]) -> None:
        """A run does not depend on its ledger: one that cannot be opened is said."""
        try:
            ledger = Ledger(state_home(env) / "ledger.sqlite3")
        except CodeflowError as error:
            self.ledger_problem = str(error)
            return
        self._recorder = ledger.recorder(self.log.session_id, workspace)
        self.broadcast.consumers.append(self._recorder)
        self.resources.append(ledger)

    def late_warnings(self) -> list[str]:
        """What only the end of a run shows."""
        warnings = [
            f"the price of {model} is unknown: the budget took it for the dearest known"
            for model in sorted(self.budget.unpriced)
        ]
        if self._recorder and self._recorder.problem:
            warnings.append(f"the ledger could not be written: {self._recorder.problem}")
        if self.log.problem:
            warnings.append(f"the session log is incomplete: {self.log.problem}")
        return warnings


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

    def for_specialist(self, specialist: Specialist, complexity: Complexity) -> GuardedModel:
        specs = self.lineup.candidates(specialist.role, complexity, specialist.model)
        return self._guarded(specialist.name, specs, self.settings.models.max_attempts)

    def router(self, cache_folder: Path) -> Router:
        model = None
        if self.settings.router.enabled:
            model = self._guarded("router", self.lineup.candidates("router"), _ROUTER_ATTEMPTS)
        return Router(
            model=model,
            cache_folder=cache_folder,
            min_confidence=self.settings.router.min_confidence,
            emit=self.books.broadcast,
        )

    def _guarded(self, agent: str, specs: list[ModelSpec], max_attempts: int) -> GuardedModel:
        return GuardedModel(
            agent=agent,
            session_id=self.books.log.session_id,
            candidates=specs,
            catalogue=self.lineup.catalogue,
            connect=self.connect,
            emit=self.books.broadcast,
            admit=self.books.budget.admit,
            retry=RetryPolicy(max_attempts=max_attempts, max_wait_s=self.settings.models.max_wait_s),
        )


def build(
    settings: Settings,
    task: Task,
    *,
    env: Mapping[str, str],
    approve: Approve | None,
    spends: bool = True,
) -> Engine:
    """Everything one run needs, its session opened and locked.

    `approve` None: nobody is there to be asked. A run that `spends` nothing stays out of the ledger.

    Raises:
        UsageError: for an agent, role, model or roster that nobody knows, or a file that cannot be used.
        SessionError: when the session's log cannot be written.
    """
    _quiet_strands()
    workspace = _workspace(settings, task.workspace, env)
    specialists, skipped = read_specialists(workspace.root, env)
    lineup = _lineup(settings, task, specialists)
    judge = _judge(task.mode, load_rules())
    commands = gate_commands(settings, detect(workspace.root, env))
    books = Books(workspace.root, _budget(task, lineup), env, spends=spends)
    models = Models(settings=settings, lineup=lineup, books=books, connect=connector(settings.models))
    safety = Safety(Checkpoints(workspace.root, books.log.session_id), books.broadcast)

    async def before_change() -> None:
        await safety.ensure()
        await gates.baseline_ready()

    bench = Bench(
        workspace=workspace,
        emit=books.broadcast,
        judge=judge,
        approve=approve,
        before_change=before_change,
        instructions_for=NestedInstructions(
            workspace.root, tokens=settings.context.instructions_tokens
        ).for_path,
    )
    gates = _gates(settings, bench, commands)
    return Engine(
        task=task,
        settings=settings,
        session_id=books.log.session_id,
        notes=(*skipped, *_notes(safety, commands, books)),
        broadcast=books.broadcast,
        meter=books.meter,
        router=models.router(cache_home(env)),
        safety=safety,
        gates=gates,
        brief=_briefing(settings, task, workspace, commands),
        make_crew=_crew_maker(task, specialists, models, bench),
        coders=[name for name, known in specialists.items() if "edit_file" in known.tools],
        late_warnings=books.late_warnings,
        close_tools=workspace.close,
        resources=books.resources,
    )


def _quiet_strands() -> None:
    """Strands logs what it also raises or returns; without a handler Python prints it between our lines."""
    logging.getLogger("strands").addHandler(logging.NullHandler())


def _budget(task: Task, lineup: Lineup) -> Budget:
    dearest = dearest_prices(lineup.catalogue.models.values())
    return Budget(max_cost=task.limits.max_cost, unknown_prices=dearest)


def gate_commands(settings: Settings, project: Project) -> dict[str, str]:
    """Gate name -> command, as set or found; a gate that is off or was not found is missing."""
    found = {name: getattr(project, name) for name in GATE_NAMES}
    chosen = {name: getattr(settings.gates, name) for name in GATE_NAMES}
    commands = {name: found[name] if chosen[name] == "auto" else chosen[name] for name in GATE_NAMES}
    return {name: command for name, command in commands.items() if command and command != "off"}


async def run_by_hand(
    tool: Tool,
    arguments: Mapping[str, Any],
    settings: Settings,
    root: Path,
    *,
    env: Mapping[str, str],
    approve: Approve | None,
) -> ToolResult:
    """One call of a tool by a person, judged like an agent's call; no session and no checkpoint."""

    async def no_checkpoint() -> None:
        pass

    workspace = _workspace(settings, root, env)
    bench = Bench(
        workspace=workspace,
        emit=Broadcast([]),
        judge=_judge(settings.run.mode, load_rules()),
        approve=approve,
        before_change=no_checkpoint,
        instructions_for=lambda _path: None,
    )
    try:
        return await PolicedTool(tool, "you", bench, workspace).call("by-hand", arguments)
    finally:
        await workspace.close()


def _workspace(settings: Settings, root: Path, env: Mapping[str, str]) -> Workspace:
    return Workspace(
        root,
        settings.tools,
        env,
        tests=settings.gates.tests,
        tests_timeout_s=settings.gates.timeout_s,
        research=Research.configured(settings.research, env),
        trusted=_is_trusted(root, settings),
    )


def _lineup(settings: Settings, task: Task, specialists: Mapping[str, Specialist]) -> Lineup:
    """Every name that a flag, a setting or an agent file mentions is looked up, so that a typo ends here."""
    if task.agent:
        require(specialists, task.agent)
    lineup = Lineup(
        catalogue=Catalogue.load(),
        roster=Roster.load(settings.run.roster),
        overrides={**settings.models.roles, **task.models},
    )
    for role in lineup.overrides:
        lineup.candidates(role)
    for specialist in specialists.values():
        lineup.candidates(specialist.role, own_choice=specialist.model)
        _refuse_strange_model(specialist, task.workspace, settings, lineup.catalogue)
    return lineup


def _refuse_strange_model(
    specialist: Specialist, workspace: Path, settings: Settings, catalogue: Catalogue
) -> None:
    """A stranger's agent file must not send prompts to an ARN of the stranger's account."""
    if specialist.model is None or catalogue.find(specialist.model) is not None:
        return
    if specialist.source.is_relative_to(workspace) and not _is_trusted(workspace, settings):
        raise UsageError(
            f"{specialist.source}: model {specialist.model!r} is not in the catalogue",
            hint="Name a model that `codeflow models` lists, or add this folder to trusted_folders.",
        )


def _is_trusted(folder: Path, settings: Settings) -> bool:
    return folder.resolve() in {Path(known).expanduser().resolve() for known in settings.trusted_folders}


def _judge(mode: Mode, rules: Rules) -> Callable[[Tool, Mapping[str, Any]], Verdict]:
    return lambda tool, arguments: decide(mode, tool.name, tool.effect, arguments, rules)


def _briefing(
    settings: Settings, task: Task, workspace: Workspace, commands: Mapping[str, str]
) -> Callable[[], Briefing]:
    return lambda: brief(
        workspace.root,
        task=task.text,
        commands=commands,
        limits=settings.context,
        command_timeout_s=settings.tools.command_timeout_s,
        environment=workspace.env,
    )


def _crew_maker(
    task: Task, specialists: Mapping[str, Specialist], models: Models, bench: Bench
) -> Callable[[Briefing, Route], Crew]:
    return lambda briefing, route: Crew(
        specialists=specialists,
        model_for=lambda specialist: models.for_specialist(specialist, route.complexity),
        bench=bench,
        emit=bench.emit,
        mode=task.mode,
        max_turns=task.limits.max_turns,
        instructions=briefing.instructions,
    )


def _gates(settings: Settings, bench: Bench, commands: Mapping[str, str]) -> Gates:
    def run(command: str, timeout_s: float) -> Awaitable[Outcome]:
        return execute(
            command,
            cwd=bench.workspace.root,
            env=bench.workspace.env,
            timeout_s=timeout_s,
            output_limit_chars=settings.tools.output_limit_chars,
        )

    timeout_s = settings.gates.timeout_s
    return Gates(
        gates=[Gate(name=name, command=command, timeout_s=timeout_s) for name, command in commands.items()],
        execute=run,
        permit=partial(_permit_gate, bench, commands.get("tests", "")),
        emit=bench.emit,
    )


async def _permit_gate(bench: Bench, tests: str, gate: Gate) -> str | None:
    """The project's gates are judged like run_tests, a command that an agent proposed like run_command.

    An agent's command that is the test command with a narrower target counts as run_tests.
    """
    if gate.name in GATE_NAMES or narrows(gate.command, tests):
        return await bench.permit(TOOLS["run_tests"], gate.command, {})
    return await bench.permit(TOOLS["run_command"], gate.command, {"command": gate.command})


def narrows(command: str, tests: str) -> bool:
    """Whether a command runs a part of the project's tests and can do nothing else."""
    runner = _PYTEST.match(command) if "pytest" in tests else None
    prefix = runner[0] if runner else tests
    if not prefix or not command.startswith(prefix):
        return False
    return all(_TARGET.fullmatch(word) for word in command.removeprefix(prefix).split())


def _notes(safety: Safety, commands: Mapping[str, str], books: Books) -> tuple[str, ...]:
    notes: list[str] = []
    if safety.unavailable:
        notes.append(f"no checkpoint, diff or undo here: {safety.unavailable}")
    if "tests" not in commands:
        notes.append("no test command was found: nothing will show that a change works (set gates.tests)")
    if books.ledger_problem:
        notes.append(f"this run's cost will not be in the ledger: {books.ledger_problem}")
    if books.neighbours:
        others = ", ".join(books.neighbours)
        notes.append(
            f"another run is at work in this folder ({others}): undo cannot tell their changes apart"
        )
    return tuple(notes)
