"""How each test runner measures coverage, and how its data are read."""

import json
import re
import shlex
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from codeflow.tools.left import left_text
from codeflow.tools.testing.compiled import go_module
from codeflow.tools.testing.javascript import with_arguments
from codeflow.tools.testing.report import relative

_PYTHON = re.compile(r"(?P<tool>\S+ -m |\S*/|)(?P<module>pytest|unittest)\b(?P<rest>.*)", re.DOTALL)
_C8 = "node_modules/.bin/c8"
_GO_BLOCK = re.compile(
    r"^(?P<path>.+):(?P<first>\d+)\.\d+,(?P<last>\d+)\.\d+ \d+ (?P<count>\d+)$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class FileCoverage:
    """The lines of one file that could run, and those of them that did."""

    lines: frozenset[int] | set[int]
    reached: frozenset[int] | set[int]

    @property
    def percent(self) -> float:
        return 100 * len(self.reached) / len(self.lines) if self.lines else 100.0

    @property
    def missed(self) -> frozenset[int] | set[int]:
        return self.lines - self.reached


Coverage = Mapping[str, FileCoverage]
"""By the file's path in the project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """`measuring` turns a test command into one that leaves data in a folder, from which `read` takes them.

    `folder` is in a place that commands can write, a new one for each measurement.
    """

    measuring: Callable[[str, Path], str]
    read: Callable[[Path, Path], Coverage]
    needs: str
    """What has to be installed in the project."""
    package: str = ""
    """The package that is to be installed, where it may be missing beside the runner."""
    language: str = "javascript"
    """Whose package manager installs it."""
    program: str = ""
    """A file of the project without which nothing can be measured."""


def _measuring_python(command: str, folder: Path) -> str:
    """coverage.py beside the test module, by the same interpreter; the exit code stays that of the tests."""
    found = _PYTHON.search(command)
    if not found:
        return command
    before, program = command[: found.start()], f"{found['tool']}coverage"
    data = shlex.quote(f"--data-file={folder / 'data'}")
    return (
        f"{before}{program} run {data} -m {found['module']}{found['rest']}; code=$?; "
        f"{before}{program} json --quiet {data} -o {shlex.quote(str(folder / 'coverage.json'))}; exit $code"
    )


def _read_python(folder: Path, root: Path) -> Coverage:
    data = left_text(folder.parent, f"{folder.name}/coverage.json")
    if data is None:
        return {}
    found: dict[str, FileCoverage] = {}
    for path, row in json.loads(data)["files"].items():
        reached = set(row["executed_lines"])
        found[relative(path, root)] = FileCoverage(reached | set(row["missing_lines"]), reached)
    return found


def _measuring_jest(command: str, folder: Path) -> str:
    return with_arguments(
        command, ["--coverage", "--coverageReporters=json", f"--coverageDirectory={folder}"]
    )


def _measuring_vitest(command: str, folder: Path) -> str:
    options = [
        "--coverage.enabled",
        "--coverage.reportOnFailure",  # or nothing is written when a test fails
        "--coverage.reporter=json",
        f"--coverage.reportsDirectory={folder}",
    ]
    return with_arguments(command, options)


def _measuring_node(command: str, folder: Path) -> str:
    return f"./{_C8} --reporter=json --reports-dir={shlex.quote(str(folder))} {command}"


def _read_istanbul(folder: Path, root: Path) -> Coverage:
    """A line counts when a statement begins there."""
    data = left_text(folder.parent, f"{folder.name}/coverage-final.json")
    if data is None:
        return {}
    found: dict[str, FileCoverage] = {}
    for path, row in json.loads(data).items():
        starts = {key: statement["start"]["line"] for key, statement in row["statementMap"].items()}
        reached = {starts[key] for key, count in row["s"].items() if count}
        found[relative(path, root)] = FileCoverage(set(starts.values()), reached)
    return found


def _measuring_go(command: str, folder: Path) -> str:
    option = shlex.quote(f"-coverprofile={folder / 'profile'}")
    return re.sub(r"\bgo test\b", lambda found: f"{found[0]} {option}", command, count=1)


def _read_go(folder: Path, root: Path) -> Coverage:
    lines: dict[str, set[int]] = defaultdict(set)
    reached: dict[str, set[int]] = defaultdict(set)
    module = go_module(root)
    for block in _GO_BLOCK.finditer(left_text(folder.parent, f"{folder.name}/profile") or ""):
        path = block["path"].removeprefix(f"{module}/")
        span = range(int(block["first"]), int(block["last"]) + 1)
        lines[path].update(span)
        if int(block["count"]):
            reached[path].update(span)
    return {path: FileCoverage(lines[path], reached[path]) for path in lines}


_COVERAGE_PY = Way(
    measuring=_measuring_python,
    read=_read_python,
    needs="the package coverage",
    package="coverage",
    language="python",
)

WAYS: Mapping[str, Way] = {
    "pytest": _COVERAGE_PY,
    "unittest": _COVERAGE_PY,
    "jest": Way(measuring=_measuring_jest, read=_read_istanbul, needs="jest"),
    "vitest": Way(
        measuring=_measuring_vitest,
        read=_read_istanbul,
        needs="the package @vitest/coverage-v8",
        package="@vitest/coverage-v8",
    ),
    "node --test": Way(
        measuring=_measuring_node,
        read=_read_istanbul,
        needs="the package c8",
        package="c8",
        program=_C8,
    ),
    "go test": Way(measuring=_measuring_go, read=_read_go, needs="go"),
}
"""By the runner's name."""
