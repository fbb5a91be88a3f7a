"""`codeflow review`: several reviewers look at a change at once, and their findings become one report."""

import asyncio
import io
import os
import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeflow.cli.execute import execute
from codeflow.cli.options import Quiet, Timeout
from codeflow.core.errors import UsageError
from codeflow.core.values import Complexity, Mode

if TYPE_CHECKING:
    from codeflow.core.results import RunResult
    from codeflow.core.settings import Settings
    from codeflow.orchestration.reviewing import Checked, ReadLines

_TASK = "Review a change. Nothing is to be changed."
_FOUND = 1


class Report(StrEnum):
    """How findings are written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
    SARIF = "sarif"


class FailOn(StrEnum):
    """From which severity on findings fail the command."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    NEVER = "never"


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
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit with 1 when something as bad was found.")
    ] = FailOn.HIGH,
    max_cost: Annotated[str | None, typer.Option(metavar="USD", help="Stop before this is spent.")] = None,
    timeout: Timeout = None,
    workspace: Annotated[Path | None, typer.Option(help="The folder to work in; default: this one.")] = None,
    quiet: Quiet = False,
) -> int:
    """Let reviewers look at a change for security, performance, correctness and style.

    They read, and change nothing. What two of them found is told once, and what cites no line that exists not at all.
    """
    from codeflow.cli.request import Choices, by_workflow, existing_folder, prepare
    from codeflow.orchestration.reviewing import check_findings

    folder = existing_folder(workspace)
    if change is not None and base is not None:
        raise UsageError("a range and --base exclude each other", hint="Give one of them.")
    if save is not None and not save.parent.is_dir():
        raise UsageError(f"{save}: its folder does not exist", hint="Make it, or name another file.")
    choices = Choices(mode=Mode.PLAN, complexity=Complexity.MEDIUM, max_cost=max_cost, timeout_s=timeout)
    settings, task = prepare(_TASK, folder, choices)
    diff = asyncio.run(_diff(settings, folder, change, base))
    if not diff:
        print("codeflow: nothing to review", file=sys.stderr)
        return 0
    task = by_workflow(task, settings, "review", {"diff": diff})
    read = _reader(folder, change, base)
    ended: list[Checked] = []

    def deliver(result: "RunResult") -> None:
        outputs = result.outputs or {}
        found = outputs.get("findings")
        claims = found if isinstance(found, dict) else {"review": found}
        checked = check_findings(claims, outputs.get("failed") or (), folder, read)
        _tell(checked)
        _write(_report(output, checked, result), save)
        ended.append(checked)

    code = execute(settings, task, quiet=quiet, after=deliver, answer_to=_nowhere())
    limit = {FailOn.LOW: 1, FailOn.MEDIUM: 2, FailOn.HIGH: 3, FailOn.NEVER: 4}[fail_on]
    (checked,) = ended
    fails = checked.not_looked_for or any(finding.severity >= limit for finding in checked.findings)
    return code or (_FOUND if fails else 0)


def _reader(folder: Path, change: str | None, base: str | None) -> "ReadLines":
    """Reads the files that the change leads to: those of the commit at a range's end, else those on disk."""
    from codeflow.cli.repository import commit_of, committed_lines, head_commit
    from codeflow.orchestration.reviewing import lines_on_disk

    last = _end(change, base)
    commit = None if last is None else commit_of(folder, last)
    if commit is None:
        return partial(lines_on_disk, folder)
    if commit != head_commit(folder):
        print(
            f"codeflow: {last} is not checked out: reviewers read the other files as they are here",
            file=sys.stderr,
        )
    return partial(committed_lines, folder, commit)


def _end(change: str | None, base: str | None) -> str | None:
    """The commit that a range ends with; None where the change ends with what is on disk."""
    if base:
        return "HEAD"
    if change is None or ".." not in change:
        return None
    return change.rpartition("..")[2].lstrip(".") or "HEAD"


async def _diff(settings: "Settings", folder: Path, change: str | None, base: str | None) -> str:
    """The change as the reviewers see it, credentials taken out; empty when there is none."""
    from codeflow.app.build import run_by_hand
    from codeflow.tools.registry import TOOLS

    async def asked(tool: str, **arguments: Any) -> str:
        result = await run_by_hand(TOOLS[tool], arguments, settings, folder, env=os.environ, approve=None)
        if result.is_error:
            raise UsageError(
                f"the change cannot be shown: {result.content.removeprefix('Error: ')}",
                hint="Name a commit or a range, or pipe a diff in: `git diff | codeflow review -`.",
            )
        return "" if result.display == "no differences" else result.content

    if change == "-":
        return await _given(settings, folder)
    ref = f"{base}...HEAD" if base else change or "HEAD"
    shown = await asked("git_diff", ref=ref)
    if base or change:
        return shown
    status = await asked("git_status")
    has_new_files = "untracked" in status.lower()
    return "\n\n".join(filter(None, (shown, status if shown or has_new_files else "")))


async def _given(settings: "Settings", folder: Path) -> str:
    from codeflow.app.opening import open_workspace
    from codeflow.core.invisible import spelled_out
    from codeflow.tools.untrusted import as_data

    text = sys.stdin.read()
    workspace, _ = open_workspace(settings, folder, os.environ, Mode.PLAN, home=folder)
    try:
        return (
            as_data(spelled_out(workspace.redactor.redact(text)), "a diff from stdin") if text.strip() else ""
        )
    finally:
        await workspace.close()


def _tell(checked: "Checked") -> None:
    from codeflow.cli.render.clean import one_line

    for kind in checked.not_looked_for:
        print(
            f"codeflow: nobody looked for {one_line(kind)}: that reviewer gave no usable answer",
            file=sys.stderr,
        )
    for line in checked.guessed:
        print(f"codeflow: {one_line(line)}", file=sys.stderr)
    for line in checked.dropped:
        print(f"codeflow: finding dropped: {one_line(line)}", file=sys.stderr)


def _report(output: Report, checked: "Checked", result: "RunResult") -> str:
    from codeflow.cli.render.findings import as_json, as_markdown, as_sarif, as_text

    match output:
        case Report.TEXT:
            return as_text(checked)
        case Report.MARKDOWN:
            return as_markdown(checked)
        case Report.SARIF:
            return as_sarif(checked)
        case Report.JSON:
            cost = None if result.cost is None else str(result.cost)
            return as_json(checked, cost=cost, session_id=result.session_id)


def _write(text: str, save: Path | None) -> None:
    if save is None:
        print(text.rstrip("\n"))
    else:
        save.write_text(f"{text.rstrip()}\n", encoding="utf-8")
        print(f"codeflow: the findings are in {save}", file=sys.stderr)


def _nowhere() -> Any:
    from rich.console import Console

    return Console(file=io.StringIO())
