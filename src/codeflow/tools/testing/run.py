"""The tool that runs a project's tests and says what failed, where and why."""

import asyncio
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.commands import shown_output, verdict
from codeflow.tools.left import left_text
from codeflow.tools.process import Outcome
from codeflow.tools.process_runs import Run
from codeflow.tools.project import detect
from codeflow.tools.project_files import Unusable
from codeflow.tools.testing import report as reports
from codeflow.tools.testing.report import Report
from codeflow.tools.testing.runner import Line, Ran, Runner
from codeflow.tools.tool import Mistake, argument, tool
from codeflow.tools.workspace import Workspace, special_kind

_NOT_FOUND = 127
_LIKE_A_PATH = re.compile(r"\.(py|[cm]?[jt]sx?|go|rs|java|kt|php|rb)$")
"""Other targets may be packages, classes and names of tests, which only the runner knows."""
_LINE = re.compile(r"(?<=\.py):\d+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRun:
    """A finished run of tests; `report` is None when nothing but the output tells of them."""

    run: Run
    outcome: Outcome
    report: Report | None
    must_report: bool = False
    """Whether a run that got to its end would have a report."""

    @property
    def doubt(self) -> str:
        """Why exit code 0 does not mean that the tests passed; empty when it does."""
        if self.report is None and self.must_report:
            return "the test runner reported nothing: the process was left early or kept from reporting"
        if self.report is None:
            return ""
        if self.report.failures:
            names = ", ".join(failure.test for failure in self.report.failures[:5])
            return f"{len(self.report.failures)} tests failed: {names}"
        return self.report.early_end


@tool(effect=Effect.EXECUTE, summary=argument("target"))
async def run_tests(
    ws: Workspace, target: str = "", only_failed: bool = False, timeout_s: float | None = None
) -> ToolResult:
    """Run the project's tests (stopped after 600 s unless gates.timeout_s says otherwise): counts, then each failure with place and reason.

    Args:
        target: Test file, folder, name or id; FILE:LINE with pytest; everything by default.
        only_failed: Run those that failed last time.
        timeout_s: A shorter time limit.
    """
    if timeout_s is not None and timeout_s <= 0:
        raise Mistake("timeout_s is a number of seconds above 0.")
    limit_s = min(timeout_s or ws.tests_timeout_s, ws.tests_timeout_s)
    targets = _failed_before(ws) if only_failed else to_targets(ws, target)
    tested = await run_line_of_tests(ws, await tests_line(ws, targets), timeout_s=limit_s)
    if tested.report and not tested.outcome.timed_out:
        ws.runs.failed_tests = tuple(failure.test for failure in tested.report.failures)
    return _answer(ws, tested, targets, limit_s)


def _failed_before(ws: Workspace) -> Sequence[str]:
    if not ws.runs.failed_tests:
        raise Mistake("No failed tests are known; call run_tests without only_failed first.")
    return ws.runs.failed_tests


def to_targets(ws: Workspace, target: str) -> Sequence[str]:
    """The target as a list that may be empty; a Mistake for what cannot be tested."""
    target = target.strip()
    if target.startswith("-"):
        raise Mistake("The target is a file, folder or test id, not an option.")
    path = _LINE.sub("", target.partition("::")[0])
    real = ws.resolve(path)
    if real.exists() and not real.is_file() and not real.is_dir():
        kind = special_kind(real.stat().st_mode)
        raise Mistake(f"{path} is {kind} and cannot be tested; name a file or folder of tests.")
    if not real.exists() and _LIKE_A_PATH.search(path):
        raise Mistake(f"{path} does not exist; find the test with glob or search_files, or name none.")
    return [target] if target else []


async def tests_line(ws: Workspace, targets: Sequence[str]) -> Line:
    """The shell line that runs these tests, or all; a Mistake when the project has none or takes no target."""
    command = ws.tests
    if command == "auto":
        project = await asyncio.to_thread(detect, ws.root, ws.env)
        command = project.tests or "off"
        if lack := project.waiting_tests:
            raise Mistake(_cannot_run(lack))
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
    return Line(command=await asyncio.to_thread(runner.aim, command, targets, ws.root))


def _cannot_run(lack: Unusable) -> str:
    said = f"The tests cannot run: {lack.detail}."
    if not lack.package:
        return f"{said} Ask the user to do this: {lack.cure}."
    return f"{said} {how_to_install(lack.package, lack.cure)}"


def how_to_install(package: str, by_hand: str) -> str:
    """What to do for want of a development package."""
    return (
        f"install_dependency with name={package} and dev=true installs it, once the user has approved; or ask the user to "
        f"do this: {by_hand}."
    )


async def run_line_of_tests(ws: Workspace, line: Line, *, timeout_s: float | None = None) -> TestRun:
    """Runs the line and reads what its runner reports; the time limit is that of tests by default."""
    from codeflow.tools.testing.runners import calls_directly, find_runner

    runner = find_runner(line.command, ws.root)
    direct = runner is not None and calls_directly(line.command, runner, ws.root)
    tested = await run_with(ws, runner, line, timeout_s=timeout_s or ws.tests_timeout_s)
    return replace(tested, must_report=direct and runner is not None and runner.always_reports)


async def run_with(ws: Workspace, runner: Runner | None, line: Line, *, timeout_s: float) -> TestRun:
    """Runs a shell line that calls the runner, if any, and reads what it reports."""
    run = ws.runs.new(line.command)
    report_file = ws.runs.folder() / f"{run.id}.report"
    reporting = runner.reporting(line, report_file) if runner else line
    started = time.time()
    outcome = await run.execute(
        reporting.command,
        cwd=ws.root,
        env={**ws.env, **_joined(ws.env, reporting.env)},
        timeout_s=timeout_s,
        output_limit_chars=ws.settings.output_limit_chars,
    )
    if runner is None:
        return TestRun(run=run, outcome=outcome, report=None)
    if runner.shown is not None:
        output = reports.clip(runner.shown(run.text()), ws.settings.output_limit_chars)
        outcome = replace(outcome, output=output)
    left = await asyncio.to_thread(left_text, report_file.parent, report_file.name)
    ran = Ran(root=ws.root, report=left, output=run.text(), started=started)
    return TestRun(run=run, outcome=outcome, report=await asyncio.to_thread(runner.read, ran))


def _joined(env: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Options of the user's, and where the project's own packages are, stay beside ours."""
    between = {"PYTEST_ADDOPTS": " ", "NODE_OPTIONS": " ", "PYTHONPATH": os.pathsep}
    return {
        name: f"{env[name]}{between[name]}{value}" if name in between and name in env else value
        for name, value in own.items()
    }


def headline(ws: Workspace, tested: TestRun, limit_s: float | None = None) -> str:
    """Counts and exit code in one line; the time limit is that of tests by default."""
    ending = verdict(tested.outcome, limit_s or ws.tests_timeout_s)
    return f"{tested.report.counts}; {ending}" if tested.report else ending


def _answer(ws: Workspace, tested: TestRun, targets: Sequence[str], limit_s: float) -> ToolResult:
    outcome = tested.outcome
    summary = headline(ws, tested, limit_s)
    problem = _problem(tested, targets)
    parts = [
        f"$ {tested.run.command}",
        summary,
        *([problem] if problem else []),
        *_shown(ws, tested, problem),
    ]
    if outcome.exit_code == _NOT_FOUND:
        parts.append(
            "A program of the test command is missing: install it, or have the user set gates.tests."
        )
    return ToolResult(
        content="\n".join(parts), display=summary, is_error=outcome.was_stopped or bool(problem)
    )


def _problem(tested: TestRun, targets: Sequence[str]) -> str:
    """Why the run says less about the tests than it seems; empty when it says all."""
    report, exit_code = tested.report, tested.outcome.exit_code
    if doubt := (report.early_end if report else "") or (tested.doubt if exit_code == 0 else ""):
        return f"This is no success: {doubt}."
    return none_ran(tested, targets)


def none_ran(tested: TestRun, targets: Sequence[str]) -> str:
    """That no test ran, where one should have: one of the targets, or any where the run failed; else empty."""
    report, exit_code = tested.report, tested.outcome.exit_code
    if exit_code in {_NOT_FOUND, None} or (report and report.ran):
        return ""
    of = f" of {', '.join(targets[:5])}" if targets else ""
    if exit_code != 0 and report is None and (targets or tested.must_report):
        return f"No test{of} is known to have run: the runner failed without a report. See below why."
    if exit_code != 0 and report and not targets:
        return "No test ran: see below why."
    if targets and report:
        return f"No test{of} ran: see below why, find the right name with search_files, or run all."
    return ""


def _shown(ws: Workspace, tested: TestRun, problem: str) -> list[str]:
    """The failures, or else as much of the output as is needed."""
    run, outcome, report = tested.run, tested.outcome, tested.report
    if report and (failures := reports.text(report, ws.settings.output_limit_chars)):
        return ["", failures, *ws.runs.whole_output(run, "these again: only_failed")]
    if report and outcome.exit_code == 0 and not problem:
        return ws.runs.whole_output(run)
    return [shown_output(ws, run, outcome)]
