"""The tool that measures which lines the tests reach, those of the current change first."""

import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.commands import shown_output
from codeflow.tools.project_changes import changed_lines
from codeflow.tools.project_managers import how_to_add
from codeflow.tools.testing.run import (
    TestRun,
    headline,
    how_to_install,
    none_ran,
    run_line_of_tests,
    tests_line,
    to_targets,
)
from codeflow.tools.testing.runner import Line
from codeflow.tools.tool import Mistake, argument, failure, tool
from codeflow.tools.workspace import Workspace

if TYPE_CHECKING:
    from codeflow.tools.testing.coverage_data import Coverage, FileCoverage, Way

_TEST_FILE = re.compile(r"(^|/)(test_[^/]*|conftest)\.py$|_test\.\w+$|\.(test|spec)\.\w+$|(^|/)__tests__/")
"""Most runners do not measure their test files."""

_NOT_INSTALLED = re.compile(r"No module named '?coverage\b|Cannot find dependency '@vitest/coverage-v8'")
_MOST_FILES = 60
_MOST_RANGES = 25


@tool(effect=Effect.EXECUTE, summary=argument("target"))
async def coverage_report(ws: Workspace, target: str = "") -> ToolResult:
    """Run the tests and list the lines they do not reach: of the uncommitted change first, then per file.

    Args:
        target: Test file, folder or test id; everything by default.
    """
    from codeflow.tools.testing.coverage_data import WAYS
    from codeflow.tools.testing.runners import find_runner

    targets = to_targets(ws, target)
    line = await tests_line(ws, targets)
    runner = find_runner(line.command, ws.root)
    way = WAYS.get(runner.name) if runner else None
    if way is None:
        raise Mistake(
            f"Coverage of {line.command!r} is not known here; use run_command with the project's own tool."
        )
    if way.program and not (ws.root / way.program).exists():
        raise Mistake(_not_installed(ws, way))
    data = Path(tempfile.mkdtemp(prefix="coverage-", dir=ws.runs.folder()))
    tested = await run_line_of_tests(ws, Line(command=way.measuring(line.command, data), env=line.env))
    if _NOT_INSTALLED.search(tested.outcome.output):
        shown = shown_output(ws, tested.run, tested.outcome)
        return failure(f"{_not_installed(ws, way)}\n$ {tested.run.command}\n{headline(ws, tested)}\n{shown}")
    if problem := none_ran(tested, targets):
        shown = shown_output(ws, tested.run, tested.outcome)
        return failure(f"{problem}\n$ {tested.run.command}\n{headline(ws, tested)}\n{shown}")
    coverage = {path: file for path, file in way.read(data, ws.root).items() if not path.startswith("/")}
    if not coverage:
        return _not_measured(ws, tested, way.needs)
    changed = await _changed(ws)
    parts = [headline(ws, tested), *_of_change(changed, coverage), *_of_files(coverage)]
    if tested.report and tested.report.failures:
        parts.append("[tests failed, so lines may be missing from this; run_tests shows why]")
    return ToolResult(content="\n".join(parts), display=parts[1], is_error=tested.outcome.was_stopped)


def _not_measured(ws: Workspace, tested: TestRun, needs: str) -> ToolResult:
    shown = shown_output(ws, tested.run, tested.outcome)
    return failure(
        f"No coverage was measured: it needs {needs}, and tests that load source files.\n"
        f"$ {tested.run.command}\n{headline(ws, tested)}\n{shown}"
    )


def _not_installed(ws: Workspace, way: "Way") -> str:
    by_hand = how_to_add(ws.root, way.package, way.language)
    said = f"No coverage was measured: it needs {way.needs}, which is not installed."
    return f"{said} {how_to_install(way.package, by_hand)}"


async def _changed(ws: Workspace) -> Mapping[str, set[int]] | None:
    """None outside a repository."""
    try:
        return await changed_lines(ws)
    except Mistake:
        return None


def _of_change(changed: Mapping[str, set[int]] | None, coverage: "Coverage") -> list[str]:
    from codeflow.tools.testing.coverage_data import FileCoverage

    if changed is None:
        return ["Changed lines: unknown, the workspace is not a git repository."]
    kinds = {PurePath(path).suffix for path in coverage}
    unmeasured = sorted(
        path
        for path in changed
        if path not in coverage and PurePath(path).suffix in kinds and not _TEST_FILE.search(path)
    )
    measured = {
        path: FileCoverage(file.lines & changed[path], file.reached & changed[path])
        for path, file in sorted(coverage.items())
        if path in changed
    }
    total = sum(len(file.lines) for file in measured.values())
    missed = sum(len(file.missed) for file in measured.values())
    rows = [f"  {path}: {ranges(file.missed)} not reached" for path, file in measured.items() if file.missed]
    rows += [f"  {path}: not loaded by these tests" for path in unmeasured]
    if not total and not unmeasured:
        return ["Changed lines: none that can run."]
    return [f"Changed lines: {total - missed} of {total} that can run are reached.", *rows]


def _of_files(coverage: "Coverage") -> list[str]:
    total = sum(len(file.lines) for file in coverage.values())
    reached = sum(len(file.reached) for file in coverage.values())
    worst = sorted(coverage.items(), key=lambda item: item[1].percent)
    rows = [f"  {file.percent:3.0f}% {path}{_missed(file)}" for path, file in worst[:_MOST_FILES]]
    rest = (
        [f"[{len(worst) - _MOST_FILES} files with a higher share left out]"]
        if len(worst) > _MOST_FILES
        else []
    )
    return [f"All files: {100 * reached / max(1, total):.0f}% of {total:,} lines.", *rows, *rest]


def _missed(file: "FileCoverage") -> str:
    return f": {ranges(file.missed)}" if file.missed else ""


def ranges(lines: Iterable[int]) -> str:
    """Line numbers as "1-3, 7"; the first ones when they are many."""
    spans: list[tuple[int, int]] = []
    for line in sorted(lines):
        if spans and spans[-1][1] == line - 1:
            spans[-1] = (spans[-1][0], line)
        else:
            spans.append((line, line))
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in spans[:_MOST_RANGES]]
    return ", ".join(shown) + (f" and {len(spans) - _MOST_RANGES} more" if len(spans) > _MOST_RANGES else "")
