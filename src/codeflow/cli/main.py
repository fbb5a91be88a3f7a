"""The command line: which commands there are. What they need is imported when they run."""

from collections.abc import Sequence
from typing import Annotated

import typer

from codeflow import __version__
from codeflow.cli import (
    agents,
    audit,
    cascade,
    checkpoints,
    completing,
    cost,
    demo,
    doctor,
    init,
    manual,
    memory,
    models,
    permissions,
    plan,
    replay,
    resume,
    review,
    run,
    sessions,
    setup,
    tools,
    trust,
    undo,
    workflows,
    worktrees,
)
from codeflow.cli.ci import commands as ci
from codeflow.cli.options import ReportCommand


def command_line() -> typer.Typer:
    """Every command of codeflow."""
    app = typer.Typer(
        rich_markup_mode=None,
        help="A coding agent for the terminal that shows executed evidence for every change.",
        invoke_without_command=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_global_options)
    app.command("run", cls=run.RunCommand)(run.run)
    app.command("plan")(plan.plan)
    app.command("resume")(resume.resume)
    app.command("review")(review.review)
    app.add_typer(ci.app, name="ci")
    app.command("setup")(setup.setup)
    app.command("doctor")(doctor.doctor)
    app.command("models")(models.models)
    app.command("agents")(agents.agents)
    app.add_typer(tools.app, name="tools")
    app.add_typer(sessions.app, name="sessions")
    app.command("audit")(audit.audit)
    app.command("cost", cls=ReportCommand)(cost.cost)
    app.command("cascade")(cascade.cascade)
    app.command("undo")(undo.undo)
    app.add_typer(checkpoints.app, name="checkpoints")
    app.add_typer(memory.app, name="memory")
    app.add_typer(permissions.app, name="permissions")
    app.command("trust")(trust.trust)
    app.add_typer(workflows.app, name="workflows")
    app.add_typer(worktrees.app, name="worktrees")
    app.command("completion")(completing.completion)
    app.command("man")(manual.man)
    app.command("init")(init.init)
    app.command("demo")(demo.demo)
    app.command("replay")(replay.replay)
    return app


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; every fault is raised."""
    command = typer.main.get_command(command_line())
    try:
        code = command.main(args=list(arguments), prog_name="codeflow", standalone_mode=False)
    except SystemExit as end:  # typer makes one of a closed pipe
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None
        raise
    return code if isinstance(code, int) else 0


def _global_options(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a fault.")] = False,  # noqa: ARG001 - read from argv by faults.report
) -> None:
    if version:
        print(f"codeflow {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
