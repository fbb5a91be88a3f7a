"""`codeflow plan`: a plan to read, to edit, and to carry out later."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codeflow.cli.execute import Output, execute
from codeflow.cli.options import Quiet
from codeflow.cli.tasktext import read_task
from codeflow.core.errors import UsageError
from codeflow.core.values import Mode, Pattern

if TYPE_CHECKING:
    from codeflow.core.results import RunResult

_PLACE = "PLAN.yaml"


def plan(
    task: Annotated[str | None, typer.Argument(help="What to plan; `-` reads it from stdin.")] = None,
    *,
    file: Annotated[Path | None, typer.Option(help="Read the task from this file.")] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the plan there; default: to stdout.")
    ] = None,
    output: Annotated[Output, typer.Option(help="What else to print on stdout.")] = Output.TEXT,
    max_cost: Annotated[str | None, typer.Option(metavar="USD", help="Stop before this is spent.")] = None,
    workspace: Annotated[Path | None, typer.Option(help="The folder to plan for; default: this one.")] = None,
    quiet: Quiet = False,
) -> int:
    """Let the architect plan a task; nothing is changed.

    The plan is YAML. Edit it, then carry it out with `codeflow run --plan FILE`.
    """
    from codeflow.cli.request import Choices, existing_folder, prepare

    folder = existing_folder(workspace)
    if save is not None and save.exists():
        raise UsageError(f"{save}: is there", hint="Remove it, or name another file.")
    if save is not None and not save.parent.is_dir():
        raise UsageError(f"{save}: its folder does not exist", hint="Make it, or name another file.")
    choices = Choices(mode=Mode.PLAN, pattern=Pattern.GRAPH, max_cost=max_cost)
    settings, prepared = prepare(read_task(task, file), folder, choices)

    def deliver(result: "RunResult") -> None:
        from codeflow.orchestration.plan_files import plan_text

        if result.plan is None:
            return
        text = plan_text(prepared.text, result.plan, str(save or _PLACE))
        if save is not None:
            save.write_text(text, encoding="utf-8")
            print(f"codeflow: the plan is in {save}; codeflow run --plan {save}", file=sys.stderr)
        elif output is Output.TEXT:
            print(text, end="")

    return execute(settings, prepared, output=output, quiet=quiet, after=deliver)
