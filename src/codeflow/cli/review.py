"""`codeflow review`: several reviewers look at a change at once, and their findings become one report."""

import asyncio
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeflow.cli.execute import execute
from codeflow.cli.options import Quiet, Timeout
from codeflow.cli.reporting import Asked, FailOn, Report, Reporting, nowhere
from codeflow.cli.repository import commit_of, prefix
from codeflow.core.errors import UsageError
from codeflow.core.values import Complexity, Mode

if TYPE_CHECKING:
    from codeflow.core.settings import Settings

_NAME_ONE = "Name a commit or a range, or pipe a diff in: `git diff | codeflow review -`."
_OF_A_DIFF = re.compile(
    r"^(?:\x1b\[[\d;]*m)*(?:diff -|@@+ -\d|\*{3} \S|\d+(?:,\d+)?[acd]\d+(?:,\d+)?\r?$)", re.MULTILINE
)
"""The head of a file or of a change in a unified, context or plain diff, in colour or not."""
_TASK = "Review a change. Nothing is to be changed."


Fails = Annotated[FailOn, typer.Option(help="Exit with 1 when something as bad was found.")]
Further = Annotated[
    list[str] | None,
    typer.Option(metavar="FORM=FILE", help="Another report, such as junit=found.xml; repeatable."),
]


def review(
    change: Annotated[
        str | None,
        typer.Argument(
            help="A commit or range such as main..HEAD; `-` reads a diff. Default: what is not committed."
        ),
    ] = None,
    *,
    base: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="What the checked-out branch adds to this one.")
    ] = None,
    output: Annotated[Report, typer.Option(help="How to write the findings.")] = Report.TEXT,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="Where; default: to stdout.")] = None,
    report: Further = None,
    fail_on: Fails = FailOn.HIGH,
    max_cost: Annotated[str | None, typer.Option(metavar="USD", help="Stop before this is spent.")] = None,
    timeout: Timeout = None,
    workspace: Annotated[Path | None, typer.Option(help="The folder to work in; default: this one.")] = None,
    quiet: Quiet = False,
) -> int:
    """Let reviewers look at a change for security, performance, correctness and style.

    They read, and change nothing. What two of them found is told once, and what cites no line that exists not at all.
    """
    from codeflow.cli.request import Choices, by_workflow, existing_folder, prepare

    folder = existing_folder(workspace)
    if change is not None and base is not None:
        raise UsageError("a range and --base exclude each other", hint="Give one of them.")
    further = [_further(text) for text in report or ()]
    for place in (save, *(place for _, place in further)):
        if place is not None and not place.parent.is_dir():
            raise UsageError(f"{place}: its folder does not exist", hint="Make it, or name another file.")
    choices = Choices(mode=Mode.PLAN, complexity=Complexity.MEDIUM, max_cost=max_cost, timeout_s=timeout)
    settings, task = prepare(_TASK, folder, choices)
    diff = asyncio.run(_diff(settings, folder, change, base))
    if not diff:
        print("codeflow: nothing to review", file=sys.stderr)
        return 0
    asked = Asked(change=change, base=base, output=output, fail_on=fail_on)
    task = replace(by_workflow(task, settings, "review", {"diff": diff}), command=asked.command)
    reporting = Reporting(asked, folder, save, further)
    return reporting.code(execute(settings, task, quiet=quiet, after=reporting.deliver, answer_to=nowhere()))


def _further(text: str) -> tuple[Report, Path]:
    """The form and the file of a --report."""
    form, _, file = text.partition("=")
    if form not in set(Report) or not file:
        forms = ", ".join(Report)
        raise UsageError(f"--report {text}: not of the form FORM=FILE", hint=f"FORM is one of {forms}.")
    return Report(form), Path(file)


async def _diff(settings: "Settings", folder: Path, change: str | None, base: str | None) -> str:
    """The change as the reviewers see it, credentials taken out; empty when there is none."""
    from codeflow.app.build import run_by_hand
    from codeflow.tools.registry import TOOLS

    ref = f"{base}...HEAD" if base else change or "HEAD"

    async def asked(tool: str, **arguments: Any) -> str:
        result = await run_by_hand(TOOLS[tool], arguments, settings, folder, env=os.environ, approve=None)
        if result.is_error:
            raise UsageError(
                f"the change cannot be shown: {_why(result.content, folder, ref)}", hint=_NAME_ONE
            )
        return "" if result.display == "no differences" else result.content

    if change == "-":
        return await _given(settings, folder)
    _say_where(folder)
    shown = await asked("git_diff", ref=ref)
    if base or change:
        return shown
    status = await asked("git_status")
    has_new_files = "untracked" in status.lower()
    return "\n\n".join(filter(None, (shown, status if shown or has_new_files else "")))


def _say_where(folder: Path) -> None:
    """Tells that a subfolder's changes are not all.

    Raises:
        UsageError: outside a repository.
    """
    below = prefix(folder)
    if below is None:
        raise UsageError(
            f"{folder} is in no git repository", hint="Pipe a diff in: `diff -u OLD NEW | codeflow review -`."
        )
    if below:
        top = os.path.relpath(folder.joinpath(*[".."] * below.count("/")))
        print(
            f"codeflow: only what is below {below} is reviewed, and paths in the report are relative to it; "
            f"--workspace {top} reviews all of the repository",
            file=sys.stderr,
        )


def _why(said: str, folder: Path, ref: str) -> str:
    """Why there is no diff, without the words that are for models."""
    from codeflow.tools.untrusted import undelimited

    unknown = [name for name in re.split(r"\.{2,3}", ref) if name and commit_of(folder, name) is None]
    if unknown == ["HEAD"]:
        return "the repository has no commit yet"
    if unknown:
        return f"there is no commit, branch or tag {unknown[0]}"
    return " ".join(undelimited(said.removeprefix("Error: ")).split())


async def _given(settings: "Settings", folder: Path) -> str:
    from codeflow.app.opening import open_workspace
    from codeflow.core.invisible import spelled_out
    from codeflow.tools.untrusted import as_data

    text = sys.stdin.read()
    if text.strip() and not _OF_A_DIFF.search(text):
        raise UsageError("what came on stdin is no diff", hint="Pipe one in: `git diff | codeflow review -`.")
    workspace, _ = open_workspace(settings, folder, os.environ, Mode.PLAN, home=folder)
    try:
        return (
            as_data(spelled_out(workspace.redactor.redact(text)), "a diff from stdin") if text.strip() else ""
        )
    finally:
        await workspace.close()
