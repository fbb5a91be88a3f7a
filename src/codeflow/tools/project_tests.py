"""Finds the command that runs a project's tests, in the order in which a newcomer would look for it."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from codeflow.tools.environment import project_venv
from codeflow.tools.project_files import Found, ProjectFiles
from codeflow.tools.project_managers import managers_by_language
from codeflow.tools.project_scripts import package_scripts

_PROBE_TIMEOUT_S = 20
_PROBE = "import sys; sys.path.pop(0); import importlib.util as u; sys.exit(u.find_spec('pytest') is None)"
_PYTEST_OPTIONS = "-q --tb=short --continue-on-collection-errors"
_CODE = re.compile(r"`([^`\n]+)`|^[ \t]*(?:\$ )?([^`\n]+?)[ \t]*$", re.MULTILINE)
_TEST_COMMAND = re.compile(
    r"(?P<runner>(?:make|just|cargo|go|mix|dotnet|(?:npm|pnpm|yarn|bun)(?: run)?) test|tox|nox|python3? -m unittest"
    r"|(?P<pytest>(?:python3? -m )?pytest)|(?:uv|poetry|pdm|hatch) run (?:python -m )?pytest)"
    r"(?P<options>(?: (?!\S*\.py)[\w./=,@+-]+)*)"
)
_WATCHES = re.compile(r"--watch(All)?\b(?!=false)")
_BY_FILE = (
    ("tox.ini", "tox -q"),
    ("noxfile.py", "nox"),
    ("Cargo.toml", "cargo test --quiet"),
    ("go.mod", "go test ./..."),
    ("mvnw", "./mvnw -q test"),
    ("pom.xml", "mvn -q test"),
    ("gradlew", "./gradlew -q test"),
    ("build.gradle*", "gradle -q test"),
    ("*.sln", "dotnet test"),
    ("*.csproj", "dotnet test"),
    ("mix.exs", "mix test"),
)
_TEST_FILES = tuple(
    f"{folder}{name}"
    for folder in ("tests/**/", "test/**/", "testing/**/", "")
    for name in ("test_*.py", "*_test.py")
)


def find_tests(files: ProjectFiles) -> Found | None:
    """The test command, or None when there is none that could be started here."""
    ways: tuple[Callable[[ProjectFiles], Found | None], ...] = (
        _from_instructions,
        _from_makefile,
        _from_package_json,
        _from_pytest,
        _from_unittest,
    )
    return next((found for way in ways if (found := way(files))), None) or files.first(
        (files.has(name), command) for name, command in _BY_FILE
    )


def _from_instructions(files: ProjectFiles) -> Found | None:
    """The first test command written as code in the instructions for agents."""
    for name in ("AGENTS.md", "CLAUDE.md"):
        for code in _CODE.finditer(files.text(name)):
            match = _TEST_COMMAND.fullmatch(code[1] or code[2] or "")
            if match and match["pytest"]:
                return _pytest(files, name, match["options"].strip())
            if match and files.installed(match[0].split()[0]):
                return Found(match[0], name)
    return None


def _from_makefile(files: ProjectFiles) -> Found | None:
    return files.first(
        (name if re.search(r"^test\s*:", files.text(name), re.MULTILINE) else None, f"{program} test")
        for name, program in (("Makefile", "make"), ("GNUmakefile", "make"), ("justfile", "just"))
    )


def _from_package_json(files: ProjectFiles) -> Found | None:
    script = package_scripts(files.root).get("test", "")
    if not script or "no test specified" in script or _WATCHES.search(script):
        return None
    manager = managers_by_language(files.root)["javascript"]
    return files.first([("package.json", f"{manager} run test")])


def _from_pytest(files: ProjectFiles) -> Found | None:
    source = (
        files.has("pytest.ini", ".pytest.ini", "conftest.py", "tests/conftest.py")
        or files.section("pyproject.toml", "tool.pytest")
        or files.section("setup.cfg", "tool:pytest")
        or files.section("tox.ini", "pytest")
        or files.has(*_TEST_FILES)
    )
    return _pytest(files, source, _PYTEST_OPTIONS) if source else None


def _pytest(files: ProjectFiles, source: str, options: str) -> Found | None:
    """Pytest by the first interpreter that has it: the project's own, the one on PATH, codeflow's."""
    words = f" -m pytest {options}".rstrip()
    if own := _own_interpreter(files):
        return Found(own + words, f"{source}, by the project's own environment")
    if project_venv(files.root):
        return None  # a pytest from elsewhere would not see what the project has installed
    prefix = "PYTHONPATH=src " if (files.root / "src").is_dir() else ""
    for name in ("python3", "python"):
        path = shutil.which(name, path=files.reading_env["PATH"])
        if path and _has_pytest(files, path):
            return Found(prefix + name + words, f"{source}, by {name} on PATH")
    if find_spec("pytest"):
        return Found(prefix + shlex.quote(sys.executable) + words, f"{source}, by codeflow's own Python")
    return None


def _own_interpreter(files: ProjectFiles) -> str | None:
    """Judged by files alone: an environment that came with a repository is not run to look at it."""
    if venv := project_venv(files.root):
        if next(venv.glob("lib/python*/site-packages/pytest/__init__.py"), None):
            return f"{venv.name}/bin/python"
        return None
    for lockfile, tool in (("uv.lock", "uv"), ("poetry.lock", "poetry")):
        if re.search(r'^name = "pytest"', files.text(lockfile), re.MULTILINE) and files.installed(tool):
            return f"{tool} run python"
    return None


def _has_pytest(files: ProjectFiles, program: str) -> bool:
    try:
        probe = subprocess.run(
            [program, "-c", _PROBE],
            cwd=files.root,
            env=files.reading_env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.returncode == 0


def _from_unittest(files: ProjectFiles) -> Found | None:
    test_file = files.has(*_TEST_FILES)
    if not test_file or not re.search(r"^(import|from) unittest", files.text(test_file), re.MULTILINE):
        return None
    folder = Path(test_file).parts[0] if "/" in test_file else "."
    package = " -t ." if (files.root / folder / "__init__.py").exists() else ""
    search = f"discover -q -s {folder}{package} -p {shlex.quote('*test*.py')}"
    return files.first([(test_file, "python3")]) and Found(
        f"PYTHONPATH=.:src python3 -m unittest {search}", test_file
    )
