"""The tool that runs a project's tests and says what failed, where and why."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.commands import shown_output, verdict
from codeflow.tools.process import Outcome
from codeflow.tools.process_runs import Run
from codeflow.tools.project import detect
from codeflow.tools.testing import report as reports
from codeflow.tools.testing.report import Report
from codeflow.tools.testing.runner import Line, Ran
from codeflow.tools.tool import Mistake, argument, tool
from codeflow.tools.workspace import Workspace

_NOT_FOUND = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRun:
    """A finished run of tests; `report` is None when nothing but the output tells of them."""

    run: Run
    outcome: Outcome
    report: Report | None


@tool(effect=Effect.EXECUTE, summary=argument("target"))
async def run_tests(ws: Workspace, target: str = "", only_failed: bool = False) -> ToolResult:
    """Run the project's tests. Shows counts, then each failure with its place and reason; exit code 0 means they pass.

    Args:
        target: Test file, folder or test id; everything by default.
        only_failed: Run those that failed last time.
    """
    line = await tests_line(ws, _failed_before(ws) if only_failed else to_targets(ws, target))
    tested = await run_line_of_tests(ws, line)
    if tested.report and not tested.outcome.timed_out:
        ws.runs.failed_tests = tuple(failure.test for failure in tested.report.failures)
    return _answer(ws, tested)


def _failed_before(ws: Workspace) -> Sequence[str]:
    if not ws.runs.failed_tests:
        raise Mistake("No failed tests are known; call run_tests without only_failed first.")
    return ws.runs.failed_tests


def to_targets(ws: Workspace, target: str) -> Sequence[str]:
    """The target as a list that may be empty; a Mistake for what cannot be tested."""
    target = target.strip()
    if target.startswith("-"):
        raise Mistake("The target is a file, folder or test id, not an option.")
    path = target.partition("::")[0]
    if (ws.root / path).exists():
        real = ws.resolve(path)
        if not real.is_file() and not real.is_dir():
            raise Mistake(f"{path} is neither a regular file nor a folder; it cannot be tested.")
    return [target] if target else []


async def tests_line(ws: Workspace, targets: Sequence[str]) -> Line:
    """The shell line that runs these tests, or all; a Mistake when the project has none or takes no target."""
    command = ws.tests
    if command == "auto":
        command = (await asyncio.to_thread(detect, ws.root, ws.env)).tests or "off"
    if command in {"", "off"}:
        raise Mistake("No test command is known for this project. Run what you need with run_command.")
    if not targets:
        return Line(command=command)
    from codeflow.tools.testing.runners import find_runner

    runner = find_runner(command, ws.root)
    if runner is None:
        raise Mistake(
            f"{command!r} takes no target. Run everything without one, or a single test with run_command."
        )
    return Line(command=runner.aim(command, targets))


async def run_line_of_tests(ws: Workspace, line: Line) -> TestRun:
    """Runs the line and reads what its runner reports."""
    from codeflow.tools.testing.runners import find_runner

    runner = find_runner(line.command, ws.root)
    run = ws.runs.new(line.command)
    report_file = ws.runs.folder() / f"{run.id}.report"
    reporting = runner.reporting(line, report_file) if runner else line
    started = time.time()
    outcome = await run.execute(
        reporting.command,
        cwd=ws.root,
        env={**ws.env, **_joined(ws.env, reporting.env)},
        timeout_s=ws.tests_timeout_s,
        output_limit_chars=ws.settings.output_limit_chars,
    )
    if runner is None:
        return TestRun(run=run, outcome=outcome, report=None)
    ran = Ran(root=ws.root, report=report_file, output=run.text(), started=started)
    return TestRun(run=run, outcome=outcome, report=await asyncio.to_thread(runner.read, ran))


def _joined(env: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Options of the user's stay beside ours."""
    options = {"PYTEST_ADDOPTS", "NODE_OPTIONS"}
    return {
        name: f"{env[name]} {value}" if name in options and name in env else value
        for name, value in own.items()
    }


def headline(ws: Workspace, tested: TestRun) -> str:
    """Counts and exit code in one line."""
    ending = verdict(tested.outcome, ws.tests_timeout_s)
    return f"{tested.report.counts}; {ending}" if tested.report else ending


def _answer(ws: Workspace, tested: TestRun) -> ToolResult:
    run, outcome, report = tested.run, tested.outcome, tested.report
    summary = headline(ws, tested)
    parts = [f"$ {run.command}", summary]
    if report and report.unfinished:
        running = ", ".join(report.unfinished[:5])
        parts.append(f"The test process ended in the middle of {running}: what should follow did not run.")
    aborted = bool(report and report.unfinished)
    failures = reports.text(report, ws.settings.output_limit_chars) if report else ""
    if failures:
        parts += ["", failures, "", f"[whole output: read_output {run.id}; these again: only_failed]"]
    elif report and outcome.exit_code == 0:
        parts.append(f"[whole output: read_output {run.id}]")
    else:
        parts.append(shown_output(ws, run, outcome))
    if outcome.exit_code == _NOT_FOUND:
        parts.append(
            "A program of the test command is missing: install it, or have the user set gates.tests."
        )
    return ToolResult(content="\n".join(parts), display=summary, is_error=outcome.timed_out or aborted)
