"""pytest and unittest."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codeflow.tools.testing.python_names import to_ids
from codeflow.tools.testing.report import Failure, Report, relative
from codeflow.tools.testing.runner import Line, Ran, Runner

_PLUGIN_FOLDER = Path(__file__).parent / "plugin"
_COUNTED = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)
_SKIPPED = re.compile(r"\bskipped=(\d+)")
_BLOCK = re.compile(
    r"^={70}\n(?:ERROR|FAIL): (?P<title>.+)\n(?:(?!-{70}).*\n)*-{70}\n(?P<trace>(?:(?!={70}|-{70}).*\n?)*)",
    re.MULTILINE,
)
_FRAME = re.compile(r'^  File "(?P<path>[^"]+)", line (?P<line>\d+)', re.MULTILINE)


def _aim_pytest(command: str, targets: Sequence[str], root: Path) -> str:
    ids = dict.fromkeys(one for target in targets for one in to_ids(target, root))
    return f"{command} {shlex.join(ids)}"


def _pytest_reporting(line: Line, report: Path) -> Line:
    """The plugin is found through PYTHONPATH, which the command itself may set."""
    command = re.sub(
        r"\bPYTHONPATH=(\S+)", rf"PYTHONPATH=\1:{shlex.quote(str(_PLUGIN_FOLDER))}", line.command
    )
    env = {
        "PYTHONPATH": str(_PLUGIN_FOLDER),
        "PYTEST_ADDOPTS": f"{line.env.get('PYTEST_ADDOPTS', '')} -p codeflow_pytest".strip(),
        "CODEFLOW_TEST_REPORT": str(report),
    }
    return Line(command=command, env={**line.env, **env})


def _read_pytest(ran: Ran) -> Report | None:
    if ran.report is None:
        return None
    outcomes: dict[str, str] = {}
    failures: dict[str, Failure] = {}
    running: dict[str, None] = {}
    sessions: dict[int, _Session] = {}
    whole_rows = ran.report.split("\n")[:-1]
    for row in whole_rows:
        event = json.loads(row)
        session = sessions.setdefault(event["run"], _Session())
        session.note(event)
        if event["event"] == "start":
            running[event["id"]] = None
        elif event["event"] == "end":
            running.pop(event["id"], None)
        elif event["event"] == "result":
            outcomes[event["id"]] = event["outcome"]
            if event["outcome"] == "failed":
                failures.setdefault(event["id"], _pytest_failure(event, ran.root))
    ended = [outcome for test, outcome in outcomes.items() if test not in failures]
    return Report(
        passed=ended.count("passed"),
        skipped=ended.count("skipped"),
        failures=tuple(failures.values()),
        unfinished=tuple(running),
        cut_short=next((gap for session in sessions.values() if (gap := session.gap)), ""),
    )


@dataclass(slots=True)
class _Session:
    """How far one process of pytest got."""

    collected: int = 0
    ended: set[str] = field(default_factory=set)
    finished: bool = False

    def note(self, event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "collected":
                self.collected = event["count"]
            case "end":
                self.ended.add(event["id"])
            case "finish":
                self.finished = True

    @property
    def gap(self) -> str:
        """Why this was not a whole run; empty for one that was."""
        if not self.finished:
            return (
                f"the test process ended before pytest did, after {len(self.ended)} of {self.collected} tests"
            )
        if len(self.ended) < self.collected:
            return f"only {len(self.ended)} of the {self.collected} collected tests were run"
        return ""


def _pytest_failure(event: Mapping[str, Any], root: Path) -> Failure:
    """Where it broke when that is in the project, else where the test stands."""
    path = relative(event["path"], root)
    place = f"{path}:{event['line']}" if path and not Path(path).is_absolute() else ""
    if not place and event["location"]:
        place = "{}:{}".format(*event["location"])
    captured = [f"--- {title} ---\n{text}" for title, text in event["captured"].items()]
    message = event["message"] or event["text"].strip().rpartition("\n")[2]
    return Failure(
        test=event["id"], place=place, message=message, details="\n".join([event["text"], *captured])
    )


def _aim_unittest(command: str, targets: Sequence[str], _root: Path) -> str:
    """Modules, classes and methods are dotted; a file is written as its module."""
    dotted = [
        target.removesuffix(".py").replace("/", ".") if "/" in target or target.endswith(".py") else target
        for target in targets
    ]
    head, found, _ = command.partition("-m unittest")
    return f"{head}{found} {shlex.join(dotted)}"


def _read_unittest(ran: Ran) -> Report | None:
    counted = _COUNTED.findall(ran.output)
    if not counted:
        return None
    failures = tuple(_unittest_failure(match, ran.root) for match in _BLOCK.finditer(ran.output))
    skipped = sum(map(int, _SKIPPED.findall(ran.output)))
    broken = len({failure.test for failure in failures})
    total = sum(map(int, counted))
    return Report(passed=max(0, total - broken - skipped), skipped=skipped, failures=failures)


def _unittest_failure(match: re.Match[str], root: Path) -> Failure:
    name, _, where = match["title"].partition(" (")
    where = where.partition(")")[0]
    test = where if where.endswith(f".{name}") else f"{where}.{name}"
    trace = match["trace"].rstrip()
    frames = [(relative(frame["path"], root), frame["line"]) for frame in _FRAME.finditer(trace)]
    own = [f"{path}:{line}" for path, line in frames if not Path(path).is_absolute()]
    message = trace.splitlines()[-1] if trace else ""
    errors = [line for line in trace.splitlines() if re.match(r"[\w.]+(Error|Exception|Failure)\b", line)]
    return Failure(
        test=test.removeprefix("unittest.loader._FailedTest."),
        place=own[-1] if own else "",
        message=errors[-1] if errors else message,
        details=trace,
    )


PYTEST = Runner(
    name="pytest",
    pattern=re.compile(r"\bpytest\b"),
    aim=_aim_pytest,
    reporting=_pytest_reporting,
    read=_read_pytest,
    always_reports=True,
    told_by_environment=True,
)
UNITTEST = Runner(
    name="unittest",
    pattern=re.compile(r"-m unittest\b"),
    aim=_aim_unittest,
    reporting=lambda line, _: line,
    read=_read_unittest,
    always_reports=True,
    told_by_environment=True,
)
