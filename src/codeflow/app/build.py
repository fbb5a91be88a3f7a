"""The composition root: the only file that knows every room. Settings and a task in, an engine out."""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from codeflow.agents.bench import Approve, Bench, Change
from codeflow.agents.context.keeper import ContextPolicy
from codeflow.agents.crew import Crew
from codeflow.agents.specialists import Specialist, coders, read_specialists
from codeflow.agents.toolbox import PolicedTool
from codeflow.app.books import Books
from codeflow.app.cascading import Ladders
from codeflow.app.consulting import start_consulting, who_may_consult
from codeflow.app.gating import find_gates, make_gates
from codeflow.app.lineup import Lineup, Models, choose_lineup
from codeflow.app.messaging import open_mailbox
from codeflow.app.opening import open_workspace
from codeflow.app.permitting import Permits, load_layers
from codeflow.app.remembering import RunNotes, WebWatch, open_notebook, start_remembering, without_memory
from codeflow.app.returning import Returned, return_to
from codeflow.core.errors import CodeflowError
from codeflow.core.events import Notice
from codeflow.core.invisible import spelled_out
from codeflow.core.messages import Hear
from codeflow.core.places import cache_home, state_home
from codeflow.core.ports import Broadcast
from codeflow.core.redacted_events import redacted_value
from codeflow.core.settings import Settings
from codeflow.core.values import Continuation, Decide, Pattern, Route, Task, ToolResult
from codeflow.knowledge.briefing import Briefing, brief
from codeflow.knowledge.instructions import NestedInstructions
from codeflow.knowledge.memory.notebook import Notebook, prune
from codeflow.knowledge.memory.shelf import Shelves
from codeflow.models.breaker import Breakers
from codeflow.models.pricing import dearest_prices
from codeflow.models.providers import Connector
from codeflow.orchestration.engine import Engine
from codeflow.orchestration.safety import Safety
from codeflow.policies.budget import Budget, Limit, limit_of_node, limit_of_run, limit_of_tokens
from codeflow.policies.rules import flag_rules
from codeflow.sessions.checkpoints import Checkpoints
from codeflow.sessions.log import SessionStore
from codeflow.sessions.outputs import Outputs
from codeflow.sessions.past import Past
from codeflow.sessions.pruning import prune_daily
from codeflow.sessions.repository import outside
from codeflow.sessions.worktrees.records import Worktrees, sessions_at_work
from codeflow.tools.project import detect
from codeflow.tools.registry import TOOLS
from codeflow.tools.sandbox.choosing import told_late
from codeflow.tools.tool import Tool
from codeflow.tools.untrusted import as_data
from codeflow.tools.workspace import Workspace


def build(
    settings: Settings,
    task: Task,
    *,
    env: Mapping[str, str],
    approve: Approve | None,
    decide: Decide | None = None,
    spends: bool = True,
    session: Continuation | None = None,
    notes: Sequence[str] = (),
    hear: Hear = tuple,
) -> Engine:
    """Everything one run needs, its session opened and locked.

    `approve`, `decide` None: nobody can be asked. What `spends` nothing is in no ledger. `hear`: what the user says.

    Raises:
        UsageError: for an agent, role, model or roster that nobody knows, or a file that cannot be used.
        SessionError: when the session's log cannot be read or written.
    """
    workspace, confinement = open_workspace(settings, task.workspace, env, task.mode, home=task.home)
    specialists, skipped = _specialists(settings, task.home, env)
    layers = load_layers(settings, task.home, workspace.root, env, flag_rules(task.allow, task.deny, TOOLS))
    lineup, settings = choose_lineup(settings, task, specialists), _with_nodes(settings, task)
    commands, without_tests = find_gates(settings, detect(workspace.root, env))
    books = _books(settings, task, workspace, lineup, env, spends=spends, session=session)
    notebook, web = start_remembering(settings, workspace, books, env)
    models = _models(settings, lineup, books)
    safety, back = _safety(workspace, books, env)

    async def before_change(change: Change) -> None:
        await gates.baseline_ready()
        await safety.before(change)

    permits = Permits(task.mode, layers, web, approved=books.past.approved)
    bench = _bench(settings, workspace, books, safety, permits, approve=approve, before_change=before_change)
    gates = make_gates(settings, bench, commands, books.past.run, safety.command_starts)
    return Engine(
        task=task,
        settings=settings,
        notes=(*notes, *confinement, *skipped, *layers.notes, *_notes(safety, back, without_tests, books)),
        broadcast=books.broadcast,
        meter=books.meter,
        router=models.router(cache_home(env)),
        safety=safety,
        gates=gates,
        brief=_briefing(settings, task, workspace, commands, notebook),
        consultations=start_consulting(settings.consult, models, bench, books.past.run),
        ladder=_ladders(settings, task, lineup, specialists, books),
        make_crew=_crew_maker(task, specialists, models, bench, books.past, hear=hear),
        coders=coders(specialists),
        late_warnings=books.late_warnings,
        close_tools=workspace.close,
        resources=[*books.resources, _Upkeep(settings, env)],
        past=books.past,
        resumes=books.resumes,
        not_as_said=back.not_as_said,
        decide=decide,
        log=books.log,
    )


def _with_nodes(settings: Settings, task: Task) -> Settings:
    """The settings with the policies of a workflow's nodes, which are no settings of the user's to be checked."""
    if task.workflow is None:
        return settings
    from codeflow.orchestration.workflows.terms import nodes_by_path, with_policies

    faults = with_policies(settings.faults, nodes_by_path(task.workflow))
    return settings.model_copy(update={"faults": faults})


def _ladders(
    settings: Settings, task: Task, lineup: Lineup, specialists: Mapping[str, Specialist], books: Books
) -> Ladders:
    return Ladders(
        settings=settings.cascade,
        lineup=lineup,
        specialists=specialists,
        experience=lambda: books.experience(task.home),
    )


def _specialists(
    settings: Settings, root: Path, env: Mapping[str, str]
) -> tuple[Mapping[str, Specialist], tuple[str, ...]]:
    found, skipped = read_specialists(root, env)
    return (found if settings.memory.enabled else without_memory(found)), skipped


@dataclass(frozen=True, slots=True)
class _Upkeep:
    """What is old leaves at the end of a run: checkpoints once a day, notes as they expire."""

    settings: Settings
    env: Mapping[str, str]

    def close(self) -> None:
        home = state_home(self.env)
        prune_daily(
            home / "checkpoints",
            keep_days=self.settings.checkpoints.keep_days,
            running=sessions_at_work(SessionStore(home / "sessions"), Worktrees(home / "worktrees")),
        )
        with contextlib.suppress(CodeflowError):  # the briefing has told about a file that cannot be used
            prune(Shelves(home / "memory"))


def _safety(workspace: Workspace, books: Books, env: Mapping[str, str]) -> tuple[Safety, Returned]:
    """The run's checkpoints, and what a session that goes on finds."""
    checkpoints = Checkpoints(workspace.root, books.log.session_id, state_home(env) / "checkpoints")
    cut_at = books.past.cut_at or books.log.ended_at
    back = return_to(checkpoints, books, cut_at=cut_at)
    first = books.past.run.first if books.resumes else None
    safety = Safety(
        checkpoints,
        books.broadcast,
        is_busy=workspace.runs.is_busy,
        began_at=first.checkpoint_id if first else None,
        cut_at=cut_at,
        redact=workspace.redactor.redact,
    )
    return safety, back


def _bench(
    settings: Settings,
    workspace: Workspace,
    books: Books,
    safety: Safety,
    permits: Permits,
    *,
    approve: Approve | None,
    before_change: Callable[[Change], Awaitable[None]],
) -> Bench:
    run = books.past.run

    async def rewind(call_id: str) -> None:
        if call_id in run.checkpoints and not books.as_is:
            await safety.rewind(run.checkpoints[call_id])

    return Bench(
        workspace=workspace,
        emit=books.broadcast,
        judge=permits.judge,
        learn=permits.learn,
        approve=approve,
        pauses=settings.run.unattended == "pause",
        before_change=before_change,
        after_change=safety.after,
        rewind=rewind,
        denied=list(run.denied),
        changed=set(run.changed),
        logged=books.log.flushed,
        instructions_for=NestedInstructions(
            workspace.root, tokens=settings.context.instructions_tokens
        ).for_path,
        result_limit_chars=settings.context.result_limit_chars,
    )


def _connect(workspace: Workspace, books: Books, env: Mapping[str, str]) -> None:
    """What tools print stays with the session, so that a resumed one can read on; what commands left is told."""
    outputs = Outputs(state_home(env) / "outputs")
    outputs.remove_old()
    workspace.runs.outputs = outputs.of(books.log.session_id)
    workspace.warn = lambda text: books.broadcast(Notice(level="warning", text=text))


def _quiet_strands() -> None:
    """Strands logs what it also raises or returns; without a handler Python prints it between our lines."""
    logging.getLogger("strands").addHandler(logging.NullHandler())


def _models(settings: Settings, lineup: Lineup, books: Books) -> Models:
    _quiet_strands()
    connector = Connector(settings.models)
    books.resources.append(connector)
    return Models(
        settings=settings,
        lineup=lineup,
        books=books,
        connect=connector,
        breakers=Breakers(settings.faults.breaker),
    )


def _books(
    settings: Settings,
    task: Task,
    workspace: Workspace,
    lineup: Lineup,
    env: Mapping[str, str],
    *,
    spends: bool,
    session: Continuation | None,
) -> Books:
    redact = workspace.redactor.redact
    books = Books(settings, task, _budget(task, lineup), env, spends=spends, session=session, redact=redact)
    _connect(workspace, books, env)
    return books


def _budget(task: Task, lineup: Lineup) -> Budget:
    dearest = dearest_prices(lineup.catalogue.models.values())
    limits = task.limits
    return Budget(
        nodes=_limits_of_nodes(task),
        money=None if limits.max_cost is None else limit_of_run(limits.max_cost),
        tokens=None if limits.max_tokens is None else limit_of_tokens(limits.max_tokens),
        unknown_prices=dearest,
    )


def _limits_of_nodes(task: Task) -> Mapping[str, Limit]:
    if task.workflow is None:
        return {}
    from codeflow.orchestration.workflows.terms import nodes_by_path, spending

    return {path: limit_of_node(cost, path) for path, cost in spending(nodes_by_path(task.workflow)).items()}


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

    async def no_checkpoint(*_change: object) -> None:
        pass

    workspace, _ = open_workspace(settings, root, env, settings.run.mode, home=root)
    workspace.runs.lasting = False
    notebook = open_notebook(settings, workspace.root, env, None)
    workspace.notes = RunNotes(notebook, Broadcast([])) if notebook else None
    permits = Permits(
        settings.run.mode, load_layers(settings, root, workspace.root, env), WebWatch(frozenset())
    )
    bench = Bench(
        workspace=workspace,
        emit=Broadcast([]),
        judge=permits.judge,
        learn=permits.learn,
        approve=approve,
        pauses=False,
        before_change=no_checkpoint,
        after_change=no_checkpoint,
        rewind=no_checkpoint,
        instructions_for=lambda _path: None,
    )
    try:
        return await PolicedTool(tool, "you", bench, workspace).call("by-hand", arguments)
    finally:
        await workspace.close()


def _briefing(
    settings: Settings,
    task: Task,
    workspace: Workspace,
    commands: Mapping[str, str],
    notebook: Notebook | None,
) -> Callable[[], Briefing]:
    def redacted() -> Briefing:
        found = brief(
            workspace.root,
            task=task.text,
            commands=commands,
            limits=settings.context,
            command_timeout_s=settings.tools.command_timeout_s,
            environment=workspace.env,
            notebook=notebook,
        )
        clean = cast("Briefing", redacted_value(found, workspace.redactor.redact))
        facts = as_data(spelled_out(clean.facts), "the workspace") if clean.facts else ""
        return replace(clean, instructions=spelled_out(clean.instructions), facts=facts)

    return redacted


def _crew_maker(
    task: Task,
    specialists: Mapping[str, Specialist],
    models: Models,
    bench: Bench,
    past: Past,
    *,
    hear: Hear,
) -> Callable[[Briefing, Route, Pattern], Crew]:
    context = ContextPolicy(
        compact_at=models.settings.context.compact_at,
        summarize=models.summarizer(),
        keep=bench.workspace.runs.keep,
    )
    return lambda briefing, route, pattern: Crew(
        specialists=who_may_consult(specialists, models.settings.consult, models.lineup, route.complexity),
        model_for=lambda specialist, seat, talk: models.for_specialist(
            specialist, seat, route.complexity, talk
        ),
        bench=bench,
        emit=bench.emit,
        mode=task.mode,
        max_turns=task.limits.max_turns,
        instructions=briefing.instructions,
        past=past.conversations,
        context=context,
        faults=models.settings.faults,
        mailbox=open_mailbox(task, pattern, past.run.mail, bench, hear),
    )


def _notes(safety: Safety, back: Returned, without_tests: str | None, books: Books) -> tuple[str, ...]:
    notes = [*back.notes, *books.log.notes, *told_late(safety.workspace)]
    if safety.unavailable:
        notes.append(f"no checkpoint, diff or undo here: {safety.unavailable}")
    elif top := outside(safety.workspace):
        notes.append(
            f"checkpoints and undo hold this folder, not what commands change elsewhere in {top}; "
            "work in that folder to have all of it"
        )
    if without_tests:
        notes.append(without_tests)
    if books.ledger_problem:
        notes.append(f"this run's cost will not be in the ledger: {books.ledger_problem}")
    if books.neighbours:
        others = ", ".join(books.neighbours)
        notes.append(
            f"another run is at work in this folder ({others}): undo cannot tell their changes apart"
        )
    return tuple(notes)
