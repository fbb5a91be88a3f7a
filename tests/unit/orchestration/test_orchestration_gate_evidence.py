"""Gates on real test runners: an exit code of 0 is no success when the tests were not run to their end."""

import json
import os
import shlex
import shutil
import sys
from functools import partial
from pathlib import Path

import pytest

from codeflow.core.settings import ToolSettings
from codeflow.core.values import Gate, GateResult, GateStatus
from codeflow.orchestration.gates import Gates
from codeflow.tools.process import execute
from codeflow.tools.testing.evidence import gather
from codeflow.tools.workspace import Workspace

PYTHON = shlex.quote(sys.executable)
PYTEST = f"{PYTHON} -m pytest -q -p no:cacheprovider"
UNITTEST = f"{PYTHON} -m unittest -q"
QUICK = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
XDIST = "-p xdist.plugin -n 2"
GREEN, RED, SKIPPED, ALREADY_RED = (
    GateStatus.GREEN,
    GateStatus.RED,
    GateStatus.SKIPPED,
    GateStatus.ALREADY_RED,
)
PASSING = "def test_a(): pass\ndef test_b(): pass\ndef test_c(): pass\n"
FAILING = "def test_a(): pass\ndef test_b(): assert 1 == 2\n"
CASE = "import os, unittest\nclass T(unittest.TestCase):\n def test_a(self): pass\n"
GO_TEST = 'package a\nimport ("os"; "syscall"; "testing")\nvar _, _ = os.Exit, syscall.Exit\n'
GO_OK = 'package b\nimport "testing"\nfunc TestOk(t *testing.T) {}\n'
RUST = "#[test]\nfn a() {}\n#[test]\nfn b() { BODY }\n"


PASSED_BEFORE = GateResult(
    name="tests", command=PYTEST, status=GREEN, exit_code=0, duration_s=1.0, output="", tests_ran=3
)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def gate_of(folder: Path, command: str, env: dict[str, str] | None = None) -> Gates:
    settings = ToolSettings(
        command_timeout_s=60, command_memory_mb="auto", output_limit_chars=8_000, read_limit_lines=800
    )

    async def permit(_gate: Gate) -> None:
        return None

    return Gates(
        gates=[Gate(name="tests", command=command, timeout_s=100)],
        execute=partial(gather, Workspace(folder, settings, os.environ | QUICK | (env or {}))),
        permit=permit,
        emit=lambda _event: None,
    )


async def only(made: Gates) -> GateResult:
    (result,) = await made.run()
    return result


async def before_and_after(
    folder: Path, command: str, before: dict[str, str], after: dict[str, str]
) -> GateResult:
    made = gate_of(folder, command)
    write(folder, before)
    made.measure_baseline()
    await made.baseline_ready()
    write(folder, after)
    return await only(made)


@pytest.mark.parametrize("options", ["", f" {XDIST}", " -k test_c", " test_a.py test_a.py::test_a"])
async def test_a_whole_run_of_pytest_is_green_and_shown_as_configured(tmp_path: Path, options: str):
    write(tmp_path, {"test_a.py": PASSING})
    result = await only(gate_of(tmp_path, PYTEST + options))
    assert (result.status, result.exit_code, result.command) == (GREEN, 0, PYTEST + options)
    assert result.tests_ran == (1 if "-k" in options else 3)
    assert "codeflow" not in result.output


LEAVING = {
    "a test ends the process": {"test_a.py": f"import os\n{PASSING}def test_d(): os._exit(0)\n"},
    "a test asks pytest to end": {
        "test_a.py": f"import pytest\ndef test_0(): pytest.exit('bye', returncode=0)\n{PASSING}"
    },
    "a fixture asks pytest to end": {
        "test_a.py": PASSING,
        "conftest.py": "import pytest\n@pytest.fixture(autouse=True)\ndef f(request):\n"
        "    if request.node.name == 'test_b': pytest.exit('bye', returncode=0)\n",
    },
    "conftest ends the process": {"test_a.py": FAILING, "conftest.py": "import sys\nsys.exit(0)\n"},
    "conftest ends it hard": {"test_a.py": FAILING, "conftest.py": "import os\nos._exit(0)\n"},
    "a module ends it while it is collected": {
        "test_a.py": FAILING,
        "test_b.py": "import os\nos._exit(0)\n",
    },
    "the end of the session is cut off": {
        "test_a.py": PASSING,
        "conftest.py": "import os, pytest\n@pytest.hookimpl(tryfirst=True)\ndef pytest_runtestloop():\n    os._exit(0)\n",
    },
    "failures are forgiven": {
        "test_a.py": FAILING,
        "conftest.py": "def pytest_sessionfinish(session): session.exitstatus = 0\n",
    },
    "the exit code is made up at the end": {
        "test_a.py": FAILING,
        "conftest.py": "import os\ndef pytest_unconfigure(): os._exit(0)\n",
    },
    "nothing is run": {"test_a.py": PASSING, "conftest.py": "def pytest_runtestloop(): return True\n"},
    "the tests are only listed": {
        "test_a.py": FAILING,
        "pytest.ini": "[pytest]\naddopts = --collect-only\n",
    },
    "the report is switched off": {
        "test_a.py": FAILING,
        "pytest.ini": "[pytest]\naddopts = -p no:codeflow_pytest --collect-only\n",
    },
    "pytest is another program": {"test_a.py": FAILING, "pytest.py": "print('3 passed')\n"},
    "nothing is collected": {
        "test_a.py": FAILING,
        "conftest.py": "def pytest_collection_modifyitems(items): items.clear()\n"
        "def pytest_sessionfinish(session): session.exitstatus = 0\n",
    },
}


@pytest.mark.parametrize("after", LEAVING.values(), ids=LEAVING.keys())
async def test_a_change_that_makes_pytest_leave_early_is_red(tmp_path: Path, after: dict[str, str]):
    made = gate_of(tmp_path, PYTEST)
    made.baseline["tests"] = PASSED_BEFORE
    write(tmp_path, after)
    result = await only(made)
    assert (result.status, result.exit_code) == (RED, 0), result.output
    assert "[exit code 0, but this is no success: " in result.output


async def test_without_a_baseline_an_early_end_is_red_too(tmp_path: Path):
    write(tmp_path, LEAVING["conftest ends the process"])
    assert (await only(gate_of(tmp_path, PYTEST))).status is RED


async def test_parallel_workers_that_leave_early_are_red(tmp_path: Path):
    write(tmp_path, LEAVING["a test asks pytest to end"])
    assert (await only(gate_of(tmp_path, f"{PYTEST} {XDIST}"))).status is RED


@pytest.mark.parametrize(
    "command",
    [f"true && {PYTEST}", f"PYTHONPATH=lib {PYTEST}", f"{PYTEST} test_a.py && {PYTEST} test_b.py"],
)
async def test_an_early_end_shows_inside_longer_lines(tmp_path: Path, command: str):
    files = {"test_a.py": "import os\ndef test_a(): os._exit(0)\n", "test_b.py": PASSING}
    result = await before_and_after(tmp_path, command, {"test_a.py": PASSING, "test_b.py": PASSING}, files)
    assert (result.status, result.exit_code) == (RED, 0)


async def test_a_runner_that_reported_before_may_not_fall_silent(tmp_path: Path):
    command = f"true && {PYTEST}"
    before = {"test_a.py": PASSING}
    result = await before_and_after(tmp_path, command, before, LEAVING["conftest ends the process"])
    assert (result.status, result.exit_code) == (RED, 0)
    assert "now is silent" in result.output


@pytest.mark.parametrize(
    "command", ["docker() { true; }; docker run app pytest", "echo pytest > word", "make test # pytest"]
)
async def test_a_line_that_cannot_report_is_judged_by_its_exit_code(tmp_path: Path, command: str):
    write(tmp_path, {"Makefile": "test:\n\t@true\n"})
    assert (await only(gate_of(tmp_path, command))).status is GREEN


async def test_no_tests_before_and_after_show_nothing(tmp_path: Path):
    write(tmp_path, {"test_a.py": CASE.replace("test_a", "not_a_test")})
    for command in (PYTEST, UNITTEST):
        assert (await only(gate_of(tmp_path, command))).status is SKIPPED


async def test_an_old_failure_is_still_recognised(tmp_path: Path):
    before = {"test_a.py": FAILING}
    result = await before_and_after(tmp_path, PYTEST, before, {"other.py": "x = 1\n"})
    assert result.status is ALREADY_RED
    more = {"test_b.py": FAILING.replace("test_b", "test_new")}
    assert (await before_and_after(tmp_path, PYTEST, before, more)).status is RED


@pytest.mark.parametrize(
    ("body", "status"),
    [("pass", GREEN), ("os._exit(0)", RED), ("self.skipTest('later')", GREEN), ("self.fail()", RED)],
)
async def test_unittest_has_to_say_how_many_ran(tmp_path: Path, body: str, status: GateStatus):
    write(tmp_path, {"test_a.py": f"{CASE} def test_b(self): {body}\n"})
    assert (await only(gate_of(tmp_path, UNITTEST))).status is status


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("go"), reason="needs go")
@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("func TestA(t *testing.T) {}\n", GREEN),
        ("func TestA(t *testing.T) { t.Error(7) }\n", RED),
        ("func TestA(t *testing.T) { syscall.Exit(0) }\nfunc TestB(t *testing.T) { t.Error(7) }\n", RED),
        ("func TestA(t *testing.T) { t.Error(7) }\nfunc TestMain(m *testing.M) { os.Exit(0) }\n", RED),
    ],
)
async def test_go_tests_that_leave_early_are_red(tmp_path: Path, code: str, status: GateStatus):
    files = {"go.mod": "module a\n\ngo 1.20\n", "a_test.go": GO_TEST + code, "b/b_test.go": GO_OK}
    write(tmp_path, files)
    cache = {
        "GOFLAGS": "-mod=mod",
        "GOCACHE": os.environ.get("GOCACHE", str(Path.home() / ".cache/go-build")),
    }
    result = await only(gate_of(tmp_path, "go test ./...", cache))
    assert result.status is status, result.output
    assert result.command == "go test ./..."
    assert '{"' not in result.output


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("cargo"), reason="needs cargo")
@pytest.mark.parametrize(("body", "status"), [("", GREEN), ("std::process::exit(0)", RED)])
async def test_cargo_tests_that_leave_early_are_red(tmp_path: Path, body: str, status: GateStatus):
    manifest = '[package]\nname = "sums"\nversion = "0.1.0"\nedition = "2021"\n'
    write(tmp_path, {"Cargo.toml": manifest, "src/lib.rs": RUST.replace("BODY", body)})
    result = await only(gate_of(tmp_path, "cargo test --quiet"))
    assert (result.status, result.exit_code) == (status, 0)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("npm"), reason="needs npm")
@pytest.mark.parametrize("runner", ["jest", "vitest"])
async def test_javascript_tests_that_leave_early_are_red(tmp_path: Path, runner: str):
    imported = "import {test, expect} from 'vitest';\n" if runner == "vitest" else ""
    name = "a.test.mjs" if runner == "vitest" else "a.test.js"
    script = "jest" if runner == "jest" else "vitest run"
    good = f"{imported}test('a', () => {{}});\ntest('b', () => {{}});\n"
    write(tmp_path, {name: good, "package.json": json.dumps({"scripts": {"test": script}})})
    install = ["npm", "install", "--no-audit", "--no-fund", "--silent", runner]
    installed = await execute(install, cwd=tmp_path, env=os.environ, timeout_s=100, output_limit_chars=2000)
    assert installed.exit_code == 0, installed.output
    result = await only(gate_of(tmp_path, "npm run test"))
    assert (result.status, result.tests_ran, result.command) == (GREEN, 2, "npm run test")
    assert ".report" not in result.output
    left = good + "test('c', () => { process.exit(0) });\ntest('d', () => { expect(1).toBe(2) });\n"
    write(tmp_path, {name: left})
    assert (await only(gate_of(tmp_path, "npm run test"))).status is RED
