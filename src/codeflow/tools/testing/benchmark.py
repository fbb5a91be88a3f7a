"""The tool that measures a command in the work tree and in an earlier commit, by turns."""

import asyncio
import json
import os
import shlex
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.borrowed import counterparts, import_hooks, lender_of
from codeflow.tools.environment import project_venv
from codeflow.tools.git_runner import change_quietly, must, tidy
from codeflow.tools.left import left_text
from codeflow.tools.process import Confine, Outcome, execute
from codeflow.tools.project_files import ProjectFiles
from codeflow.tools.testing.run import tests_line
from codeflow.tools.tool import Mistake, argument, tool
from codeflow.tools.workspace import Workspace

_MOST_ROUNDS = 20
_LEAST_ROUNDS = 3
_UNITS = (("s", 1.0), ("ms", 1e3), ("µs", 1e6), ("ns", 1e9))
_TENTHS = 10
_SHARED = (".venv", "venv", "node_modules")
"""Installed packages: git does not know them, and both trees use the same."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Seconds of one benchmark in both trees."""

    name: str
    before: Sequence[float]
    after: Sequence[float]

    @property
    def text(self) -> str:
        from statistics import median

        before, after = median(self.before), median(self.after)
        ratio = after / before if before else float("inf")
        return f"{self.name}: before {_span(self.before)}, after {_span(self.after)}, ratio {ratio:.3f}{self._doubt}"

    @property
    def _doubt(self) -> str:
        (low_before, high_before), (low_after, high_after) = _usual(self.before), _usual(self.after)
        overlap = low_before <= high_after and low_after <= high_before
        return " (the ranges overlap)" if overlap else ""


@tool(effect=Effect.EXECUTE, summary=argument("command"))
async def benchmark(ws: Workspace, command: str = "", baseline_ref: str = "HEAD") -> ToolResult:
    """Compare the speed of the work tree with an earlier commit. A ratio below 1 means that the work tree is faster.

    Args:
        command: Shell command to time; the project's pytest-benchmark tests by default.
        baseline_ref: The commit to compare with.
    """
    if baseline_ref.startswith("-"):
        raise Mistake(f"{baseline_ref} is not a commit.")
    _refuse_hooks(ws)
    async with _checkout(ws, baseline_ref) as baseline:
        if command.strip():
            compared = [await _timed(ws, command, baseline)]
        else:
            compared = await _pytest_benchmarks(ws, baseline)
    content = "\n".join(
        [f"before is {baseline_ref}, after is the work tree:", *(one.text for one in compared)]
    )
    return ToolResult(content=content, display=compared[0].text)


@asynccontextmanager
async def _checkout(ws: Workspace, ref: str) -> AsyncIterator[Path]:
    """The commit in a temporary git worktree; the yielded folder stands for the workspace in it."""
    tree = ws.runs.folder() / f"baseline-{uuid.uuid4().hex[:8]}"
    try:
        prefix = (await must(ws, "rev-parse", "--show-prefix")).decode().strip()
        await change_quietly(ws, "worktree", "add", "--detach", "--quiet", str(tree), f"{ref}^{{commit}}")
    except Mistake as problem:
        raise Mistake(f"There is nothing to compare with: {problem}") from problem
    try:
        folder = tree / prefix
        if not folder.is_dir():
            raise Mistake(f"The workspace's folder does not exist in {ref}.")
        for name in _SHARED:
            if (ws.root / name).is_dir() and not (folder / name).exists():
                (folder / name).symlink_to(ws.root / name)
        yield folder
    finally:
        shutil.rmtree(tree)
        await tidy(ws, "worktree", "prune")


async def _timed(ws: Workspace, command: str, baseline: Path) -> Comparison:
    """By turns, so that a machine that grows slower slows both; the first round warms up and is not counted."""
    seconds: dict[Path, list[float]] = {baseline: [], ws.root: []}
    deadline = time.monotonic() + ws.settings.command_timeout_s
    for round_number in range(_MOST_ROUNDS + 1):
        for tree, measured in seconds.items():
            outcome = await _run(ws, command, tree, ws.env | _import_paths(ws, tree), ws.confining())
            if outcome.exit_code != 0:
                where = "work tree" if tree == ws.root else "baseline"
                raise Mistake(
                    f"The command fails in the {where} with {_how(outcome)}:\n{outcome.output[-3000:]}"
                )
            if round_number:
                measured.append(outcome.duration_s)
        if round_number >= _LEAST_ROUNDS and time.monotonic() > deadline:
            break
    return Comparison(command, seconds[baseline], seconds[ws.root])


def _how(outcome: Outcome) -> str:
    return "no end in time" if outcome.timed_out else f"exit code {outcome.exit_code}"


async def _pytest_benchmarks(ws: Workspace, baseline: Path) -> list[Comparison]:
    line = await tests_line(ws, [])
    if "pytest" not in line.command or not _uses_pytest_benchmark(ws):
        raise Mistake(
            "The project neither lists pytest-benchmark nor has it in its environment; pass the command to time."
        )
    before = await _measured(ws, line.command, baseline)
    after = await _measured(ws, line.command, ws.root)
    common = [Comparison(name, before[name], after[name]) for name in after if name in before]
    if not common:
        raise Mistake(
            f"No benchmark exists in both trees; the work tree has {len(after)}, the baseline {len(before)}."
        )
    return common


def _uses_pytest_benchmark(ws: Workspace) -> bool:
    project = ProjectFiles(ws.root, ws.env, ws.reading_env)
    manifests = (
        "pyproject.toml",
        "setup.cfg",
        "setup.py",
        "tox.ini",
        "Pipfile",
        *map(str, ws.root.glob("*requirements*.txt")),
        *map(str, ws.root.glob("requirements/*.txt")),
    )
    venv = project_venv(ws.root)
    is_installed = venv and any(venv.glob("lib/python*/site-packages/pytest_benchmark"))
    return bool(is_installed) or any("pytest-benchmark" in project.text(name) for name in manifests)


async def _measured(ws: Workspace, command: str, tree: Path) -> Mapping[str, Sequence[float]]:
    report = ws.runs.folder() / f"{uuid.uuid4().hex}.json"
    options = f"--benchmark-only --benchmark-json={shlex.quote(str(report))} -p no:xdist -o addopts="
    outcome = await _run(ws, f"{command} {options}", tree, ws.env | _import_paths(ws, tree), ws.confining())
    data = await asyncio.to_thread(left_text, report.parent, report.name)
    if data is None:
        raise Mistake(f"The benchmarks did not run ({_how(outcome)}):\n{outcome.output[-3000:]}")
    rows = json.loads(data)["benchmarks"]
    return {row["fullname"]: row["stats"]["data"] for row in rows}


def _import_paths(ws: Workspace, tree: Path) -> dict[str, str]:
    """The tree's own sources come before a project that was installed from the work tree."""
    installed: list[str] = []
    if venv := project_venv(ws.root):
        installed = counterparts(venv, lender_of(venv) or ws.root, tree)
    return {"PYTHONPATH": os.pathsep.join(dict.fromkeys([*installed, str(tree / "src"), str(tree)]))}


def _refuse_hooks(ws: Workspace) -> None:
    """A Mistake where the baseline would import the work tree's code."""
    venv = project_venv(ws.root)
    if venv and (hooks := import_hooks(venv, lender_of(venv) or ws.root)):
        raise Mistake(
            f"The project is installed by an import hook ({', '.join(hooks)} in {venv.name}), through which the baseline "
            "would import the work tree's code, so nothing was compared. Install it so that a path leads to it (setuptools: "
            "pip install -e . --config-settings editable_mode=compat), or not at all."
        )


async def _run(
    ws: Workspace,
    command: str | Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    confine: Confine | None = None,
) -> Outcome:
    return await execute(
        command,
        cwd=cwd,
        env=env,
        timeout_s=ws.settings.command_timeout_s,
        output_limit_chars=ws.settings.output_limit_chars,
        memory_bytes=ws.memory_bytes,
        redact=ws.redactor.redact,
        confine=confine,
    )


def _span(seconds: Sequence[float]) -> str:
    from statistics import median

    (low, high), middle = _usual(seconds), median(seconds)
    unit, scale = next((u for u in _UNITS if middle * u[1] >= 1), _UNITS[-1])
    return f"{middle * scale:.3g} {unit} ({low * scale:.3g}-{high * scale:.3g}, {len(seconds)} runs)"


def _usual(seconds: Sequence[float]) -> tuple[float, float]:
    """The range without the fastest and the slowest tenth; of few runs all."""
    from statistics import quantiles

    if len(seconds) < _TENTHS:
        return min(seconds), max(seconds)
    tenths = quantiles(seconds, n=_TENTHS, method="inclusive")
    return tenths[0], tenths[-1]
