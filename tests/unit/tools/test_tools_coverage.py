import json
import shlex
import shutil
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.tools.packages import install_dependency
from codeflow.tools.testing.coverage import _of_change, coverage_report, ranges
from codeflow.tools.testing.coverage_data import WAYS, FileCoverage
from codeflow.tools.workspace import Workspace

PYTEST = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider"
BEFORE = "def double(n):\n    return 2 * n\n"
AFTER = BEFORE + "\n\ndef half(n):\n    if n % 2:\n        raise ValueError(n)\n    return n // 2\n"
TESTS = "from sums import double, half\n\ndef test_sums():\n    assert double(1) == 2 == half(4)\n"


async def test_lines_of_the_change_come_first(
    make_workspace: Callable[..., Workspace], git: Callable[..., str]
):
    ws = make_workspace(tests=PYTEST)
    (ws.root / "sums.py").write_text(BEFORE)
    git("add", "-A")
    git("commit", "-qm", "first")
    (ws.root / "sums.py").write_text(AFTER)
    (ws.root / "new.py").write_text("x = 1\n")
    (ws.root / "test_sums.py").write_text(TESTS)
    content = (await coverage_report.function(ws)).content.split("\n")
    assert content[0].startswith("1 passed; exit code 0, ")
    assert content[1:] == [
        "Changed lines: 6 of 7 that can run are reached.",
        "  sums.py: 7 not reached",
        "  new.py: not loaded by these tests",
        "All files: 89% of 9 lines.",
        "   83% sums.py: 7",
        "  100% test_sums.py",
    ]


async def test_unittest_outside_a_repository(make_workspace: Callable[..., Workspace]):
    ws = make_workspace(tests=f"{shlex.quote(sys.executable)} -m unittest -q")
    (ws.root / "sums.py").write_text(AFTER)
    test = "import unittest, sums\nclass T(unittest.TestCase):\n    def test_x(self): self.assertEqual(sums.half(1), 0)\n"
    (ws.root / "test_x.py").write_text(test)
    content = (await coverage_report.function(ws)).content
    assert "1 failed; exit code 1" in content
    assert "Changed lines: unknown" in content
    assert "sums.py: 2, 8" in content
    assert content.endswith("[tests failed, so lines may be missing from this; run_tests shows why]")


async def test_a_project_without_the_coverage_tool_is_told_so(make_workspace: Callable[..., Workspace]):
    result = await coverage_report.function(make_workspace(tests="no-such-python -m pytest"))
    assert result.is_error
    assert "it needs the package coverage" in result.content


async def test_the_missing_tool_is_named_before_the_tests_that_did_not_run(
    make_workspace: Callable[..., Workspace],
):
    ws = make_workspace(tests="bare/bin/python -m unittest")
    venv.create(ws.root / "bare", with_pip=False)
    (ws.root / "test_x.py").write_text("import unittest\n")
    result = await coverage_report.function(ws, "test_x.py")
    assert result.is_error
    assert result.content.startswith("No coverage was measured: it needs the package coverage"), (
        result.content
    )


async def test_other_runners_are_refused(make_workspace: Callable[..., Workspace]):
    ws = make_workspace(tests="make test")
    (ws.root / "Makefile").write_text("test:\n")
    assert "is not known here" in (await coverage_report.function(ws)).content


def test_a_go_profile_is_read_by_lines(tmp_path: Path):
    (tmp_path / "go.mod").write_text("module example.com/sums\n")
    (tmp_path / "profile").write_text(
        "mode: set\nexample.com/sums/sub/sums.go:3.24,4.12 1 1\nexample.com/sums/sub/sums.go:4.12,6.3 1 0\n"
    )
    assert WAYS["go test"].read(tmp_path, tmp_path) == {"sub/sums.go": FileCoverage({3, 4, 5, 6}, {3, 4})}


def test_istanbul_data_are_read_by_lines(tmp_path: Path):
    statements = {"0": {"start": {"line": 1}}, "1": {"start": {"line": 3}}}
    data = {str(tmp_path / "a.js"): {"statementMap": statements, "s": {"0": 2, "1": 0}}}
    (tmp_path / "coverage-final.json").write_text(json.dumps(data))
    assert WAYS["jest"].read(tmp_path, tmp_path) == {"a.js": FileCoverage({1, 3}, {1})}


async def test_without_c8_nothing_is_run_and_the_way_to_install_it_is_told(
    make_workspace: Callable[..., Workspace],
):
    ws = make_workspace(tests="npm run test")
    (ws.root / "package.json").write_text('{"scripts": {"test": "node --test && touch ran"}}')
    result = await coverage_report.function(ws)
    assert (result.is_error, result.content) == (
        True,
        (
            "No coverage was measured: it needs the package c8, which is not installed. install_dependency with name=c8 and "
            "dev=true installs it, once the user has approved; or ask the user to do this: install it: npm install "
            "--save-dev c8."
        ),
    )
    assert not (ws.root / "ran").exists()


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("npm"), reason="needs npm")
async def test_node_with_c8_from_the_registry(make_workspace: Callable[..., Workspace]):
    ws = make_workspace(tests="npm run test", timeout_s=100)
    (ws.root / "package.json").write_text('{"scripts": {"test": "node --test"}}')
    (ws.root / "sums.js").write_text(
        "exports.half = (n) => {\n  if (n % 2) {\n    throw n;\n  }\n  return n / 2;\n};\n"
    )
    (ws.root / "sums.test.js").write_text(
        "require('node:test')('x', () => { require('./sums').half(2); });\n"
    )
    assert "it needs the package c8" in (await coverage_report.function(ws)).content
    assert not (await install_dependency.function(ws, "c8", dev=True)).is_error
    content = (await coverage_report.function(ws)).content
    assert content.startswith("1 passed; exit code 0")
    assert "sums.js: 3-4" in content


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("npm"), reason="needs npm")
async def test_vitest_measures_also_when_a_test_fails(make_workspace: Callable[..., Workspace]):
    ws = make_workspace(tests="npm run test", timeout_s=100)
    (ws.root / "package.json").write_text('{"scripts": {"test": "vitest run"}}')
    (ws.root / "sums.js").write_text("export function half(n) {\n  return n / 2;\n}\n")
    (ws.root / "sums.test.js").write_text(
        "import {expect, test} from 'vitest';\nimport {half} from './sums';\n"
        "test('x', () => expect(half(2)).toBe(3));\n"
    )
    assert not (await install_dependency.function(ws, "vitest@3", dev=True)).is_error
    missing = await coverage_report.function(ws)
    assert "install_dependency with name=@vitest/coverage-v8 and dev=true" in missing.content
    assert not (await install_dependency.function(ws, "@vitest/coverage-v8@3", dev=True)).is_error
    content = (await coverage_report.function(ws)).content
    assert content.startswith("1 failed; exit code 1")
    assert "100% sums.js" in content


@given(st.sets(st.integers(1, 60)))
def test_ranges_name_exactly_the_lines(lines: set[int]):
    named: set[int] = set()
    shown, _, more = ranges(lines).partition(" and ")
    for part in filter(None, shown.split(", ")):
        first, _, last = part.partition("-")
        named.update(range(int(first), int(last or first) + 1))
    assert named == lines or more.endswith("more")


def test_test_files_that_a_runner_does_not_measure_are_not_held_against_it():
    names = ("a_test.go", "x.test.go", "tests/test_a.go", "b.go")
    shown = _of_change({name: {1} for name in names}, {"c.go": FileCoverage({1}, {1})})
    assert shown[1:] == ["  b.go: not loaded by these tests", "  tests/test_a.go: not loaded by these tests"]


def test_a_change_without_lines_that_run_is_not_counted():
    assert _of_change({}, {"c.go": FileCoverage({1}, {1})}) == ["Changed lines: none that can run."]


async def test_a_test_that_is_not_there_is_an_error_with_its_reason(make_workspace: Callable[..., Workspace]):
    ws = make_workspace(tests=PYTEST)
    (ws.root / "sums.py").write_text(AFTER)
    (ws.root / "test_sums.py").write_text(TESTS)
    result = await coverage_report.function(ws, "test_sums.py::nosuch")
    assert result.is_error
    assert result.content.startswith("No test of test_sums.py::nosuch ran")
    assert "not found" in result.content
    assert "%" not in result.content
