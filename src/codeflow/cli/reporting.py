"""A review's report: the findings of its run, checked and written as the review was asked for."""

import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from codeflow.cli.repository import prefix

if TYPE_CHECKING:
    from rich.console import Console

    from codeflow.core.results import RunResult
    from codeflow.orchestration.reviewing import Checked, ReadLines

_NAME = "review"
_FOUND = 1


class Report(StrEnum):
    """How findings are written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    CODEQUALITY = "codequality"


class FailOn(StrEnum):
    """From which severity on findings fail the command."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is reviewed, how the findings are written, and which of them fail the command."""

    change: str | None = None
    base: str | None = None
    output: Report = Report.TEXT
    fail_on: FailOn = FailOn.HIGH

    @property
    def command(self) -> dict[str, str]:
        """As a session keeps it."""
        flags = {"change": self.change, "base": self.base, "output": self.output, "fail_on": self.fail_on}
        return {"name": _NAME, **{key: str(value) for key, value in flags.items() if value is not None}}


def asked_in(command: Mapping[str, str]) -> Asked | None:
    """How the review of a session was asked for; None where the session is none."""
    if command.get("name") != _NAME:
        return None
    return Asked(
        change=command.get("change"),
        base=command.get("base"),
        output=Report(command["output"]),
        fail_on=FailOn(command["fail_on"]),
    )


class Reporting:
    """Writes the reports of one run."""

    def __init__(
        self,
        asked: Asked,
        folder: Path,
        save: Path | None = None,
        further: Sequence[tuple[Report, Path]] = (),
    ) -> None:
        """What was asked for goes to the file `save`, by default to stdout; `further` names others' forms and files."""
        self._asked = asked
        self._folder = folder
        self._places = [(asked.output, save), *further]
        self._read = _reader(folder, asked.change, asked.base)
        self._below = prefix(folder) or ""
        self._fails = False

    def deliver(self, result: "RunResult") -> None:
        """Write the report of the run that came to this."""
        from codeflow.orchestration.reviewing import check_findings

        outputs = result.outputs or {}
        found = outputs.get("findings")
        claims = found if isinstance(found, dict) else {"review": found}
        failed = outputs.get("failed") or ()
        checked = check_findings(claims, failed, self._folder, self._read, self._below)
        _tell(checked)
        limit = {FailOn.LOW: 1, FailOn.MEDIUM: 2, FailOn.HIGH: 3, FailOn.NEVER: 4}[self._asked.fail_on]
        for form, place in self._places:
            _write(_report(form, checked, result, limit), place)
        is_bad = any(finding.severity >= limit for finding in checked.findings)
        self._fails = bool(checked.not_looked_for) or is_bad

    def code(self, code: int) -> int:
        """The command's exit code, from that of the run whose report was written."""
        return code or (_FOUND if self._fails else 0)


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


def _report(output: Report, checked: "Checked", result: "RunResult", limit: int) -> str:
    from codeflow.cli.render.findings import (
        as_codequality,
        as_json,
        as_junit,
        as_markdown,
        as_sarif,
        as_text,
    )

    match output:
        case Report.TEXT:
            return as_text(checked)
        case Report.MARKDOWN:
            return as_markdown(checked)
        case Report.SARIF:
            return as_sarif(checked)
        case Report.JUNIT:
            return as_junit(checked, limit)
        case Report.CODEQUALITY:
            return as_codequality(checked)
        case Report.JSON:
            cost = None if result.cost is None else str(result.cost)
            return as_json(checked, cost=cost, session_id=result.session_id)


def _write(text: str, save: Path | None) -> None:
    if save is None:
        print(text.rstrip("\n"))
    else:
        save.write_text(f"{text.rstrip()}\n", encoding="utf-8")
        print(f"codeflow: the findings are in {save}", file=sys.stderr)


def nowhere() -> "Console":
    """For the reviewers' words, which the report stands for."""
    from rich.console import Console

    return Console(file=io.StringIO())
