"""Tools that lint and format files with what the project uses, changed files unless others are named."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Generic, TypeVar

from codeflow.core.text import printable
from codeflow.core.values import Effect, ToolResult
from codeflow.tools.output import capped
from codeflow.tools.process import Outcome
from codeflow.tools.process_stdout import find_program, run_for_stdout
from codeflow.tools.project_changes import chosen_files, outside_note
from codeflow.tools.project_files import ProjectFiles, small_text
from codeflow.tools.tool import Arguments, Mistake, tool
from codeflow.tools.workspace import Workspace

_MOST_FINDINGS = 200
_MOST_IGNORED = 10
_LEFT_OUT = "its configuration leaves them out"


if TYPE_CHECKING:
    from codeflow.tools.quality_programs import Finding, Linter, Program

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

    files, outside = await chosen_files(ws, paths)
    jobs, notes = _jobs(ws, files, LINTERS, outside)
    findings: list[Finding] = []
    broken: list[str] = []
    looked: list[_Job[Linter]] = []
    for job in jobs:
        result = await _linted(ws, job)
        findings += result.findings
        broken += [result.broken] if result.broken else []
        notes += _ignored_notes(job, result.ignored)
        if left := [file for file in job.files if file not in result.ignored]:
            looked.append(replace(job, files=left))
    if not looked:
        return ToolResult(
            content="\n".join(["Nothing was linted.", *(f"[{note}]" for note in notes)]),
            display="nothing was linted",
            is_error=True,
        )
    names = ", ".join(f"{job.program.name} on {len(job.files)} files" for job in looked)
    headline = f"{len(findings):,} problems ({names})"
    if broken:
        headline += f"; {len(broken)} of {len(jobs)} linters did NOT work"
    findings.sort(key=lambda finding: (finding.path, finding.line, finding.column))
    rows = [finding.text for finding in findings]
    shown = capped(rows, _MOST_FINDINGS, "more problems; name fewer paths to see them")
    content = "\n".join([headline, *shown, *broken, *(f"[{note}]" for note in notes)])
    return ToolResult(content=content, display=headline, is_error=bool(broken))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Linted:
    """What a linter said of its files. `ignored` are those that it did not look at -> why; `broken` is empty when it
    worked.
    """

    findings: "list[Finding]"
    ignored: Mapping[str, str]
    broken: str = ""


async def _linted(ws: Workspace, job: "_Job[Linter]") -> _Linted:
    program = job.program
    outcome, output = await run_for_stdout(ws, [job.path, *program.arguments, *_operands(program, job.files)])
    found = program.read(outcome.output if program.on_stderr else output, ws.root)
    if found is None or outcome.timed_out:
        return _Linted(findings=[], ignored={}, broken=_broken(program.name, outcome, output))
    findings = [finding for finding in found if _is_asked_for(program, job.files, finding)]
    ignored = await _unlisted(ws, job, {finding.path for finding in findings})
    if program.ignored:
        ignored = {path.removeprefix(f"{ws.root}/"): why for path, why in program.ignored(output).items()}
    return _Linted(findings=findings, ignored=ignored)


async def _unlisted(ws: Workspace, job: "_Job[Linter]", seen: set[str]) -> Mapping[str, str]:
    """The files that a linter does not name among those that it looks at, and of which it has said nothing."""
    files = [file for file in job.files if file not in seen]
    if not files or not job.program.listing:
        return {}
    _, output = await run_for_stdout(ws, [job.path, *job.program.listing, *_operands(job.program, files)])
    names = (line.strip().removeprefix("- ") for line in output.splitlines())  # biome makes a list of them
    listed = {name.removeprefix(f"{ws.root}/").removeprefix("./") for name in names}
    return {file: _LEFT_OUT for file in files if file not in listed}


def _ignored_notes(job: "_Job[Linter]", ignored: Mapping[str, str]) -> list[str]:
    """A line for each reason for which a linter did not look at files."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for file, why in ignored.items():
        by_reason[why].append(printable(file))
    return [
        f"{job.program.name} did NOT look at {', '.join(capped(files, _MOST_IGNORED, 'more'))}: {why}."
        for why, files in by_reason.items()
    ]


def _operands(program: "Program", files: list[str]) -> list[str]:
    """What comes after the arguments of a program."""
    match program.takes:
        case "files":
            return [_operand(file) for file in files]
        case "folders":
            return list(dict.fromkeys(f"./{PurePath(file).parent.as_posix()}" for file in files))
        case "nothing":
            return []


def _operand(file: str) -> str:
    """The file's name where a program would take it for an option."""
    return f"./{file}" if file.startswith("-") else file


def _is_asked_for(program: "Program", files: list[str], finding: "Finding") -> bool:
    """Whether a finding is in one of the files, which a program that takes more than them may not see to."""
    return program.takes == "files" or finding.path in files


@tool(effect=Effect.EXECUTE, summary=_summary)
async def format_code(ws: Workspace, paths: list[str] = []) -> ToolResult:  # noqa: B006 - a schema's default, never changed
    """Format files in place with the project's formatters and say which changed.

    Args:
        paths: Files or folders; those changed since the last commit by default.
    """
    from codeflow.tools.quality_programs import FORMATTERS

    chosen, outside = await chosen_files(ws, paths)
    files = _writable(ws, chosen, named=paths)
    jobs, notes = _jobs(ws, files, FORMATTERS, outside)
    notes += [f"{file} may not be written and was left out." for file in chosen if file not in files]
    before = _digests(ws, files)
    broken: list[str] = []
    for job in jobs:
        for outcome, output in await _formatted(ws, job):
            if outcome.exit_code != 0:
                broken.append(_broken(job.program.name, outcome, output))
    after = _digests(ws, files)
    changed = tuple(file for file in files if before[file] != after[file])
    names = ", ".join(f"{job.program.name} on {len(job.files)} files" for job in jobs)
    headline = f"{len(changed)} files changed ({names})"
    content = "\n".join([headline, *changed, *broken, *(f"[{note}]" for note in notes)])
    return ToolResult(content=content, display=headline, is_error=bool(broken), changed=changed)


def _writable(ws: Workspace, files: Sequence[str], *, named: Sequence[str]) -> list[str]:
    """The files without those that only git or the user may change; a Mistake when one is named, or there are no others."""
    writable: list[str] = []
    for file in files:
        try:
            ws.writable(file)
        except Mistake:
            if file in named or (file == files[-1] and not writable):
                raise
        else:
            writable.append(file)
    return writable


async def _formatted(ws: Workspace, job: "_Job[Program]") -> list[tuple[Outcome, str]]:
    """Runs a formatter on its files."""
    arguments = [argument.format(edition=_rust_edition(ws)) for argument in job.program.arguments]
    command = [job.path, *arguments]
    if not job.program.by_stdin:
        return [await run_for_stdout(ws, [*command, *map(_operand, job.files)])]
    results = []
    for file in job.files:
        outcome, output = await run_for_stdout(ws, ["sh", "-c", 'exec "$@" < "$0"', f"./{file}", *command])
        if outcome.exit_code == 0:
            ws.write(ws.writable(file), output.encode())
        results.append((outcome, output))
    return results


def _rust_edition(ws: Workspace) -> str:
    found = re.search(r'^edition\s*=\s*"(\d+)"', small_text(ws.root / "Cargo.toml"), re.MULTILINE)
    return found[1] if found else "2021"


def _jobs(
    ws: Workspace, files: Sequence[str], programs: Sequence[_P], outside: list[str]
) -> tuple[list[_Job[_P]], list[str]]:
    """Which program looks at which files, and a line on each thing that keeps files from being looked at."""
    project = ProjectFiles(ws.root, ws.env, ws.reading_env)
    by_suffix: dict[str, list[str]] = defaultdict(list)
    for file in files:
        by_suffix[PurePath(file).suffix].append(file)
    jobs: dict[str, _Job[_P]] = {}
    notes: dict[str, None] = {}
    unknown: list[str] = []
    for suffix, names in by_suffix.items():
        fitting = [program for program in programs if suffix in program.suffixes]
        chosen = (
            [program for program in fitting if program.configured_in(project)]
            or [program for program in fitting if program.named_in(project)]
            or [program for program in fitting if program.unconfigured]
        )
        missing = []
        for program in chosen:
            if path := find_program(ws, program.name):
                jobs.setdefault(program.name, _Job(program, path, [])).files.extend(names)
                break
            missing.append(program)
        notes |= dict.fromkeys(_missing(program, project) for program in missing)
        if not fitting:
            unknown.append(suffix or "extensionless")
        elif not chosen:
            notes[_unused(suffix, fitting)] = None
    if unknown:
        notes[f"No program is known for {', '.join(unknown)} files."] = None
    if outside:
        notes[outside_note(outside)] = None
    if not jobs:
        raise Mistake("\n".join(notes))
    return list(jobs.values()), list(notes)


def _missing(program: "Program", project: ProjectFiles) -> str:
    source = program.named_in(project)
    why = f" is named in {source} but" if source else ""
    return f"{program.name}{why} is not installed; {program.cure(project)}."


def _unused(suffix: str, fitting: Sequence["Program"]) -> str:
    names = " or ".join(program.name for program in fitting)
    return f"The project configures nothing for {suffix} files; {names} would be used if it did."


def _broken(name: str, outcome: Outcome, output: str) -> str:
    how = "ran out of time" if outcome.timed_out else f"failed with exit code {outcome.exit_code}"
    return f"{name} {how}:\n{(outcome.output + output).strip()[:3000]}"


def _digests(ws: Workspace, files: Sequence[str]) -> dict[str, bytes]:
    return {file: _digest(ws.root / file) for file in files}


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
