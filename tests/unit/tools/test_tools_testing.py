"""run_tests on real projects and their real runners."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.tools.processes import nothing_is_left_in

from codeflow.tools.process import execute
from codeflow.tools.testing.run import run_tests
from codeflow.tools.workspace import Workspace

PYTEST = f"{shlex.quote(sys.executable)} -m pytest -q --tb=short -p no:cacheprovider"
PYTHON_TESTS = """
import pytest

def test_good(): pass

def test_bad():
    print("printed by bad")
    assert 1 + 1 == 3

@pytest.fixture
def broken(): raise ValueError("no such thing")

def test_error(broken): pass

@pytest.mark.skip
def test_later(): pass
"""
NODE_TESTS = """
const test = require('node:test'); const assert = require('node:assert');
test('good', () => {});
test('bad', () => {
  assert.strictEqual(1 + 1, 3);
});
test.skip('later', () => {});
"""


@pytest.fixture
def with_tests(make_workspace: Callable[..., Workspace]) -> Callable[..., Workspace]:
    """A workspace with a test command and files."""

    def make(command: str, files: dict[str, str], *, timeout_s: float = 60) -> Workspace:
        ws = make_workspace(tests=command, timeout_s=timeout_s)
        for name, content in files.items():
            path = ws.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return ws

    return make


async def test_pytest_failures_have_place_reason_and_their_own_output(with_tests: Callable[..., Workspace]):
    ws = with_tests(PYTEST, {"tests/test_a.py": PYTHON_TESTS})
    result = await run_tests.function(ws)
    assert result.display.startswith("2 failed, 1 passed, 1 skipped; exit code 1, ")
    assert "FAILED tests/test_a.py::test_bad  at tests/test_a.py:8\nassert (1 + 1) == 3" in result.content
    assert (
        "FAILED tests/test_a.py::test_error  at tests/test_a.py:11\nValueError: no such thing"
        in result.content
    )
    assert result.content.count("printed by bad") == 1


@pytest.mark.slow
async def test_failed_tests_are_run_again_until_they_pass(with_tests: Callable[..., Workspace]):
    ws = with_tests(PYTEST, {"tests/test_a.py": PYTHON_TESTS})
    assert "No failed tests are known" in (await run_tests.function(ws, only_failed=True)).content
    await run_tests.function(ws)
    (ws.root / "tests/test_a.py").write_text(PYTHON_TESTS.replace("== 3", "== 2").replace("raise", "return"))
    again = await run_tests.function(ws, only_failed=True)
    assert again.display.startswith("2 passed; exit code 0, ")
    assert "No failed tests are known" in (await run_tests.function(ws, only_failed=True)).content


async def test_a_file_that_cannot_be_imported_is_a_failure(with_tests: Callable[..., Workspace]):
    ws = with_tests(PYTEST, {"test_a.py": "import no_such_module_here\n"})
    result = await run_tests.function(ws)
    assert result.display.startswith("1 failed; exit code 2, ")
    assert "No module named 'no_such_module_here'" in result.content


async def test_tests_see_an_environment_without_our_plugin(with_tests: Callable[..., Workspace]):
    test = (
        "import os\ndef test_env():\n"
        "    assert {'PYTHONPATH', 'PYTEST_ADDOPTS', 'CODEFLOW_TEST_REPORT'}.isdisjoint(os.environ)\n"
    )
    ws = with_tests(PYTEST, {"test_a.py": test})
    assert (await run_tests.function(ws)).display.startswith("1 passed; exit code 0")


async def test_a_command_that_sets_its_own_python_path_still_reports(with_tests: Callable[..., Workspace]):
    files = {"lib/helper.py": "x = 1\n", "test_a.py": "import helper\ndef test_x(): assert helper.x == 2\n"}
    result = await run_tests.function(with_tests(f"PYTHONPATH=lib {PYTEST}", files))
    assert "FAILED test_a.py::test_x  at test_a.py:2" in result.content


async def test_parallel_workers_are_counted_once(with_tests: Callable[..., Workspace]):
    ws = with_tests(f"{PYTEST} -n 2", {"tests/test_a.py": PYTHON_TESTS}, timeout_s=110)
    assert (await run_tests.function(ws)).display.startswith("2 failed, 1 passed, 1 skipped; exit code 1")


@pytest.mark.slow
async def test_an_endless_test_is_stopped_and_named(with_tests: Callable[..., Workspace]):
    test = "import time\ndef test_quick(): pass\ndef test_endless():\n    while True: time.sleep(0.1)\n"
    result = await run_tests.function(with_tests(PYTEST, {"test_a.py": test}, timeout_s=4))
    assert result.is_error
    assert result.display.startswith("1 passed; stopped after 4 s")
    assert "ended in the middle of test_a.py::test_endless" in result.content


async def test_a_process_that_leaves_early_is_not_taken_for_success(with_tests: Callable[..., Workspace]):
    test = "import os\ndef test_a(): pass\ndef test_exit(): os._exit(0)\ndef test_never(): assert 0\n"
    result = await run_tests.function(with_tests(PYTEST, {"test_a.py": test}))
    assert result.is_error
    assert "what should follow did not run" in result.content


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
async def test_a_daemon_that_a_test_leaves_is_ended(with_tests: Callable[..., Workspace]):
    test = (
        "import subprocess, pathlib\ndef test_daemon():\n"
        "    child = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "    pathlib.Path('pid').write_text(str(child.pid))\n"
        "    child.returncode = 0\n"
    )
    ws = with_tests(PYTEST, {"test_a.py": test})
    assert (await run_tests.function(ws)).display.startswith("1 passed; exit code 0")
    assert (ws.root / "pid").exists()
    assert nothing_is_left_in(ws.root)


async def test_a_fifo_and_a_path_outside_are_no_targets(with_tests: Callable[..., Workspace]):
    ws = with_tests(PYTEST, {"test_a.py": "def test_x(): pass\n"})
    os.mkfifo(ws.root / "test_pipe.py")
    assert "is a FIFO" in (await run_tests.function(ws, "test_pipe.py")).content
    for target in ("..", "../../a", "../missing.py::test_x", "/etc/missing.py"):
        assert "outside the workspace" in (await run_tests.function(ws, target)).content


@pytest.mark.parametrize(
    ("target", "advice"),
    [
        ("missing.py", "missing.py does not exist; find the test with glob or search_files"),
        ("test_a.py::test_missing", "No test of test_a.py::test_missing ran: see below why"),
        ("no/such/folder", "No test of no/such/folder ran"),
    ],
)
async def test_a_target_that_is_not_there_is_an_error_with_advice(
    with_tests: Callable[..., Workspace], target: str, advice: str
):
    ws = with_tests(PYTEST, {"test_a.py": "def test_x(): pass\n"})
    result = await run_tests.function(ws, target)
    assert result.is_error
    assert advice in result.content


async def test_the_time_limit_can_be_shortened_but_not_extended(with_tests: Callable[..., Workspace]):
    ws = with_tests(PYTEST, {"test_a.py": "import time\ndef test_x(): time.sleep(60)\n"}, timeout_s=2)
    for asked, limit in ((1, "1"), (1000, "2")):
        result = await run_tests.function(ws, timeout_s=asked)
        assert result.is_error
        assert f"stopped after {limit} s, the time limit" in result.display
    assert "above 0" in (await run_tests.function(ws, timeout_s=0)).content


async def test_an_exit_code_that_was_made_up_is_no_success(with_tests: Callable[..., Workspace]):
    forgive = "def pytest_sessionfinish(session): session.exitstatus = 0\n"
    ws = with_tests(PYTEST, {"test_a.py": PYTHON_TESTS, "conftest.py": forgive})
    result = await run_tests.function(ws)
    assert result.is_error
    assert "This is no success: 2 tests failed: test_a.py::test_bad" in result.content


@pytest.mark.slow
async def test_a_test_that_prints_endlessly_ends_in_a_clear_error(make_workspace: Callable[..., Workspace]):
    ws = make_workspace(tests=PYTEST, timeout_s=100, memory_mb=300)
    (ws.root / "test_a.py").write_text(
        "def test_x():\n    for _ in range(1000): print('x' * 1_000_000)\n    assert 0\n"
    )
    result = await run_tests.function(ws)
    assert result.is_error
    assert "more than the 0.3 GB of tools.command_memory_mb" in result.display
    assert "in the middle of test_a.py::test_x" in result.content


async def test_a_missing_interpreter_is_said(with_tests: Callable[..., Workspace]):
    result = await run_tests.function(with_tests("no-such-python -m pytest", {}))
    assert "exit code 127" in result.display
    assert "A program of the test command is missing" in result.content


async def test_many_failures_stay_bounded_and_the_rest_is_named(with_tests: Callable[..., Workspace]):
    tests = "".join(f"def test_{n}():\n    print('x' * 5000)\n    assert {n} < 0\n" for n in range(30))
    ws = with_tests(PYTEST, {"test_a.py": tests})
    content = (await run_tests.function(ws)).content
    assert len(content) < ws.settings.output_limit_chars * 1.2
    assert "20 more failed; name one as target to see why:\n  test_a.py::test_10\n" in content


async def test_unittest_failures_are_read_and_run_again(with_tests: Callable[..., Workspace]):
    test = (
        "import unittest\n\nclass Sums(unittest.TestCase):\n"
        "    def test_good(self): pass\n"
        "    def test_bad(self):\n        '''Described.'''\n        self.assertEqual(1, 2)\n"
        "    @unittest.skip('x')\n    def test_later(self): pass\n"
    )
    command = f"{shlex.quote(sys.executable)} -m unittest discover -q"
    ws = with_tests(command, {"test_sums.py": test})
    result = await run_tests.function(ws)
    assert result.display.startswith("1 failed, 1 passed, 1 skipped; exit code 1, ")
    assert "FAILED test_sums.Sums.test_bad  at test_sums.py:7" in result.content
    assert "AssertionError: 1 != 2" in result.content
    assert (await run_tests.function(ws, only_failed=True)).display.startswith("1 failed; exit code 1")
    assert (await run_tests.function(ws, "test_sums.py")).display.startswith("1 failed, 1 passed")


async def test_another_runner_shows_its_plain_output(with_tests: Callable[..., Workspace]):
    ws = with_tests("make test", {"Makefile": "test:\n\t@echo 3 checks; exit 1\n"})
    result = await run_tests.function(ws)
    assert result.display.startswith("exit code 2, ")
    assert "3 checks" in result.content


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
@pytest.mark.parametrize("command", ["node --test", "npm run test"])
async def test_node_failures_are_read_and_run_again(with_tests: Callable[..., Workspace], command: str):
    package = json.dumps({"scripts": {"test": "node --test"}})
    ws = with_tests(command, {"a.test.js": NODE_TESTS, "package.json": package})
    result = await run_tests.function(ws)
    assert result.display.startswith("1 failed, 1 passed, 1 skipped; exit code 1, ")
    assert "FAILED a.test.js::bad  at a.test.js:5\nExpected values to be strictly equal" in result.content
    assert "node:internal" not in result.content
    assert (await run_tests.function(ws, only_failed=True)).display.startswith("1 failed; ")
    assert (await run_tests.function(ws, "good")).display.startswith("1 passed; exit code 0")
    missed = await run_tests.function(ws, "no such name")
    assert missed.is_error
    assert "No test of no such name ran" in missed.content


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("cargo"), reason="needs cargo")
async def test_cargo_failures_are_read_and_run_again(
    with_tests: Callable[..., Workspace],
):
    library = (
        "#[test]\nfn good() {}\n#[test]\nfn bad() {\n    assert_eq!(1 + 1, 3);\n}\n"
        "#[test]\n#[ignore]\nfn later() {}\n"
    )
    manifest = '[package]\nname = "sums"\nversion = "0.1.0"\nedition = "2021"\n'
    ws = with_tests("cargo test --quiet", {"Cargo.toml": manifest, "src/lib.rs": library})
    real_home = Path.home()
    ws.env |= {"CARGO_HOME": str(real_home / ".cargo"), "RUSTUP_HOME": str(real_home / ".rustup")}
    result = await run_tests.function(ws)
    assert result.display.startswith("1 failed, 1 passed, 1 skipped; exit code 101, ")
    assert "FAILED bad  at src/lib.rs:5" in result.content
    assert "left: 2" in result.content
    assert (await run_tests.function(ws, only_failed=True)).display.startswith("1 failed; exit code 101")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("npm"), reason="needs npm")
@pytest.mark.parametrize(("runner", "script"), [("jest", "jest"), ("vitest", "vitest")])
async def test_jest_and_vitest_from_the_registry(
    with_tests: Callable[..., Workspace], runner: str, script: str
):
    imported = "import {describe, test, expect} from 'vitest';\n" if runner == "vitest" else ""
    tests = imported + (
        "describe('sums', () => {\n  test('good', () => {});\n"
        "  test('bad (at all)', () => {\n    expect(1 + 1).toBe(3);\n  });\n  test.skip('later', () => {});\n});\n"
    )
    name = "a.test.mjs" if runner == "vitest" else "a.test.js"
    package = json.dumps({"scripts": {"test": script}})
    ws = with_tests("npm run test", {name: tests, "package.json": package}, timeout_s=100)
    install = ["npm", "install", "--no-audit", "--no-fund", "--silent", runner]

    outcome = await execute(
        install, cwd=ws.root, env=dict(os.environ), timeout_s=100, output_limit_chars=2000
    )
    assert outcome.exit_code == 0, outcome.output
    result = await run_tests.function(ws)
    line = 5 if runner == "vitest" else 4
    assert result.display.startswith("1 failed, 1 passed, 1 skipped; exit code 1, ")
    assert f"FAILED {name}::sums bad (at all)  at {name}:{line}" in result.content
    assert "node_modules" not in result.content.partition("FAILED")[2]
    assert (await run_tests.function(ws, only_failed=True)).display.startswith("1 failed, 2 skipped")
