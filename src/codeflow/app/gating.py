"""Which commands are gates, and who may run them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from codeflow.agents.bench import Bench
from codeflow.core.invisible import spelled_out
from codeflow.core.settings import Settings
from codeflow.core.values import Gate
from codeflow.orchestration.gates import Gates
from codeflow.sessions.past import LastRun
from codeflow.tools.project import Project
from codeflow.tools.registry import TOOLS
from codeflow.tools.testing.evidence import Evidence, gather

GATE_NAMES = ("build", "lint", "types", "tests")
"""Cheapest evidence first."""

_PYTEST = re.compile(r"(python3? -m )?pytest(?= |$)")
_TARGET = re.compile(r"-[qvx]|(?!-|/|.*\.\.)[\w./:\[\]-]+")


def gate_commands(settings: Settings, project: Project) -> dict[str, str]:
    """Gate name -> command, as set or found; a gate that is off or was not found is missing.

    Tests that cannot run yet are a gate all the same: it is skipped until what they lack has been installed.
    """
    found = {name: getattr(project, name) for name in GATE_NAMES}
    if waiting := project.waiting_tests:
        found["tests"] = waiting.command
    chosen = {name: getattr(settings.gates, name) for name in GATE_NAMES}
    commands = {name: found[name] if chosen[name] == "auto" else chosen[name] for name in GATE_NAMES}
    return {name: command for name, command in commands.items() if command and command != "off"}


def find_gates(settings: Settings, project: Project) -> tuple[dict[str, str], str | None]:
    """Gate name -> command, and what a person should know of a run whose tests show nothing."""
    return gate_commands(settings, project), note_on_tests(settings, project)


def note_on_tests(settings: Settings, project: Project) -> str | None:
    """Why the tests of a run show nothing; None when they can run."""
    waiting = project.waiting_tests
    if settings.gates.tests == "auto" and waiting:
        return f"the tests cannot run, so nothing will show that a change works: {waiting.detail} ({waiting.cure})"
    if "tests" not in gate_commands(settings, project):
        return "no test command was found: nothing will show that a change works (set gates.tests)"
    return None


def make_gates(
    settings: Settings,
    bench: Bench,
    commands: Mapping[str, str],
    past: LastRun,
    command_starts: Callable[[], None],
) -> Gates:
    """`command_starts` is called before each command of a gate."""

    async def run(command: str, timeout_s: float) -> Evidence:
        command_starts()
        shown = await gather(bench.workspace, command, timeout_s)
        output = spelled_out(bench.workspace.redactor.redact(shown.outcome.output))
        return replace(shown, outcome=replace(shown.outcome, output=output))

    timeout_s = settings.gates.timeout_s
    return Gates(
        gates=[Gate(name=name, command=command, timeout_s=timeout_s) for name, command in commands.items()],
        execute=run,
        permit=partial(_permit_gate, bench, commands.get("tests", "")),
        emit=bench.emit,
        past=past,
    )


async def _permit_gate(bench: Bench, tests: str, gate: Gate) -> str | None:
    """The project's gates are judged like run_tests, a command that an agent proposed like run_command.

    An agent's command that is the test command with a narrower target counts as run_tests.
    """
    if gate.name in GATE_NAMES or narrows(gate.command, tests):
        return await bench.permit(TOOLS["run_tests"], gate.command, {}, agent="gates")
    return await bench.permit(TOOLS["run_command"], gate.command, {"command": gate.command}, agent="gates")


def narrows(command: str, tests: str) -> bool:
    """Whether a command runs a part of the project's tests and can do nothing else."""
    runner = _PYTEST.match(command) if "pytest" in tests else None
    prefix = runner[0] if runner else tests
    if not prefix or not command.startswith(prefix):
        return False
    return all(_TARGET.fullmatch(word) for word in command.removeprefix(prefix).split())
