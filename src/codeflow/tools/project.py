"""Which commands test, lint, type-check and build a project, read from its own files."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codeflow.tools.environment import reading_environment, scrubbed_environment
from codeflow.tools.project_files import Found, ProjectFiles
from codeflow.tools.project_tests import find_tests

_LANGUAGES = {
    "Python": ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "*.py"),
    "TypeScript": ("tsconfig.json",),
    "JavaScript": ("package.json",),
    "Rust": ("Cargo.toml",),
    "Go": ("go.mod",),
    "Java": ("pom.xml", "build.gradle*"),
    "C#": ("*.csproj", "*.sln"),
    "Ruby": ("Gemfile",),
    "Elixir": ("mix.exs",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What was found; a command is None when the project has none or its program is not installed."""

    languages: tuple[str, ...]
    tests: str | None
    lint: str | None
    types: str | None
    build: str | None
    sources: Mapping[str, str]
    """tests, lint, types or build -> where the command comes from."""


def detect(root: Path, env: Mapping[str, str] = os.environ) -> Project:
    """The commands of the project in `root`; nothing of the project is run to find them."""
    files = ProjectFiles(root, scrubbed_environment(env, root), reading_environment(env, root))
    tests, lint, types, build = find_tests(files), _lint(files), _types(files), _build(files)
    named = {"tests": tests, "lint": lint, "types": types, "build": build}
    return Project(
        languages=tuple(name for name, marks in _LANGUAGES.items() if files.has(*marks)),
        tests=tests.command if tests else None,
        lint=lint.command if lint else None,
        types=types.command if types else None,
        build=build.command if build else None,
        sources={name: found.source for name, found in named.items() if found},
    )


def _lint(files: ProjectFiles) -> Found | None:
    ruff = files.has("ruff.toml", ".ruff.toml") or files.section("pyproject.toml", "tool.ruff")
    flake8 = (
        files.has(".flake8") or files.section("setup.cfg", "flake8") or files.section("tox.ini", "flake8")
    )
    return files.first(
        [
            (ruff, "ruff check --no-fix"),
            (flake8, "flake8"),
            (files.has("eslint.config.*", ".eslintrc*"), "./node_modules/.bin/eslint ."),
            (files.has("biome.json", "biome.jsonc"), "./node_modules/.bin/biome lint"),
        ]
    )


def _types(files: ProjectFiles) -> Found | None:
    mypy = (
        files.has("mypy.ini", ".mypy.ini")
        or files.section("pyproject.toml", "tool.mypy")
        or files.section("setup.cfg", "mypy")
    )
    pyright = files.has("pyrightconfig.json") or files.section("pyproject.toml", "tool.pyright")
    return files.first(
        [
            (mypy, _mypy(files, mypy or "")),
            (pyright, "pyright"),
            (files.has("tsconfig.json"), "./node_modules/.bin/tsc --noEmit"),
        ]
    )


def _mypy(files: ProjectFiles, config: str) -> str:
    """Mypy wants to be told what to check unless its configuration says so."""
    text = files.text(config)
    if any(line.startswith(("files", "packages", "modules")) for line in text.splitlines()):
        return "mypy"
    return "mypy src" if files.has("src") else "mypy ."


def _build(files: ProjectFiles) -> Found | None:
    return files.first(
        [
            (files.has("Cargo.toml"), "cargo build --quiet"),
            (files.has("go.mod"), "go build -o /dev/null ./..."),
        ]
    )
