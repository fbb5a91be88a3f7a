"""`codeflow resume`: a session goes on, with the run that was cut short or with another task."""

import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codeflow.cli import completing
from codeflow.cli.execute import Continued, Front, Output, execute, show_again
from codeflow.cli.options import MaxTurns, NoSandbox, Quiet, Timeout
from codeflow.cli.render.clean import one_line
from codeflow.core.values import EXIT_CODES, Continuation, Mode, Task

if TYPE_CHECKING:
    from rich.console import Console

    from codeflow.cli.approval import GivenAnswer
    from codeflow.cli.reporting import Reporting
    from codeflow.cli.request import Choices
    from codeflow.core.results import RunResult
    from codeflow.core.settings import Settings
    from codeflow.sessions.log import SessionStore
    from codeflow.sessions.past import Past

MaxCost = Annotated[
    str | None, typer.Option(metavar="USD", help="Another limit; what was spent before counts.")
]
MaxTokens = Annotated[
    str | None, typer.Option(metavar="N", help="Another limit; what was used before counts.")
]

AsIs = Annotated[
    bool,
    typer.Option("--as-is", help="Go on from the files as they are, also where the run left others."),
]


_JUDGED = "the judge of attempts, which is not asked again"
_ATTEMPTS = "`codeflow worktrees list` shows the attempts, `codeflow worktrees merge SESSION` takes one."
_SANDBOXED = "the session began with --no-sandbox, which holds for one run: commands are in the sandbox now"


Unfinished = Annotated[
    str | None,
    typer.Argument(
        help="Default: this folder's latest run that did not finish.", autocompletion=completing.sessions
    ),
]


def resume(
    session: Unfinished = None,
    task: Annotated[
        str | None, typer.Argument(help="Another task for the session; `-` reads it from stdin.")
    ] = None,
    *,
    approve: Annotated[
        bool, typer.Option("--approve", help="Agree to what the run waits for, this once.")
    ] = False,
    deny: Annotated[
        str | None, typer.Option(metavar="REASON", help="Refuse it; the model is told the reason.")
    ] = None,
    output: Annotated[Output, typer.Option(help="What to print on stdout.")] = Output.TEXT,
    mode: Annotated[Mode | None, typer.Option(help="What may be done without asking from now on.")] = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    max_turns: MaxTurns = None,
    timeout: Timeout = None,
    workspace: Annotated[
        Path | None, typer.Option(help="The folder to work in; default: the session's.")
    ] = None,
    as_is: AsIs = False,
    no_sandbox: NoSandbox = False,
    quiet: Quiet = False,
) -> int:
    """Go on with a run that was cut short.

    It was interrupted, stopped, paused or killed; or its session gets another TASK. What the log holds is not done
    again: answers, tool calls and gates are taken from there.
    """
    from codeflow.cli.request import Choices, open_store
    from codeflow.cli.tasktext import read_task
    from codeflow.core.errors import UsageError

    if approve and deny is not None:
        raise UsageError("--approve and --deny exclude each other", hint="Give one of them.")
    store, folder = open_store(workspace)
    if session:
        session_id = store.find(session)
        past = recalled(store, session_id)
    else:
        session_id, past = _latest(store, folder)
    chosen = Choices(
        mode=mode,
        max_cost=max_cost,
        max_tokens=max_tokens,
        max_turns=max_turns,
        timeout_s=timeout,
        no_sandbox=no_sandbox,
    )
    text = read_task(task, None) if task is not None else None
    answer = _answer(past, session_id, approve=approve, deny=deny)
    place = workspace if session else _place(past, workspace)
    return go_on(
        session_id, past, text, chosen, place, answer=answer, as_is=as_is, output=output, quiet=quiet
    )


def continue_latest(
    text: str | None, chosen: "Choices", workspace: Path | None, *, output: Output, quiet: bool
) -> int:
    """`run --continue`: the folder's latest session, with another task or with the run that was cut short."""
    from codeflow.cli.request import open_store
    from codeflow.cli.workplaces import elsewhere
    from codeflow.core.errors import SessionError

    store, folder = open_store(workspace)
    latest = store.latest(folder)
    if latest is None:
        raise SessionError(
            f"no session has worked in {folder}",
            hint=f"Leave --continue out to begin one. {elsewhere(folder)}",
        )
    past = recalled(store, latest)
    if _is_judge(past):
        latest, past = _latest(store, folder) if text is None else _worked(store, folder)
    return go_on(latest, past, text, chosen, _place(past, workspace), output=output, quiet=quiet)


def _worked(store: "SessionStore", folder: Path) -> "tuple[str, Past]":
    """The folder's newest session but for those of judges."""
    from codeflow.core.errors import SessionError

    for known in store.list(folder):
        past = _readable(store, known.id)
        if past is not None and not _is_judge(past):
            return known.id, past
    raise SessionError(f"the only session of {folder} is {_JUDGED}", hint=_ATTEMPTS)


def _is_judge(past: "Past") -> bool:
    """Whether the session's run chose among attempts, which only their own process makes use of."""
    from codeflow.core.attempts import JUDGE

    request = past.run.started.request if past.run.started else None
    return request is not None and request.command.get("name") == JUDGE


def go_on(
    session_id: str,
    past: "Past",
    text: str | None,
    chosen: "Choices",
    workspace: Path | None,
    *,
    answer: "GivenAnswer | None" = None,
    as_is: bool = False,
    output: Output,
    quiet: bool,
    after: "Callable[[RunResult], None] | None" = None,
    front: Front | None = None,
) -> int:
    """Run a session's last task to its end, or another one when there is a `text`.

    A run that had ended is not run again: its result is shown, so that whoever was killed at the very end gets it.

    Raises:
        UsageError: when the session's folder is gone, or nothing was asked for in it.
    """
    from codeflow.core.errors import UsageError

    before = request_of(past, session_id)
    resumes = text is None
    if resumes and _is_judge(past):
        raise UsageError(f"session {session_id} is {_JUDGED}", hint=_ATTEMPTS)
    report = _reporting(before, workspace) if resumes and output is Output.TEXT and front is None else None
    if resumes and past.run.is_over and past.run.result is not None:
        return _again(past.run.result, report, output=output, quiet=quiet)
    chosen = _choices(past, before, chosen, resumes=resumes)
    settings, prepared = _prepared(session_id, before, text or before.text, chosen, workspace)
    if resumes:
        prepared = replace(prepared, plan=before.plan, workflow=before.workflow, command=before.command)
    prepared = replace(prepared, quotes_strangers=before.quotes_strangers)  # what was read stays read
    if prepared.home != Path.cwd():
        print(f"codeflow: working in {one_line(str(prepared.workspace))}", file=sys.stderr)
    session = Continued(
        session=Continuation(session_id=session_id, resumes=resumes, as_is=as_is), answer=answer
    )
    code = execute(
        settings,
        prepared,
        output=output,
        quiet=quiet,
        session=session,
        notes=[_SANDBOXED] if before.no_sandbox and not chosen.no_sandbox else [],
        after=_after(prepared, report.deliver if report else after),
        answer_to=_nowhere() if report else None,
        front=front,
    )
    return report.code(code) if report else code


def _prepared(
    session_id: str, before: Task, text: str, chosen: "Choices", workspace: Path | None
) -> "tuple[Settings, Task]":
    """The session's next task where it is to be done: in the folder that was asked for, else where it worked before."""
    from codeflow.cli.request import prepare

    if before.worktree and workspace is None:
        from codeflow.cli.workplaces import still_there

        worktree = still_there(before.worktree, session_id)
        settings, prepared = prepare(text, before.home, chosen)
        return settings, replace(prepared, workspace=worktree.folder, worktree=worktree)
    folder = _folder(before, workspace)
    if not before.home.is_dir():
        _bring_along(session_id, before.home, folder)
    return prepare(text, folder, chosen)


def _reporting(before: Task, workspace: Path | None) -> "Reporting | None":
    """What shows the run's result in place of its answer, where that is a review's report."""
    from codeflow.cli.reporting import Reporting, asked_in

    asked = asked_in(before.command)
    return Reporting(asked, workspace or before.workspace) if asked else None


def _nowhere() -> "Console":
    from codeflow.cli.reporting import nowhere

    return nowhere()


def _again(result: "RunResult", report: "Reporting | None", *, output: Output, quiet: bool) -> int:
    """Shows the result of a run that had ended, and returns the exit code."""
    if report is None:
        return show_again(result, output=output, quiet=quiet)
    print(f"codeflow: session {result.session_id} had come to its end; this is its report", file=sys.stderr)
    report.deliver(result)
    return report.code(EXIT_CODES[result.status])


def _after(task: Task, others: "Callable[[RunResult], None] | None") -> "Callable[[RunResult], None] | None":
    """What else there is, and then what happens to the session's worktree when the run has ended."""
    if task.worktree is None:
        return others
    from codeflow.cli.isolation import offer

    worktree = task.worktree

    def both(result: "RunResult") -> None:
        if others:
            others(result)
        offer(worktree, result)

    return both


def recalled(store: "SessionStore", session_id: str) -> "Past":
    """A session as its log tells it."""
    from codeflow.sessions.past import recall

    return recall(store.events(session_id))


def _latest(store: "SessionStore", folder: Path) -> "tuple[str, Past]":
    """The folder's newest session that did not finish, else its newest; never that of a judge.

    Raises:
        UsageError: when there is none, or a judge was cut short after everything else had ended.
    """
    from codeflow.cli.workplaces import elsewhere
    from codeflow.core.errors import UsageError

    running = store.running(folder)
    newest: tuple[str, Past] | None = None
    judges = 0
    for known in store.list(folder):
        past = None if known.id in running else _readable(store, known.id)
        if past is None:
            continue
        if _is_judge(past):
            judges += newest is None and not past.run.is_over
            continue
        if not past.run.is_over:
            return known.id, past
        newest = newest or (known.id, past)
    if judges:
        raise UsageError(f"all that was cut short in {folder} is {_JUDGED}", hint=_ATTEMPTS)
    if newest is None:
        raise UsageError(
            f"no run in {folder} was cut short",
            hint=elsewhere(folder),
        )
    return newest


def _readable(store: "SessionStore", session_id: str) -> "Past | None":
    """The session's state; None when its log is damaged, which `codeflow sessions` tells."""
    from codeflow.core.errors import SessionError

    try:
        return recalled(store, session_id)
    except SessionError:
        return None


def request_of(past: "Past", session_id: str) -> Task:
    """What a session was last asked for.

    Raises:
        UsageError: when nothing was.
    """
    from codeflow.core.errors import UsageError

    started = past.run.started
    if started is None:
        raise UsageError(
            f"session {session_id} ended before it began", hint="Start a new one with `codeflow run`."
        )
    return started.request or Task(text=started.task, workspace=Path(started.workspace), mode=started.mode)


def _place(past: "Past", workspace: Path | None) -> Path | None:
    """The folder that a session was found by is the one to work in, unless the session has a worktree of it."""
    request = past.run.started.request if past.run.started else None
    return None if request and request.worktree else workspace


def _folder(before: Task, workspace: Path | None) -> Path:
    from codeflow.cli.request import existing_folder
    from codeflow.core.errors import UsageError

    if workspace is None and not before.workspace.is_dir():
        raise UsageError(
            f"{before.workspace}: the session's folder is not here",
            hint="If it was moved, say where it is now: --workspace DIR.",
        )
    return existing_folder(workspace or before.workspace)


def _bring_along(session_id: str, old: Path, new: Path) -> None:
    """What is kept of a session under the name of a folder that is gone goes where the folder is now."""
    from codeflow.cli.workplaces import bring_along, local_sessions

    bring_along(session_id, old, new)
    local_sessions().rehome(session_id, new)


def _choices(past: "Past", before: Task, chosen: "Choices", *, resumes: bool) -> "Choices":
    """What was chosen when the run began holds on; another task only keeps models, roster and mode."""
    started = past.run.started
    kept = replace(
        chosen,
        mode=chosen.mode or past.run.mode,
        models={**before.models, **chosen.models},
        roster=chosen.roster or (started.roster if started else None),
        allow=tuple(dict.fromkeys((*before.allow, *chosen.allow))),
        deny=tuple(dict.fromkeys((*before.deny, *chosen.deny))),
    )
    if not resumes:
        return replace(kept, agent=chosen.agent or before.agent)
    limits = before.limits
    return replace(
        kept,
        pattern=before.pattern,
        complexity=before.complexity,
        agent=before.agent,
        dry_run=before.dry_run,
        max_cost=_as_flag(limits.max_cost) if chosen.max_cost is None else chosen.max_cost,
        max_tokens=_as_flag(limits.max_tokens) if chosen.max_tokens is None else chosen.max_tokens,
        max_turns=limits.max_turns if chosen.max_turns is None else chosen.max_turns,
        timeout_s=limits.timeout_s if chosen.timeout_s is None else chosen.timeout_s,
    )


def _as_flag(limit: Decimal | int | None) -> str:
    return "none" if limit is None else str(limit)


def _answer(past: "Past", session_id: str, *, approve: bool, deny: str | None) -> "GivenAnswer | None":
    from codeflow.cli.approval import GivenAnswer
    from codeflow.core.errors import UsageError

    if not approve and deny is None:
        return None
    if past.run.question is None:
        raise UsageError(f"session {session_id} waits for no answer", hint="Leave --approve and --deny out.")
    return GivenAnswer(past.run.question, None if approve else f"the user said no: {deny}")
