"""Which commands test, lint, type-check and build a project, read from its own files."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from codeflow.tools.environment import reading_environment, scrubbed_environment
from codeflow.tools.project_files import Found, ProjectFiles, Unusable
from codeflow.tools.project_managers import how_to_add
from codeflow.tools.project_scripts import script_gate
from codeflow.tools.project_tests import find_tests
from codeflow.tools.quality_programs import LINTERS

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
    unusable: tuple[tuple[str, Unusable], ...] = ()
    """(tests, lint, types or build, what the project asks for and what cannot be run), in the order of preference."""

    @property
    def waiting_tests(self) -> Unusable | None:
        """What the project's tests lack, where it has tests of which none can be run."""
        if self.tests is not None:
            return None
        return next((one for name, one in self.unusable if name == "tests"), None)


def detect(root: Path, env: Mapping[str, str] = os.environ) -> Project:
    """The commands of the project in `root`; nothing of the project is run to find them."""
    files = ProjectFiles(root, scrubbed_environment(env, root), reading_environment(env, root))
    candidates = {
        "tests": find_tests(files),
        "lint": _lint(files),
        "types": _types(files),
        "build": _build(files),
    }
    named: dict[str, Found | None] = {}
    unusable: list[tuple[str, Unusable]] = []
    for name, choices in candidates.items():
        named[name], passed = _first_usable(choices)
        unusable += [(name, one) for one in passed]
    commands = {name: found.command if found else None for name, found in named.items()}
    return Project(
        languages=tuple(name for name, marks in _LANGUAGES.items() if files.has(*marks)),
        tests=commands["tests"],
        lint=commands["lint"],
        types=commands["types"],
        build=commands["build"],
        sources={name: found.source for name, found in named.items() if found},
        unusable=tuple(unusable),
    )


def _first_usable(choices: Iterable[Found | Unusable | None]) -> tuple[Found | None, list[Unusable]]:
    """The first command that can be run, and what stood before it."""
    passed: list[Unusable] = []
    for choice in choices:
        if isinstance(choice, Found):
            return choice, passed
        if choice and choice.detail not in {one.detail for one in passed}:
            passed.append(choice)
    return None, passed


def _lint(files: ProjectFiles) -> Iterator[Found | Unusable | None]:
    for linter in LINTERS:
        if linter.language == "python":
            yield files.configured(linter.configured_in(files), linter.gate, linter.cure(files))
    yield script_gate(files, ("lint", "lint:check", "eslint"))
    for linter in LINTERS:
        if linter.language == "javascript":
            yield files.configured(linter.configured_in(files), linter.gate, linter.cure(files))


def _types(files: ProjectFiles) -> Iterator[Found | Unusable | None]:
    mypy = (
        files.has("mypy.ini", ".mypy.ini")
        or files.section("pyproject.toml", "tool.mypy")
        or files.section("setup.cfg", "mypy")
    )
    pyright = files.has("pyrightconfig.json") or files.section("pyproject.toml", "tool.pyright")
    yield files.configured(mypy, _mypy(files, mypy or ""), how_to_add(files.root, "mypy", "python"))
    yield files.configured(pyright, "pyright", how_to_add(files.root, "pyright", "python"))
    yield script_gate(files, ("typecheck", "type-check", "check-types", "check:types", "types:check", "tsc"))
    compiler = how_to_add(files.root, "typescript", "javascript")
    yield files.configured(files.has("tsconfig.json"), "./node_modules/.bin/tsc --noEmit", compiler)


def _mypy(files: ProjectFiles, config: str) -> str:
    """Mypy wants to be told what to check unless its configuration says so."""
    text = files.text(config)
    if any(line.startswith(("files", "packages", "modules")) for line in text.splitlines()):
        return "mypy"
    return "mypy src" if files.has("src") else "mypy ."


def _build(files: ProjectFiles) -> Iterator[Found | Unusable | None]:
    yield script_gate(files, ("build",))
    yield files.configured(files.has("Cargo.toml"), "cargo build --quiet", "install Rust with rustup")
    yield files.configured(files.has("go.mod"), "go build -o /dev/null ./...", "install the Go toolchain")
