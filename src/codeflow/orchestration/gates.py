"""Commands that decide whether work is accepted, and what they said before anything was changed."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from codeflow.core.events import BaselineMeasured, GateFinished, GateStarted
from codeflow.core.ports import Emit
from codeflow.core.values import Gate, GateResult, GateStatus
from codeflow.sessions.past import LastRun
from codeflow.tools.testing.evidence import Evidence

BASELINE_TIMEOUT_S = 60.0
"""Longest wait for the gates' state before the first change; a slower suite has no baseline."""

_COMMAND_NOT_FOUND = 127
_PYTEST_NO_TESTS = 5
_PYTEST_MISSING = re.compile(r"^\S*python[\d.]*: No module named pytest\s*\Z", re.MULTILINE)
_PASSING = re.compile(r":\d+(:\d+)?|\bline \d+|\b\d+\.\d+ ?m?s\b|\b0x[0-9a-f]+\b|^\s*\d+ \|")
"""What differs between two runs of the same failure: places, times, addresses; but never counts."""


@dataclass(slots=True, kw_only=True)
class Gates:
    """The gates of one run.

    `strict` names those that have to be green whatever they were before, such as the tests of a bug fix.
    """

    gates: Sequence[Gate]
    execute: Callable[[str, float], Awaitable[Evidence]]
    """(command, timeout in seconds) -> what came of it."""
    permit: Callable[[Gate], Awaitable[str | None]]
    """None when a gate may run, else why not."""
    emit: Emit
    past: LastRun = field(default_factory=LastRun)
    """What the log knows of this run; a result in it is not made again."""
    strict: frozenset[str] = frozenset()
    baseline: dict[str, GateResult] = field(default_factory=dict)
    _measuring: asyncio.Task[None] | None = None

    def measure_baseline(self) -> None:
        """Begin to run the gates on the untouched tree, beside the first reads of the agents."""
        if self.past.baseline is not None:
            self.baseline = {result.name: result for result in self.past.baseline}
            return
        if self._measuring is None and self.gates:
            self._measuring = asyncio.create_task(self._measure())

    async def baseline_ready(self) -> None:
        """Return once the baseline is known or given up; called before the first change."""
        if self._measuring is not None:
            await asyncio.wait({self._measuring})

    async def stop(self) -> None:
        """End a baseline that nobody waits for any more."""
        if self._measuring is not None and not self._measuring.done():
            self._measuring.cancel()
            await asyncio.wait({self._measuring})

    async def _measure(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._measure_each(), BASELINE_TIMEOUT_S)
        self.emit(BaselineMeasured(results=tuple(self.baseline.values())))

    async def _measure_each(self) -> None:
        for gate in self.gates:
            if await self.permit(gate) is None:
                self.baseline[gate.name] = self._could_not_run(await self._run(gate))

    async def run(self, extra: Iterable[Gate] = ()) -> tuple[GateResult, ...]:
        """Run the project's gates and some more, in this order, and say what each showed."""
        await self.baseline_ready()
        return await self.run_only((*self.gates, *extra))

    async def run_only(self, gates: Iterable[Gate]) -> tuple[GateResult, ...]:
        """Run just these."""
        results: list[GateResult] = []
        for gate in gates:
            known = self.past.gate(gate.name, gate.command)
            results.append(known or await self._run_one(gate))
        return tuple(results)

    async def _run_one(self, gate: Gate) -> GateResult:
        self.emit(GateStarted(name=gate.name, command=gate.command))
        refusal = await self.permit(gate)
        result = (
            _not_run(gate, GateStatus.SKIPPED, f"not run: {refusal}")
            if refusal
            else self._compare(await self._run(gate))
        )
        self.emit(GateFinished(result=result))
        return result

    async def _run(self, gate: Gate) -> GateResult:
        try:
            evidence = await self.execute(gate.command, gate.timeout_s)
        except (OSError, ValueError) as error:  # ValueError: a NUL in a command that an agent wrote
            return _not_run(gate, GateStatus.RED, f"the command could not be started: {error}")
        outcome = evidence.outcome
        output = outcome.output
        if outcome.timed_out:
            output += f"\n[stopped after {gate.timeout_s:g} s]"
        doubt = self._doubt(gate, evidence) if outcome.exit_code == 0 else ""
        if doubt:
            output += f"\n[exit code 0, but this is no success: {doubt}]"
        return GateResult(
            name=gate.name,
            command=gate.command,
            status=GateStatus.GREEN if outcome.exit_code == 0 and not doubt else GateStatus.RED,
            exit_code=outcome.exit_code,
            duration_s=round(outcome.duration_s, 3),
            output=output,
            tests_ran=evidence.tests_ran,
        )

    def _doubt(self, gate: Gate, evidence: Evidence) -> str:
        """Why exit code 0 is no success; a runner that reported before the first change has to report after it."""
        before = self.baseline.get(gate.name)
        if evidence.doubt:
            return evidence.doubt
        if evidence.tests_ran == 0:
            return "no tests ran"
        if evidence.tests_ran is None and before is not None and before.tests_ran is not None:
            return "the test runner reported before the first change and now is silent"
        return ""

    def _compare(self, result: GateResult) -> GateResult:
        """A failure that says nothing new since before the run is not this run's."""
        before = self.baseline.get(result.name)
        known = result.name in {gate.name for gate in self.gates}
        if result.status is not GateStatus.RED or not known:
            return result
        if before is None or before.status is GateStatus.SKIPPED:
            return self._could_not_run(result)
        if result.name not in self.strict and before.status is GateStatus.RED and _same(before, result):
            return replace(result, status=GateStatus.ALREADY_RED)
        return result

    def _could_not_run(self, result: GateResult) -> GateResult:
        """A project's gate whose program is missing, or that has no tests, shows nothing either way."""
        no_tests = (result.exit_code == _PYTEST_NO_TESTS and "pytest" in result.command) or (
            result.exit_code == 0 and result.tests_ran == 0
        )
        missing = result.exit_code == _COMMAND_NOT_FOUND or (
            result.exit_code == 1 and "pytest" in result.command and _PYTEST_MISSING.search(result.output)
        )
        return replace(result, status=GateStatus.SKIPPED) if no_tests or missing else result


def red(results: Iterable[GateResult]) -> tuple[GateResult, ...]:
    """Those that stand in the way."""
    return tuple(result for result in results if result.status is GateStatus.RED)


def was_refused(result: GateResult) -> bool:
    """Whether the policy kept a gate from running."""
    return result.status is GateStatus.SKIPPED and result.exit_code is None


def _not_run(gate: Gate, status: GateStatus, why: str) -> GateResult:
    return GateResult(
        name=gate.name,
        command=gate.command,
        status=status,
        exit_code=None,
        duration_s=0.0,
        output=why,
    )


def _same(before: GateResult, now: GateResult) -> bool:
    """Whether a gate failed in the same way: same exit code, not by a signal or the clock, nothing new said."""
    if before.exit_code is None or before.exit_code != now.exit_code or before.exit_code < 0:
        return False
    complaints = _complaints(now.output)
    return bool(complaints) and complaints <= _complaints(before.output)


def _complaints(output: str) -> set[str]:
    return {_PASSING.sub("#", line).strip() for line in output.splitlines() if line.strip()}
