"""Jest, Vitest and Node's own test runner, called directly or by a package's script."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from codeflow.tools.output import plain
from codeflow.tools.project_scripts import package_scripts
from codeflow.tools.testing.junit import read_junit
from codeflow.tools.testing.report import Failure, Report, own_frames, place_in, relative
from codeflow.tools.testing.runner import Line, Ran, Runner
from codeflow.tools.tool import Mistake

_SCRIPT = re.compile(r"\b(?:npm|pnpm|yarn|bun)(?: run)? (?P<name>[\w:-]+)")
_NODE_OPTIONS_LAST = re.compile(r"node\b[^;&|<>()]*\s--test(?: -\S+)*")
_LIKE_A_FILE = re.compile(r"^[^\s]*(?:[/*?\[]|\.[cm]?[jt]sx?$)[^\s]*$")
_NAME_FLAG = "--test-name-pattern="


def with_arguments(command: str, arguments: Sequence[str]) -> str:
    """The command with more arguments for the runner; npm keeps those before `--` for itself."""
    needs_dashes = re.search(r"\bnpm\b", command) and " -- " not in command
    return f"{command}{' --' if needs_dashes else ''} {shlex.join(arguments)}"


def _split(targets: Sequence[str]) -> tuple[list[str], str]:
    """Targets as files and one pattern for the names after `::`; none where a whole file is wanted."""
    pairs = [target.partition("::") for target in targets]
    files = list(dict.fromkeys(file for file, _, _ in pairs if file))
    names = [re.sub(r"[\\^$.*+?()[\]{}|/]", r"\\\g<0>", name) for _, _, name in pairs if name]
    whole_file = any(not name for _, _, name in pairs)
    return files, f"({'|'.join(names)})$" if names and not whole_file else ""


def _aim_jest(command: str, targets: Sequence[str], _: Path) -> str:
    files, names = _split(targets)
    return with_arguments(command, [*files, *(["-t", names] if names else [])])


def _aim_node(command: str, targets: Sequence[str], root: Path) -> str:
    """Node takes options before files only: behind a script that names files, whole files are run."""
    files, names = _split([_node_target(target, root) for target in targets])
    script = _SCRIPT.search(command)
    if names and script is None:
        command = re.sub(
            r"\s--test\b", lambda flag: f"{flag[0]} {shlex.quote(_NAME_FLAG + names)}", command, count=1
        )
    elif names and script and _NODE_OPTIONS_LAST.fullmatch(package_scripts(root).get(script["name"], "")):
        return with_arguments(command, [_NAME_FLAG + names, *files])
    elif names and not files:
        raise Mistake(
            f"{command!r} takes no name of a test, as its script goes on after `node --test`. Name the test's file as target, "
            f"or use run_command with node {shlex.join(['--test', _NAME_FLAG + names])} and the file."
        )
    return with_arguments(command, files) if files else command


def _node_target(target: str, root: Path) -> str:
    """A test's name alone gets the `::` before it that parts names from files."""
    is_file = "::" in target or (root / target).exists() or _LIKE_A_FILE.match(target)
    return target if is_file else f"::{target}"


def _jest_reporting(line: Line, report: Path) -> Line:
    command = with_arguments(line.command, ["--json", f"--outputFile={report}", "--testLocationInResults"])
    return Line(command=command, env=line.env)


def _vitest_reporting(line: Line, report: Path) -> Line:
    options = ["--reporter=default", "--reporter=json", f"--outputFile.json={report}"]
    return Line(command=with_arguments(line.command, options), env=line.env)


def _node_reporting(line: Line, report: Path) -> Line:
    own = (
        f"--test-reporter=spec --test-reporter-destination=stdout "
        f"--test-reporter=junit --test-reporter-destination={json.dumps(str(report))}"
    )
    return Line(command=line.command, env={**line.env, "NODE_OPTIONS": own})


def _read_jest(ran: Ran) -> Report | None:
    if ran.report is None:
        return None
    told = json.loads(ran.report)
    suites = told["testResults"]
    cases = [(suite, case) for suite in suites for case in suite["assertionResults"]]
    broken = [suite for suite in suites if suite["status"] == "failed" and not suite["assertionResults"]]
    statuses = [case["status"] for _, case in cases]
    failed = [_jest_failure(suite, case, ran.root) for suite, case in cases if case["status"] == "failed"]
    return Report(
        passed=statuses.count("passed"),
        skipped=len(statuses) - statuses.count("passed") - len(failed),
        failures=(*(_broken_suite(suite, ran.root) for suite in broken), *failed),
        cut_short="the run was interrupted" if told.get("wasInterrupted") else "",
    )


def _jest_failure(suite: Mapping[str, Any], case: Mapping[str, Any], root: Path) -> Failure:
    file = relative(suite["name"], root)
    trace = plain("\n".join(case["failureMessages"]).encode())
    line = (case.get("location") or {}).get("line")
    place = place_in(trace, root) or (f"{file}:{line}" if line else file)
    return Failure(
        test=f"{file}::{case['fullName']}",
        place=place,
        message=_first_block(trace),
        details=own_frames(trace, root),
    )


def _broken_suite(suite: Mapping[str, Any], root: Path) -> Failure:
    file = relative(suite["name"], root)
    trace = plain(suite["message"].encode())
    return Failure(
        test=file, place=place_in(trace, root), message=_first_block(trace), details=own_frames(trace, root)
    )


def _first_block(trace: str) -> str:
    """What stands before the stack."""
    return re.split(r"\n\s+at ", trace, maxsplit=1)[0].strip()


def _node_test_id(case: ET.Element, place: str) -> str:
    return f"{place.rpartition(':')[0]}::{case.get('name', '')}"


JEST = Runner(
    name="jest",
    pattern=re.compile(r"\bjest\b"),
    aim=_aim_jest,
    reporting=_jest_reporting,
    read=_read_jest,
    always_reports=True,
)
VITEST = Runner(
    name="vitest",
    pattern=re.compile(r"\bvitest\b"),
    aim=_aim_jest,
    reporting=_vitest_reporting,
    read=_read_jest,
    always_reports=True,
)
NODE = Runner(
    name="node --test",
    pattern=re.compile(r"\bnode\b.*\s--test\b"),
    aim=_aim_node,
    reporting=_node_reporting,
    read=lambda ran: read_junit([ran.report] if ran.report else [], ran.root, _node_test_id),
)
