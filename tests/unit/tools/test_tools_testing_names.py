"""Tests by the names that people give them, with pytest itself."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codeflow.tools.testing.python_names import to_ids
from codeflow.tools.testing.run import run_tests
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

TESTS = """import pytest

@pytest.mark.parametrize("x", [1, 2])
def test_p(x):
    assert x

class TestX:
    limit = 1

    def test_in(self):
        def test_inner(): pass

    class TestY:
        async def test_p(self): ...

class TestZ(TestX):
    pass

def helper(): pass
"""
FILES = {"tests/test_a.py": TESTS, "pkg/b_test.py": "def test_b(): pass\ndef test_parse(): pass\n"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {**FILES, ".venv/test_c.py": TESTS, "tests/test_broken.py": "def test_p(:\n"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


A = "tests/test_a.py"


@pytest.mark.parametrize(
    ("target", "ids"),
    [
        ("test_p", [f"{A}::test_p", f"{A}::TestX::TestY::test_p"]),
        ("test_p[1]", [f"{A}::test_p[1]", f"{A}::TestX::TestY::test_p[1]"]),
        ("test_b", ["pkg/b_test.py::test_b"]),
        ("TestX.test_in", [f"{A}::TestX::test_in"]),
        ("TestX::test_in", [f"{A}::TestX::test_in"]),
        ("TestY", [f"{A}::TestX::TestY"]),
        ("TestZ.test_in", [f"{A}::TestZ::test_in"]),
        ("tests.test_a.TestX", [f"{A}::TestX"]),
        ("test_a.test_p", [f"{A}::test_p"]),
        ("pkg.b_test", ["pkg/b_test.py"]),
        ("b_test", ["pkg/b_test.py"]),
        (f"{A}:3", [f"{A}::test_p"]),
        (f"{A}:5", [f"{A}::test_p"]),
        (f"{A}:8", [f"{A}::TestX"]),
        (f"{A}:11", [f"{A}::TestX::test_in"]),
        (f"{A}:14", [f"{A}::TestX::TestY::test_p"]),
        *(
            (same, [same])
            for same in (A, f"{A}::test_p", "tests", "none", "test_inner", "helper", "x/y", "no.py:3")
        ),
    ],
)
def test_a_name_or_a_line_means_certain_ids(root: Path, target: str, ids: list[str]):
    assert to_ids(target, root) == ids


def test_a_line_outside_of_tests_names_those_that_there_are(root: Path):
    with pytest.raises(
        Mistake, match=r"Line 19 of tests/test_a\.py is in no test or class.*test_p \(3-5\), TestX"
    ):
        to_ids(f"{A}:19", root)
    with pytest.raises(Mistake, match="with their lines: none"):
        to_ids("tests/test_broken.py:1", root)


@pytest.mark.parametrize(
    ("target", "counts"),
    [("test_p", "3 passed"), ("TestZ.test_in", "1 passed"), (f"{A}:5", "2 passed"), ("test_p[2]", "No test")],
)
async def test_pytest_runs_what_was_named(make_workspace: Callable[..., Workspace], target: str, counts: str):
    ws = make_workspace(tests=f"{sys.executable} -m pytest -q -p no:cacheprovider")
    (ws.root / "tests").mkdir()
    (ws.root / A).write_text(TESTS.replace("async ", ""))
    assert counts in (await run_tests.function(ws, target)).content
    assert "none.py does not exist" in (await run_tests.function(ws, "none.py:3")).content
