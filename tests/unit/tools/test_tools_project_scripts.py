"""Scripts of package.json as gates."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.unit.tools.test_tools_project import env, root  # noqa: F401 - fixtures

from codeflow.tools.project import detect


def package(folder: Path, scripts: Mapping[str, str], **more: object) -> None:
    (folder / "package.json").write_text(json.dumps({"scripts": scripts, **more}))


def test_scripts_that_check_are_gates(root: Path, env: dict[str, str]):  # noqa: F811
    package(root, {"lint": "eslint src", "typecheck": "tsc --noEmit", "build": "vite build", "src": "vite"})
    (root / ".gitignore").write_text("node_modules\n/dist/\n")
    (root / "pnpm-lock.yaml").touch()
    project = detect(root, env)
    assert (project.lint, project.types, project.build) == (
        "pnpm run lint",
        "pnpm run typecheck",
        "pnpm run build",
    )
    assert project.sources["types"] == "package.json's script typecheck"
    assert project.unusable == ()


@pytest.mark.parametrize(
    ("scripts", "problem"),
    [
        ({"lint": "eslint --fix ."}, "script lint changes files (--fix)"),
        ({"lint": "run-s lint:*", "lint:js": "prettier --write ."}, "script lint changes files (--write)"),
        ({"lint": "npm run -s other", "other": "eslint --watch"}, "script lint may never end (--watch)"),
        ({"lint": "eslint .", "prelint": "git add ."}, "script lint changes files (git add)"),
        ({"typecheck": "tsc --noEmit -w"}, "script typecheck may never end (-w)"),
        ({"build": "vite build --watch"}, "script build may never end (--watch)"),
        ({"build": "vite build"}, "script build may write into the tree: no output folder"),
    ],
)
def test_scripts_that_change_files_or_never_end_are_not(
    root: Path,  # noqa: F811
    env: dict[str, str],  # noqa: F811
    scripts: dict[str, str],
    problem: str,
):
    package(root, scripts)
    project = detect(root, env)
    assert (project.lint, project.types, project.build) == (None, None, None)
    ((_, unusable),) = project.unusable
    assert unusable.detail.startswith(f"package.json's {problem}")
    assert unusable.cure


def test_what_only_looks_like_a_watcher_or_fixer_is_a_gate(root: Path, env: dict[str, str]):  # noqa: F811
    package(root, {"lint": "eslint --fix-dry-run watcher.js", "build": "tsc --noEmit --watch=false"})
    project = detect(root, env)
    assert (project.lint, project.build) == ("npm run lint", "npm run build")


def test_a_test_script_that_watches_is_no_gate(root: Path, env: dict[str, str]):  # noqa: F811
    package(root, {"test": "jest --watchAll"})
    assert detect(root, env).tests is None


def test_scripts_need_their_packages(root: Path, env: dict[str, str]):  # noqa: F811
    package(root, {"lint": "eslint ."}, devDependencies={"eslint": "^9"})
    (root / "eslint.config.js").touch()
    project = detect(root, env)
    assert project.lint is None
    assert [(name, one.detail, one.cure) for name, one in project.unusable] == [
        ("lint", "package.json's script lint needs the packages that package.json lists", "run npm install"),
        (
            "lint",
            "eslint is configured (eslint.config.js) but not installed",
            "install what package.json lists: npm install",
        ),
    ]
    (root / "node_modules").mkdir()
    assert detect(root, env).lint == "npm run lint"


def test_a_configured_program_that_is_missing_is_said_with_its_cure(root: Path):  # noqa: F811
    (root / "pyproject.toml").write_text("[tool.ruff]\n[tool.mypy]\n")
    (root / "uv.lock").touch()
    project = detect(root, {"PATH": "/nowhere"})
    assert [(name, one.detail, one.cure) for name, one in project.unusable] == [
        ("lint", "ruff is configured (pyproject.toml) but not installed", "install it: uv add --dev ruff"),
        ("types", "mypy is configured (pyproject.toml) but not installed", "install it: uv add --dev mypy"),
    ]


def test_doctor_lists_the_gates_and_what_is_missing(root: Path, tmp_path: Path):  # noqa: F811
    package(root, {"lint": "eslint --fix ."})
    (root / "biome.json").write_text("{}")
    doctor = [sys.executable, "-m", "codeflow", "doctor", "--output", "json", "--workspace", str(root)]
    environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    done = subprocess.run(
        doctor, env={**environment, "HOME": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    lines = [line for line in json.loads(done.stdout) if line["name"] == "lint"]
    assert [(line["level"], line["detail"]) for line in lines] == [
        ("warn", "package.json's script lint changes files (--fix)"),
        ("warn", "biome is configured (biome.json) but not installed"),
    ]
    assert lines[1]["cure"] == "install it: npm install --save-dev @biomejs/biome"
