import shlex
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from codeflow.tools.testing.benchmark import Comparison, benchmark
from codeflow.tools.workspace import Workspace

PYTHON = shlex.quote(sys.executable)


@pytest.fixture
def committed(make_workspace: Callable[..., Workspace], git: Callable[..., str]) -> Workspace:
    """A module that waits in its commit and does not in the work tree."""
    ws = make_workspace(timeout_s=30, tests=f"{PYTHON} -m pytest -q -p no:cacheprovider")
    (ws.root / "work.py").write_text("import time\n\ndef work():\n    time.sleep(0.2)\n")
    (ws.root / "test_work.py").write_text(
        "from work import work\n\ndef test_work(benchmark):\n    benchmark(work)\n"
    )
    (ws.root / "pyproject.toml").write_text('[dependency-groups]\ndev = ["pytest-benchmark"]\n')
    git("add", "-A")
    git("commit", "-qm", "first")
    (ws.root / "work.py").write_text("def work():\n    pass\n")
    return ws


@pytest.mark.slow
async def test_the_work_tree_is_compared_with_the_commit(committed: Workspace, git: Callable[..., str]):
    committed.settings = committed.settings.model_copy(update={"command_timeout_s": 3})
    result = await benchmark.function(committed, f"{PYTHON} -c 'import work; work.work()'")
    assert result.content.startswith("before is HEAD, after is the work tree:\n")
    assert float(result.display.rpartition("ratio ")[2]) < 1
    assert len(git("worktree", "list").splitlines()) == 1
    assert git("status", "--short") == " M work.py\n"


@pytest.mark.slow
async def test_pytest_benchmarks_are_compared_by_name(committed: Workspace):
    result = await benchmark.function(committed)
    assert result.content.count("ratio") == 1
    assert "test_work.py::test_work: before 2" in result.content


async def test_a_command_that_fails_in_the_baseline_is_said(committed: Workspace):
    (committed.root / "new.txt").touch()
    result = await benchmark.function(committed, "ls new.txt")
    assert result.is_error
    assert "The command fails in the baseline with exit code 2" in result.content


@pytest.mark.parametrize("ref", ["no-such-ref", "--help"])
async def test_what_is_no_commit_is_refused(committed: Workspace, ref: str):
    assert (await benchmark.function(committed, "true", ref)).is_error


async def test_a_project_without_benchmarks_is_told_to_name_a_command(committed: Workspace):
    (committed.root / "pyproject.toml").unlink()
    assert "pass the command to time" in (await benchmark.function(committed)).content


def test_a_comparison_shows_medians_spread_and_doubt():
    assert Comparison("x", [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]).text == (
        "x: before 2 s (1-3, 3 runs), after 5 s (4-6, 3 runs), ratio 2.500"
    )
    # one slow run in a hundred does not hide that all others were faster
    before, after = [0.002] * 99 + [9.0], [0.0001] * 99 + [9.0]
    assert Comparison("x", before, after).text == (
        "x: before 2 ms (2-2, 100 runs), after 100 µs (100-100, 100 runs), ratio 0.050"
    )
    assert Comparison("x", [0.001], [0.001]).text.endswith("ratio 1.000 (the ranges overlap)")


@pytest.fixture
def in_lib(committed: Workspace, git: Callable[..., str]) -> Workspace:
    """The module in lib/, and an environment of the project's own."""
    committed.settings = committed.settings.model_copy(update={"command_timeout_s": 3})
    (committed.root / ".gitignore").write_text(".venv/\n")
    git("checkout", "work.py")
    (committed.root / "lib").mkdir()
    git("mv", "work.py", "lib/work.py")
    git("add", "-A")
    git("commit", "-qm", "to lib")
    (committed.root / "lib/work.py").write_text("def work():\n    pass\n")
    venv.create(committed.root / ".venv", symlinks=True)
    return committed


def packages(ws: Workspace) -> Path:
    return next((ws.root / ".venv/lib").glob("python*/site-packages"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("__editable__.work.pth", "# comment\n{root}/lib\n"),
        ("relative.pth", "../../../../lib\n"),
        ("__editable___work_finder.py", "MAPPING: dict[str, str] = {{'work': '{root}/lib/work'}}\n"),
    ],
)
async def test_an_installed_project_is_the_baselines_own_in_the_baseline(
    in_lib: Workspace, name: str, content: str
):
    (packages(in_lib) / name).write_text(content.format(root=in_lib.root))
    result = await benchmark.function(in_lib, ".venv/bin/python -c 'import work; work.work()'")
    assert not result.is_error, result.content
    assert "before 2" in result.display
    assert float(result.display.rpartition("ratio ")[2]) < 1


@pytest.mark.parametrize("hook", ["ROOT = '{root}/lib'\n", "MAPPING = {{'work': '{root}/lib/other'}}\n"])
async def test_a_project_behind_an_import_hook_is_not_compared(in_lib: Workspace, hook: str):
    (packages(in_lib) / "__editable___work_finder.py").write_text(hook.format(root=in_lib.root))
    result = await benchmark.function(in_lib, "true")
    assert result.is_error
    assert "so nothing was compared" in result.content
    assert "__editable___work_finder.py" in result.content


async def test_an_installed_pytest_benchmark_needs_no_mention(in_lib: Workspace):
    (in_lib.root / "pyproject.toml").unlink()
    (packages(in_lib) / "pytest_benchmark").mkdir()
    in_lib.tests = "false pytest"
    assert "The benchmarks did not run" in (await benchmark.function(in_lib)).content
