import json
import shlex
import sys
from pathlib import Path

import pytest

from codeflow.tools.project import Project, detect

PROGRAMS = ("make", "npm", "pnpm", "tox", "cargo", "go", "mypy", "ruff", "uv", "pyright", "just")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment in which the programs exist and no Python does."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in PROGRAMS:
        executable(folder / name)
    return {"PATH": str(folder)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    return root


def executable(path: Path, text: str = "#!/bin/sh\nexit 1\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_nothing_found_is_nothing(root: Path, env: dict[str, str]):
    assert detect(root, env) == Project(
        languages=(), tests=None, lint=None, types=None, build=None, sources={}
    )


@pytest.mark.parametrize(
    ("name", "text", "command"),
    [
        ("AGENTS.md", "Run `make test` before you finish.", "make test"),
        ("AGENTS.md", "```sh\n$ tox -e py311\n```", "tox -e py311"),
        ("AGENTS.md", "One test: `pytest tests/test_a.py`. All: `npm test`", "npm test"),
        ("CLAUDE.md", "Tests: `cargo test --all`", "cargo test --all"),
        ("AGENTS.md", "`make test; rm -rf ~` and `make test $(evil)`", None),
        ("Makefile", "test: build\n\techo\n", "make test"),
        ("Makefile", "testing:\n\techo\n", None),
        ("package.json", '{"scripts": {"test": "vitest"}}', "npm run test"),
        ("package.json", '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}', None),
        ("package.json", '{"scripts": ["test"]}', None),
        ("package.json", "not json", None),
        ("package.json", "[1]", None),
        ("tox.ini", "[tox]\n", "tox -q"),
        ("Cargo.toml", "[package]\n", "cargo test --quiet"),
        ("go.mod", "module x\n", "go test ./..."),
        ("pom.xml", "<project/>", None),
    ],
)
def test_the_test_command_is_read_from_the_projects_files(
    root: Path, env: dict[str, str], name: str, text: str, command: str | None
):
    (root / name).write_text(text)
    project = detect(root, env)
    assert project.tests == command
    assert project.sources.get("tests") == (name if command else None)


def test_the_lockfile_names_the_package_manager(root: Path, env: dict[str, str]):
    (root / "package.json").write_text(json.dumps({"scripts": {"test": "vitest"}}))
    (root / "pnpm-lock.yaml").touch()
    assert detect(root, env).tests == "pnpm run test"


def test_pytest_runs_in_the_projects_own_environment(root: Path, env: dict[str, str]):
    executable(root / ".venv/bin/python", "#!/bin/sh\ntouch sprung\n")
    (root / ".venv/lib/python3.11/site-packages/pytest").mkdir(parents=True)
    (root / ".venv/lib/python3.11/site-packages/pytest/__init__.py").touch()
    (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    project = detect(root, env)
    assert project.tests == ".venv/bin/python -m pytest -q --tb=short --continue-on-collection-errors"
    assert project.sources["tests"] == "pyproject.toml, by the project's own environment"
    assert not (root / "sprung").exists()


def test_a_uv_project_is_run_by_uv_where_its_environment_is_elsewhere(
    root: Path, env: dict[str, str], tmp_path: Path
):
    (root / "uv.lock").write_text('[[package]]\nname = "pytest"\n')
    (root / "tests").mkdir()
    (root / "tests/test_a.py").touch()
    package = tmp_path / "elsewhere/lib/python3.11/site-packages/pytest/__init__.py"
    package.parent.mkdir(parents=True)
    package.touch()
    env["UV_PROJECT_ENVIRONMENT"] = str(tmp_path / "elsewhere")
    assert detect(root, env).tests == "uv run python -m pytest -q --tb=short --continue-on-collection-errors"


def test_the_python_on_path_is_used_when_it_has_pytest(root: Path, env: dict[str, str]):
    executable(Path(env["PATH"]) / "python3", f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (root / "test_a.py").touch()
    project = detect(root, env)
    assert project.tests == "python3 -m pytest -q --tb=short --continue-on-collection-errors"
    assert project.sources["tests"] == "test_a.py, by python3 on PATH"


def test_a_venv_without_pytest_is_not_tested_with_a_pytest_that_lacks_its_packages(
    root: Path, env: dict[str, str]
):
    executable(root / ".venv/bin/python", "#!/bin/sh\ntouch sprung\n")
    executable(root / ".venv/bin/python3", "#!/bin/sh\ntouch sprung\n")
    outside = Path(env["PATH"]) / "python3"
    executable(outside, f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    (root / "test_a.py").touch()
    assert detect(root, env).tests is None
    assert not (root / "sprung").exists()


def test_codeflows_own_python_is_the_last_resort_and_finds_a_src_layout(root: Path, env: dict[str, str]):
    (root / "src").mkdir()
    (root / "AGENTS.md").write_text("Run `pytest -x`.")
    assert detect(root, env).tests == f"PYTHONPATH=src {shlex.quote(sys.executable)} -m pytest -x"


def test_lint_and_types_are_run_where_configured_and_installed(root: Path, env: dict[str, str]):
    (root / "pyproject.toml").write_text("[tool.ruff]\n[tool.mypy]\nfiles = ['a']\n")
    project = detect(root, env)
    assert (project.lint, project.types) == ("ruff check --no-fix", "mypy")
    assert project.languages == ("Python",)
    bare = detect(root, {"PATH": "/nowhere"})
    assert (bare.lint, bare.types) == (None, None)


def test_mypy_without_files_gets_some(root: Path, env: dict[str, str]):
    (root / "mypy.ini").write_text("[mypy]\n")
    assert detect(root, env).types == "mypy ."


def test_node_tools_come_from_the_project(root: Path, env: dict[str, str]):
    for name in ("tsconfig.json", "eslint.config.js"):
        (root / name).touch()
    assert detect(root, env).lint is None
    executable(root / "node_modules/.bin/eslint")
    executable(root / "node_modules/.bin/tsc")
    project = detect(root, env)
    assert (project.lint, project.types) == (
        "./node_modules/.bin/eslint .",
        "./node_modules/.bin/tsc --noEmit",
    )


def test_compiled_languages_are_built(root: Path, env: dict[str, str]):
    (root / "go.mod").touch()
    assert detect(root, env).build == "go build -o /dev/null ./..."


def test_huge_or_unreadable_configuration_is_passed_over(root: Path, env: dict[str, str]):
    with (root / "AGENTS.md").open("wb") as file:
        file.truncate(2_000_000)
    (root / "pyproject.toml").write_bytes(b"\xff\xfe[tool.ruff]")
    (root / "Makefile").mkdir()
    assert detect(root, env).tests is None
