"""Runs a gate's command and looks for evidence beside its exit code: a test runner that reports must have got to its end."""

from dataclasses import dataclass, replace

from codeflow.tools.process import Outcome
from codeflow.tools.testing.run import TestRun, run_with
from codeflow.tools.testing.runner import Line
from codeflow.tools.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a gate's command showed. `tests_ran` counts tests where a runner reported a whole run, else it is None.

    `doubt` says why exit code 0 would be no success; it is empty where nothing speaks against it.
    """

    outcome: Outcome
    tests_ran: int | None = None
    doubt: str = ""


async def gather(ws: Workspace, command: str, timeout_s: float) -> Evidence:
    """Runs a shell line; a test runner behind it reports as for run_tests. The output is what the line itself prints.

    Raises:
        OSError: when it cannot be started.
    """
    from codeflow.tools.testing.runners import calls_directly, find_runner

    runner = find_runner(command, ws.root)
    direct = runner is not None and calls_directly(command, runner, ws.root)
    if runner and not (direct or runner.told_by_environment):
        runner = None
    tested = await run_with(ws, runner, Line(command=command), timeout_s=timeout_s)
    if runner is None:
        return Evidence(outcome=tested.outcome)
    tested = replace(tested, must_report=direct and runner.always_reports)
    return Evidence(
        outcome=replace(tested.outcome, output=_own_output(tested)),
        tests_ran=tested.report.ran if tested.report and not tested.report.early_end else None,
        doubt=tested.doubt,
    )


def _own_output(tested: TestRun) -> str:
    """The output without what only our report brought into it, so that it can be compared with another run's."""
    report_name = tested.run.path.with_suffix(".report").name
    lines = tested.outcome.output.splitlines(keepends=True)
    return "".join(line for line in lines if report_name not in line)
