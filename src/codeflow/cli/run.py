"""`codeflow run`: one task, one result."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand
from typing_extensions import override

from codeflow.cli import completing
from codeflow.cli.execute import Output, check_record, execute
from codeflow.cli.options import MaxTurns, NoSandbox, Quiet, Roster, Timeout
from codeflow.cli.resume import continue_latest
from codeflow.cli.tasktext import read_task
from codeflow.core.errors import UsageError
from codeflow.core.values import Complexity, Mode, Pattern, Plan, Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from codeflow.cli.request import Choices
    from codeflow.core.settings import Settings

Branch = Annotated[
    str | None,
    typer.Option(
        metavar="[=BRANCH]",
        help="Work in a git worktree, apart from your files, and offer to merge at the end.",
    ),
]

Unasked = Annotated[
    Mode | None, typer.Option(help="What may be done without asking: reads, nothing, edits, everything.")
]
Unrouted = Annotated[Complexity | None, typer.Option(help="Skip the router.", case_sensitive=False)]
RoleModels = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ROLE=ID", help="Another model for a role; repeatable.", autocompletion=completing.role_models
    ),
]
Allowed = Annotated[
    list[str] | None,
    typer.Option(metavar="RULE", help="Do not ask about calls such as 'run_command(npm test)'; repeatable."),
]
Denied = Annotated[
    list[str] | None, typer.Option(metavar="RULE", help="Refuse calls such as 'write_file(docs/**)'.")
]

Untrusted = Annotated[
    Path | None,
    typer.Option(
        "--untrusted", metavar="FILE", help="What others wrote, such as an issue: added to the task as data."
    ),
]
Continues = Annotated[bool, typer.Option("--continue", help="Go on with this folder's latest session.")]
PlanFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Carry out a plan of `codeflow plan`, with its task.")
]
Workflow = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Do it by a workflow: codeflow workflows list.",
        autocompletion=completing.workflows,
    ),
]
Agent = Annotated[
    str | None, typer.Option(help="Give the task to this specialist.", autocompletion=completing.agents)
]
Given = Annotated[
    list[str] | None,
    typer.Option("--input", metavar="KEY=VALUE", help="An input of the workflow; repeatable."),
]
Attempts = Annotated[
    int | None,
    typer.Option(metavar="K", min=2, max=8, help="Make several attempts side by side, and merge the best."),
]
By = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Who begins an attempt: agent, model, cascade or graph; repeatable."),
]
Keep = Annotated[bool, typer.Option("--keep", help="Keep the worktrees of attempts that were not chosen.")]
Yes = Annotated[bool, typer.Option("--yes", help="Agree to the price of the attempts.")]
MaxCost = Annotated[str | None, typer.Option(metavar="USD", help="Stop before this is spent.")]
MaxTokens = Annotated[str | None, typer.Option(metavar="N", help="Stop before so many are read and written.")]


class RunCommand(TyperCommand):
    """`--worktree` takes a name only behind `=`: a word that follows it is the task."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        options = args[: args.index("--")] if "--" in args else args
        named = ["--worktree=" if word == "--worktree" else word for word in options]
        return super().parse_args(ctx, [*named, *args[len(options) :]])


def run(
    task: Annotated[str | None, typer.Argument(help="What to do; `-` reads it from stdin.")] = None,
    *,
    file: Annotated[Path | None, typer.Option(help="Read the task from this file.")] = None,
    quoted: Untrusted = None,
    output: Annotated[Output, typer.Option(help="What to print on stdout.")] = Output.TEXT,
    mode: Unasked = None,
    plan: PlanFile = None,
    workflow: Workflow = None,
    given: Given = None,
    pattern: Annotated[Pattern | None, typer.Option(help="How specialists are arranged.")] = None,
    complexity: Unrouted = None,
    agent: Agent = None,
    model: RoleModels = None,
    roster: Roster = None,
    max_cost: MaxCost = None,
    max_tokens: MaxTokens = None,
    max_turns: MaxTurns = None,
    timeout: Timeout = None,
    allow: Allowed = None,
    deny: Denied = None,
    workspace: Annotated[Path | None, typer.Option(help="The folder to work in; default: this one.")] = None,
    record: Annotated[Path | None, typer.Option(help="Write a transcript for `codeflow replay`.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Route and plan only.")] = False,
    continues: Continues = False,
    worktree: Branch = None,
    attempts: Attempts = None,
    by: By = None,
    keep: Keep = False,
    yes: Yes = False,
    no_sandbox: NoSandbox = False,
    quiet: Quiet = False,
) -> int:
    """Do a task in this folder. Text that is piped in beside TASK is appended to it."""
    from codeflow.cli.request import Choices, role_models

    choices = Choices(
        mode=mode,
        pattern=pattern,
        complexity=complexity,
        agent=agent,
        models=role_models(model or []),
        roster=roster,
        max_cost=max_cost,
        max_tokens=max_tokens,
        max_turns=max_turns,
        timeout_s=timeout,
        dry_run=dry_run,
        no_sandbox=no_sandbox,
        allow=tuple(allow or ()),
        deny=tuple(deny or ()),
        workflow=workflow,
        inputs=tuple(given or ()),
    )
    _check_flags(choices, plan, record, worktree, attempts, continues=continues, quoted=quoted)
    if continues:
        return continue_latest(_another(task, file), choices, workspace, output=output, quiet=quiet)
    work = _way(choices, plan, worktree, attempts, by, keep=keep, yes=yes)
    told = _prepared(plan, (task, file, quoted), choices, workspace)
    return work(*told, output=output, quiet=quiet, record=record)


def _another(task: str | None, file: Path | None) -> str | None:
    """Another task for a session that goes on, if there is one."""
    return read_task(task, file) if task is not None or file is not None else None


def _prepared(
    plan: Path | None,
    words: tuple[str | None, Path | None, Path | None],
    choices: "Choices",
    workspace: Path | None,
) -> "tuple[Settings, Task]":
    """The settings in force and the task. `words`: as an argument, in a file, and in one of others."""
    from codeflow.cli.request import existing_folder, prepare

    folder = existing_folder(workspace)
    if plan is None:
        settings, prepared = prepare(read_task(*words), folder, choices)
        return settings, replace(prepared, quotes_strangers=words[2] is not None)
    if words != (None, None, None):
        raise UsageError(
            "a plan brings its own task", hint="Leave TASK, --file and --untrusted out, or edit the plan."
        )
    text, planned = _with_plan(plan, choices, folder)
    settings, prepared = prepare(text, folder, choices)
    return settings, replace(prepared, plan=planned)


def _way(
    choices: "Choices",
    plan: Path | None,
    worktree: str | None,
    attempts: int | None,
    by: list[str] | None,
    *,
    keep: bool,
    yes: bool,
) -> "Callable[..., int]":
    """What does the task like `execute`: that itself, in a worktree, or several times in several of them."""
    if attempts is not None:
        _check_attempts(choices, plan, worktree)
        from codeflow.cli.attempts import Wanted, run_attempts

        return partial(run_attempts, wanted=Wanted(count=attempts, by=tuple(by or ()), keep=keep, yes=yes))
    for flag, is_given in {"--by": bool(by), "--keep": keep, "--yes": yes}.items():
        if is_given:
            raise UsageError(f"{flag} is for several attempts", hint="Say how many with --attempts.")
    if worktree is None:
        return execute
    from codeflow.cli.isolation import run_isolated

    return partial(run_isolated, branch=worktree or None)


def _check_attempts(choices: "Choices", plan: Path | None, worktree: str | None) -> None:
    others = {
        "--worktree": worktree is not None,
        "--plan": plan is not None,
        "--workflow": choices.workflow is not None,
        "--pattern": choices.pattern is not None,
    }
    for flag, is_given in others.items():
        if is_given:
            raise UsageError(
                f"{flag} does not go with --attempts",
                hint="Each attempt has a worktree of its own, and --by says who begins it.",
            )


def _with_plan(plan: Path, choices: "Choices", folder: Path) -> tuple[str, Plan]:
    """The task and the plan of a file."""
    from codeflow.cli.request import given_plan

    if choices.agent is not None or choices.pattern not in {None, Pattern.GRAPH}:
        raise UsageError(
            "--plan names the agents of its steps, and is a graph", hint="Leave --agent and --pattern out."
        )
    return given_plan(plan, folder)


def _check_flags(
    choices: "Choices",
    plan: Path | None,
    record: Path | None,
    worktree: str | None,
    attempts: int | None,
    *,
    continues: bool,
    quoted: Path | None,
) -> None:
    """Refuse what does not go together, before anything is done."""
    check_record(record)
    _check_workflow(choices, plan, continues=continues)
    if continues:
        _check_continue(record, worktree, plan, attempts, quoted)


def _check_workflow(choices: "Choices", plan: Path | None, *, continues: bool) -> None:
    """A workflow says who does what, and nothing else says so beside it."""
    if choices.workflow is None:
        if choices.inputs:
            raise UsageError("--input is for a workflow", hint="Name it with --workflow.")
        if choices.pattern is Pattern.WORKFLOW:
            raise UsageError("--pattern workflow needs a name", hint="Use --workflow NAME instead.")
        return
    others = {
        "--plan": plan is not None,
        "--continue": continues,
        "--agent": choices.agent is not None,
        "--pattern": choices.pattern not in {None, Pattern.WORKFLOW},
    }
    for flag, is_given in others.items():
        if is_given:
            raise UsageError(f"--workflow does not go with {flag}", hint="A workflow says who does what.")


def _check_continue(
    record: Path | None,
    worktree: str | None,
    plan: Path | None,
    attempts: int | None,
    quoted: Path | None,
) -> None:
    if quoted is not None:
        raise UsageError("--untrusted does not go with --continue", hint="Begin a session with it.")
    if attempts is not None:
        raise UsageError("--attempts does not go with --continue", hint="Each attempt begins a session.")
    if plan is not None:
        raise UsageError("--plan does not go with --continue", hint="A plan begins a session of its own.")
    if record:
        raise UsageError("--record does not go with --continue", hint="A transcript begins with its run.")
    if worktree is not None:
        raise UsageError(
            "--worktree does not go with --continue",
            hint="A session stays where it began; leave one of them out.",
        )
