"""Runners that are not on every machine: read from what they really printed, or wrote in their documented form."""

import json
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.tools.testing.compiled import CARGO, GO, MAVEN
from codeflow.tools.testing.javascript import JEST, NODE
from codeflow.tools.testing.report import Failure, Report, clip, own_frames, text
from codeflow.tools.testing.run import run_tests
from codeflow.tools.testing.runner import Ran
from codeflow.tools.testing.runners import find_runner
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

GO_OUTPUT = Path(__file__).parent / "data/go_test.jsonl"
"""Of go 1.27.3, `go test -json ./...`: a package that does not compile, and one with failed tests."""
GO_FILES = {
    "go.mod": "module example.com/sums\n\ngo 1.18\n",
    "sums.go": "package sums\n\nfunc Sum(a, b int) int {\n\treturn a + b\n}\n",
    "sums_test.go": (
        'package sums\n\nimport "testing"\n\nfunc TestGood(t *testing.T) {}\n\n'
        'func TestBad(t *testing.T) {\n\tt.Errorf("Sum is %d, want 3", Sum(1, 1))\n}\n'
    ),
}
SUREFIRE = """<testsuite name="CalcTest" tests="3">
  <testcase name="good" classname="org.calc.CalcTest" time="0.001"/>
  <testcase name="bad" classname="org.calc.CalcTest" time="0.002">
    <failure message="sum expected:&lt;1&gt; but was:&lt;2&gt;" type="java.lang.AssertionError">java.lang.AssertionError: sum
\tat org.junit.Assert.fail(Assert.java:89)
\tat org.calc.CalcTest.bad(CalcTest.java:12)
</failure>
    <system-out>printed by bad</system-out>
  </testcase>
  <testcase name="later" classname="org.calc.CalcTest"><skipped/></testcase>
</testsuite>
"""


def test_go_names_the_failed_leaf_its_place_and_a_package_that_does_not_compile(tmp_path: Path):
    (tmp_path / "go.mod").write_text(GO_FILES["go.mod"])
    ran = Ran(root=tmp_path, report=None, output=GO_OUTPUT.read_text(), started=0)
    report = GO.read(ran)
    assert report is not None
    assert report.counts == "3 failed, 2 passed, 1 skipped"
    assert [(f.test, f.place, f.message) for f in report.failures] == [
        (
            "example.com/sums/broken",
            "broken/b.go:3",
            'cannot use "x" (untyped string constant) as int value in return statement',
        ),
        ("example.com/sums/sub::TestBad", "sub/sums_test.go:10", "Sum(1, 1) = 2, want 3"),
        ("example.com/sums/sub::TestTable/two", "sub/sums_test.go:18", "two is wrong"),
    ]


def test_a_go_test_that_never_ended_is_named(tmp_path: Path):
    event = {"Action": "output", "Package": "p", "Test": "TestEndless", "Output": "=== RUN\n"}
    done = {"Action": "pass", "Package": "p", "Test": "TestQuick"}
    output = f"{json.dumps(event)}\n{json.dumps(done)}\n"
    report = GO.read(Ran(root=tmp_path, report=None, output=output, started=0))
    assert report is not None
    assert (report.passed, report.unfinished) == (1, ("p::TestEndless",))
    assert "in the middle of p::TestEndless" in report.early_end


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("go"), reason="needs go")
async def test_go_itself(make_workspace: Callable[..., Workspace]):
    ws = make_workspace(tests="go test ./...", timeout_s=100)
    for name, content in GO_FILES.items():
        (ws.root / name).write_text(content)
    result = await run_tests.function(ws)
    assert result.display.startswith("1 failed, 1 passed; exit code 1")
    assert (
        "FAILED example.com/sums::TestBad  at sums_test.go:8\nsums_test.go:8: Sum is 2, want 3"
        in result.content
    )
    assert (await run_tests.function(ws, only_failed=True)).display.startswith("1 failed; exit code 1")
    missed = await run_tests.function(ws, "TestNone")
    assert missed.is_error
    assert "No test of TestNone ran" in missed.content
    assert "[no tests to run]" in missed.content
    assert '"Action"' not in missed.content


@pytest.mark.skipif(not shutil.which("go"), reason="needs go")
async def test_a_go_package_that_is_not_built_is_the_failure_whatever_the_target(
    make_workspace: Callable[..., Workspace],
):
    ws = make_workspace(tests="go test ./...", timeout_s=100)
    broken = GO_FILES["sums.go"].replace("a + b", '"x"')
    calls = 'package other\n\nimport "example.com/sums"\n\nvar X = sums.Sum(1, 2)\n'
    test = 'package other\n\nimport "testing"\n\nfunc TestX(t *testing.T) {}\n'
    more = {"sums.go": broken, "other/o.go": calls, "other/o_test.go": test}
    (ws.root / "other").mkdir()
    for name, content in (GO_FILES | more).items():
        (ws.root / name).write_text(content)
    for target in ("", "TestGood", "sums_test.go"):
        told = await run_tests.function(ws, target)
        assert "No test" not in told.content
        assert "FAILED example.com/sums  at sums.go:4\n" in told.content
        assert told.display.startswith("1 failed; exit code" if target.endswith(".go") else "2 failed; exit")
    assert "FAILED example.com/sums/other  at sums.go:4\n" in (await run_tests.function(ws, "other")).content


async def test_a_run_that_fails_without_a_test_is_no_success(make_workspace: Callable[..., Workspace]):
    ws = make_workspace(tests=f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider")
    told = await run_tests.function(ws)
    assert told.display.startswith("no tests ran; exit code 5")
    assert told.is_error
    assert "\nNo test ran: see below why.\n" in told.content


@pytest.mark.parametrize(
    ("targets", "command"),
    [
        (["./sub"], "go test ./sub"),
        (["p::TestA/one"], "go test -run '^TestA$/^one$' p"),
        (["p::TestA", "q::TestB/x"], "go test -run '^(TestA|TestB)$' p q"),
        (["p", "q::TestB"], "go test p q"),
        (["sub"], "go test ./sub"),
        (["sub/a_test.go::TestA"], "go test -run '^TestA$' ./sub"),
        (["a_test.go"], "go test ."),
        (["TestA/one"], "go test -run '^TestA$/^one$' ./..."),
    ],
)
def test_go_runs_only_what_is_aimed_at(tmp_path: Path, targets: list[str], command: str):
    (tmp_path / "sub").mkdir()
    assert GO.aim("go test ./...", targets, tmp_path) == command


@pytest.mark.parametrize(
    ("targets", "command"),
    [
        (["tests::adds_up"], "cargo test -- tests::adds_up"),
        (["src/lib.rs"], "cargo test"),
        (["src/cart/total.rs::adds_up"], "cargo test -- cart::total::adds_up"),
        (["tests/shop.rs"], "cargo test --test shop"),
        (["tests/shop.rs::opens", "tests/shop.rs::closes"], "cargo test --test shop -- opens closes"),
        (["tests/shop.rs::opens", "adds_up"], "cargo test -- opens adds_up"),
    ],
)
def test_cargo_runs_only_what_is_aimed_at(tmp_path: Path, targets: list[str], command: str):
    assert CARGO.aim("cargo test", targets, tmp_path) == command


def test_maven_reports_only_what_this_run_wrote(tmp_path: Path):
    folder = tmp_path / "module/target/surefire-reports"
    folder.mkdir(parents=True)
    (folder / "TEST-CalcTest.xml").write_text(SUREFIRE)
    (folder / "TEST-Torn.xml").write_text(SUREFIRE[:200])
    ran = Ran(root=tmp_path, report=None, output="", started=0)
    report = MAVEN.read(ran)
    assert report is not None
    assert report.counts == "1 failed, 1 passed, 1 skipped"
    failure = report.failures[0]
    assert (failure.test, failure.place) == ("org.calc.CalcTest#bad", "CalcTest.java:12")
    assert failure.message == "sum expected:<1> but was:<2>"
    assert "printed by bad" in failure.details
    later = Ran(root=tmp_path, report=None, output="", started=time.time() + 60)
    assert MAVEN.read(later) is None


def test_javascript_targets_are_files_and_names(tmp_path: Path):
    assert (
        JEST.aim("npm run test", ["a.js::sums (all)"], tmp_path)
        == r"npm run test -- a.js -t '(sums \(all\))$'"
    )
    assert JEST.aim("yarn run test", ["a.js", "b.js::x"], tmp_path) == "yarn run test a.js b.js"
    assert NODE.aim("node --test", ["a.js::x"], tmp_path) == "node --test '--test-name-pattern=(x)$' a.js"
    assert NODE.aim("node --test", ["adds one"], tmp_path) == "node --test '--test-name-pattern=(adds one)$'"
    assert (
        NODE.aim("node --test", ["GET /a", "b"], tmp_path)
        == "node --test '--test-name-pattern=(GET \\/a|b)$'"
    )
    assert NODE.aim("node --test", ["test/*.js"], tmp_path) == "node --test 'test/*.js'"
    (tmp_path / "test").mkdir()
    assert NODE.aim("node --test", ["test"], tmp_path) == "node --test test"


@pytest.mark.parametrize(
    ("script", "command"),
    [
        ("node --test", "npm run test -- '--test-name-pattern=(adds one)$'"),
        ("node --import tsx --test", "npm run test -- '--test-name-pattern=(adds one)$'"),
        ("tsc && node --test", None),
        ("node --test test/", None),
    ],
)
def test_a_name_goes_to_node_through_a_script_that_ends_with_its_options(
    tmp_path: Path, script: str, command: str | None
):
    (tmp_path / "package.json").write_text(json.dumps({"scripts": {"test": script}}))
    if command is None:
        with pytest.raises(
            Mistake, match="Name the test's file as target, or use run_command with node --test"
        ):
            NODE.aim("npm run test", ["adds one"], tmp_path)
        assert NODE.aim("npm run test", ["a.js::adds one"], tmp_path) == "npm run test -- a.js"
    else:
        assert NODE.aim("npm run test", ["adds one"], tmp_path) == command
        assert NODE.aim("npm run test", ["a.js::adds one"], tmp_path) == f"{command} a.js"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("uv run python -m pytest -q", "pytest"),
        ("./gradlew -q test", "Gradle"),
        ("yarn run test", "vitest"),
        ("make test", None),
    ],
)
def test_the_runner_is_recognised_behind_a_script(tmp_path: Path, command: str, name: str | None):
    (tmp_path / "package.json").write_text('{"scripts": {"test": "vitest run"}}')
    runner = find_runner(command, tmp_path)
    assert (runner.name if runner else None) == name


def test_frames_of_libraries_and_of_the_language_are_left_out(tmp_path: Path):
    (tmp_path / "a.js").touch()
    trace = f"Error: no\n    at own ({tmp_path}/a.js:3:1)\n    at run (node:internal/test:1:2)\n    at /x/y.js:1:1\n"
    assert own_frames(trace, tmp_path) == f"Error: no\n    at own ({tmp_path}/a.js:3:1)"


@given(count=st.integers(0, 40), size=st.integers(0, 3000), limit=st.integers(1000, 20_000))
def test_a_report_of_any_size_stays_near_its_limit(count: int, size: int, limit: int):
    failures = tuple(
        Failure(test=f"t{n}", place="a:1", message="m" * size, details="d" * size) for n in range(count)
    )
    assert len(text(Report(failures=failures), limit)) <= limit + 3000


@given(st.text(max_size=300), st.integers(0, 100))
def test_what_is_clipped_keeps_its_ends(content: str, limit: int):
    clipped = clip(content, limit)
    body = content.strip("\n")
    assert clipped == body or clipped.startswith(body[: limit // 2] + "\n[... ")
    assert len(clipped) <= limit + 30
