"""A test runner that is declared and not installed is named with the command that installs it."""

from pathlib import Path

import pytest
from tests.unit.tools.test_tools_project import env, executable, root  # noqa: F401 - fixtures

from codeflow.app.gating import gate_commands, note_on_tests
from codeflow.core.settings import load_settings
from codeflow.tools.project import detect
from codeflow.tools.project_declared import declaration

PROJECT = '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
POETRY = '[tool.poetry.dependencies]\npython = "^3.11"\n'
COMMAND = ".venv/bin/python -m pytest -q --tb=short --continue-on-collection-errors"


@pytest.mark.parametrize(
    ("files", "file", "install"),
    [
        (
            {"uv.lock": "", "pyproject.toml": '[dependency-groups]\ndev = ["pytest>=8"]\n'},
            "pyproject.toml",
            "uv sync",
        ),
        (
            {
                "uv.lock": "",
                "pyproject.toml": '[dependency-groups]\nci = [{include-group = "x"}, "pytest"]\n',
            },
            "pyproject.toml",
            "uv sync --group ci",
        ),
        (
            {"uv.lock": "", "pyproject.toml": '[project.optional-dependencies]\ntest = ["PyTest"]\n'},
            "pyproject.toml",
            "uv sync --extra test",
        ),
        ({"pyproject.toml": '[tool.uv]\ndev-dependencies = ["pytest"]\n'}, "pyproject.toml", "uv sync"),
        ({"uv.lock": '[[package]]\nname = "pytest"\n'}, "uv.lock", "uv sync"),
        (
            {"pyproject.toml": f'{POETRY}[tool.poetry.group.dev.dependencies]\npytest = "^8"\n'},
            "pyproject.toml",
            "poetry install",
        ),
        (
            {
                "pyproject.toml": f"{POETRY}[tool.poetry.group.ci]\noptional = true\n"
                '[tool.poetry.group.ci.dependencies]\npytest = "^8"\n'
            },
            "pyproject.toml",
            "poetry install --with ci",
        ),
        (
            {"requirements-dev.txt": "# tests\npytest==8 # pinned\n"},
            "requirements-dev.txt",
            "python3 -m venv .venv && .venv/bin/python -m pip install -r requirements-dev.txt",
        ),
        (
            {
                ".venv/bin/python": "",
                "pyproject.toml": '[project.optional-dependencies]\ntest = ["pytest"]\n',
            },
            "pyproject.toml",
            ".venv/bin/python -m pip install -e '.[test]'",
        ),
        (
            {
                ".venv/bin/python": "",
                ".venv/pyvenv.cfg": "home = /usr\nuv = 0.9\n",
                "pyproject.toml": '[dependency-groups]\ntest = ["pytest"]\n',
            },
            "pyproject.toml",
            "uv pip install --python .venv --group test",
        ),
    ],
)
def test_what_is_declared_is_found_with_its_command(
    tmp_path: Path, files: dict[str, str], file: str, install: str
):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = declaration(tmp_path, "pytest")
    assert found is not None
    assert (found.file, found.install, found.is_production) == (file, install, False)


@pytest.mark.parametrize(
    "text",
    [
        "not toml [",
        "dependency-groups = 3\n",
        '[tool.pytest.ini_options]\nx = ["pytest"]\n',
        "[project]\ndependencies = ['pytest-cov']\n",
    ],
)
def test_what_only_looks_like_a_declaration_is_none(tmp_path: Path, text: str):
    (tmp_path / "pyproject.toml").write_text(text)
    assert declaration(tmp_path, "pytest") is None


@pytest.mark.parametrize("has_venv", [False, True])
@pytest.mark.parametrize("instructions", ["", "Run `uv run pytest`."])
def test_a_declared_runner_that_is_not_installed_is_no_missing_gate(
    root: Path,  # noqa: F811
    env: dict[str, str],  # noqa: F811
    has_venv: bool,
    instructions: str,
):
    (root / "AGENTS.md").write_text(instructions)
    (root / "test_a.py").touch()
    (root / "pyproject.toml").write_text(f'{PROJECT}[dependency-groups]\ndev = ["pytest"]\n')
    (root / "uv.lock").write_text('[[package]]\nname = "pytest"\n')
    if has_venv:
        executable(root / ".venv/bin/python")
    project = detect(root, env)
    assert project.tests is None
    (unusable,) = [one for name, one in project.unusable if name == "tests"]
    where = "installed in .venv" if has_venv else "installed: the project has no environment of its own"
    assert unusable.detail == f"pytest is declared in pyproject.toml but not {where}"
    assert unusable.cure == "run uv sync"
    settings = load_settings(root, env={})
    assert gate_commands(settings, project)["tests"] == ("uv run pytest" if instructions else COMMAND)
    assert note_on_tests(settings, project) == (
        f"the tests cannot run, so nothing will show that a change works: {unusable.detail} (run uv sync)"
    )


def test_another_runner_that_is_missing_is_said(root: Path):  # noqa: F811
    (root / "Cargo.toml").write_text("[package]\n")
    project = detect(root, {"PATH": "/nowhere"})
    assert project.waiting_tests
    assert project.waiting_tests.detail == "cargo is configured (Cargo.toml) but not installed"
    assert project.waiting_tests.cure == "install Rust with rustup"


def test_tests_that_need_no_pytest_lack_none(root: Path, env: dict[str, str]):  # noqa: F811
    executable(Path(env["PATH"]) / "python3")
    executable(root / ".venv/bin/python")
    (root / "test_a.py").write_text("import unittest\n")
    project = detect(root, env)
    assert project.tests
    assert "unittest" in project.tests
    assert project.unusable == ()
