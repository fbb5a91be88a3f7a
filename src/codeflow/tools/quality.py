"""Tools that lint and format files with what the project uses, changed files unless others are named."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Generic, TypeVar

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.process import Outcome
from codeflow.tools.process_stdout import find_program, run_for_stdout
from codeflow.tools.project_changes import chosen_files
from codeflow.tools.project_files import ProjectFiles
from codeflow.tools.tool import Arguments, Mistake, tool
from codeflow.tools.workspace import Workspace

_MOST_FINDINGS = 200


if TYPE_CHECKING:
    from codeflow.tools.quality_programs import Finding, Program

_P = TypeVar("_P", bound="Program")


@dataclass(frozen=True, slots=True)
class _Job(Generic[_P]):
    """A program, where it is installed, and the files it is for."""

    program: _P
    path: str
    files: list[str]


def _summary(arguments: Arguments) -> str:
    return " ".join(map(str, arguments.get("paths") or []))


@tool(effect=Effect.EXECUTE, summary=_summary)
async def run_linter(ws: Workspace, paths: list[str] = []) -> ToolResult:  # noqa: B006 - a schema's default, never changed
    """Lint files with the project's linters; each problem as file:line:column code message.

    Args:
        paths: Files or folders; those changed since the last commit by default.
    """
    from codeflow.tools.quality_programs import LINTERS

    jobs = _jobs(ws, await chosen_files(ws, paths), LINTERS)
    findings: list[Finding] = []
    broken: list[str] = []
    for job in jobs:
        outcome, output = await run_for_stdout(ws, [job.path, *job.program.arguments, *job.files])
        found = job.program.read(output, ws.root)
        if found is None or outcome.timed_out:
            broken.append(_broken(job.program.name, outcome, output))
        findings += found or []
    names = ", ".join(f"{job.program.name} on {len(job.files)} files" for job in jobs)
    headline = f"{len(findings):,} problems ({names})"
    parts = [headline, *(finding.text for finding in findings[:_MOST_FINDINGS]), *broken]
    if len(findings) > _MOST_FINDINGS:
        parts.append(f"[{len(findings) - _MOST_FINDINGS:,} more problems; name fewer paths to see them]")
    return ToolResult(content="\n".join(parts), display=headline, is_error=bool(broken))


@tool(effect=Effect.EXECUTE, summary=_summary)
async def format_code(ws: Workspace, paths: list[str] = []) -> ToolResult:  # noqa: B006 - a schema's default, never changed
    """Format files in place with the project's formatters and say which changed.

    Args:
        paths: Files or folders; those changed since the last commit by default.
    """
    from codeflow.tools.quality_programs import FORMATTERS

    files = await chosen_files(ws, paths)
    jobs = _jobs(ws, files, FORMATTERS)
    for file in files:
        ws.writable(file)
    before = _digests(ws, files)
    broken: list[str] = []
    for job in jobs:
        outcome, output = await run_for_stdout(ws, [job.path, *job.program.arguments, *job.files])
        if outcome.exit_code != 0:
            broken.append(_broken(job.program.name, outcome, output))
    after = _digests(ws, files)
    changed = tuple(file for file in files if before[file] != after[file])
    names = ", ".join(f"{job.program.name} on {len(job.files)} files" for job in jobs)
    headline = f"{len(changed)} files changed ({names})"
    content = "\n".join([headline, *changed, *broken])
    return ToolResult(content=content, display=headline, is_error=bool(broken), changed=changed)


def _jobs(ws: Workspace, files: Sequence[str], programs: Sequence[_P]) -> list[_Job[_P]]:
    """Which program looks at which files: the configured one of those for a language, else one that is installed."""
    project = ProjectFiles(ws.root, ws.env, ws.reading_env)
    by_suffix: dict[str, list[str]] = defaultdict(list)
    for file in files:
        by_suffix[PurePath(file).suffix].append(file)
    jobs: dict[str, _Job[_P]] = {}
    for suffix, names in by_suffix.items():
        fitting = [program for program in programs if suffix in program.suffixes]
        for program in sorted(fitting, key=lambda known: not known.is_configured(project)):
            if path := find_program(ws, program.name):
                jobs.setdefault(program.name, _Job(program, path, [])).files.extend(names)
                break
    if not jobs:
        wanted = [program.name for program in programs if not by_suffix.keys().isdisjoint(program.suffixes)]
        raise Mistake(
            f"None of {', '.join(wanted)} is installed in the project. Install one with install_dependency, or run what "
            "the project uses with run_command."
            if wanted
            else f"No program is known for {', '.join(sorted(filter(None, by_suffix))) or 'such'} files; "
            "run what the project uses with run_command."
        )
    return list(jobs.values())


def _broken(name: str, outcome: Outcome, output: str) -> str:
    how = "ran out of time" if outcome.timed_out else f"failed with exit code {outcome.exit_code}"
    return f"{name} {how}:\n{(outcome.output + output).strip()[:3000]}"


def _digests(ws: Workspace, files: Sequence[str]) -> dict[str, bytes]:
    return {file: _digest(ws.root / file) for file in files}


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
