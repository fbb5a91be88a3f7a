"""Finds the command that runs a project's tests, in the order in which a newcomer would look for it."""

import base64
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from codeflow.tools.environment import project_venv
from codeflow.tools.project_declared import declaration
from codeflow.tools.project_files import Found, ProjectFiles, Unusable
from codeflow.tools.project_managers import how_to_add, managers_by_language
from codeflow.tools.project_scripts import package_scripts

_PROBE_TIMEOUT_S = 20
_PROBE = "import sys; sys.path.pop(0); import importlib.util as u; sys.exit(u.find_spec('pytest') is None)"
_PYTEST_OPTIONS = "-q --tb=short --continue-on-collection-errors"
_CODE = re.compile(r"`([^`\n]+)`|^[ \t]*(?:\$ )?([^`\n]+?)[ \t]*$", re.MULTILINE)
_TEST_COMMAND = re.compile(
    r"(?P<runner>(?:make|just|cargo|go|mix|dotnet|(?:npm|pnpm|yarn|bun)(?: run)?) test|tox|nox|python3? -m unittest"
    r"|(?P<pytest>(?:python3? -m )?pytest)|(?:(?P<managed>uv|poetry)|pdm|hatch) run (?:python -m )?pytest)"
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
_CURES = {"cargo": "install Rust with rustup", "go": "install the Go toolchain"}
_TEST_FILES = tuple(
    f"{folder}{name}"
    for folder in ("tests/**/", "test/**/", "testing/**/", "")
    for name in ("test_*.py", "*_test.py")
)


def find_tests(files: ProjectFiles) -> Iterator[Found | Unusable | None]:
    """The test commands, the most fitting first, and why one cannot be started here."""
    yield from _from_instructions(files)
    yield _from_makefile(files)
    yield _from_package_json(files)
    yield _from_python(files)
    for name, command in _BY_FILE:
        yield _configured(files, files.has(name), command)


def _from_instructions(files: ProjectFiles) -> Iterator[Found | Unusable | None]:
    """The test commands written as code in the instructions for agents."""
    for name in ("AGENTS.md", "CLAUDE.md"):
        for code in _CODE.finditer(files.text(name)):
            match = _TEST_COMMAND.fullmatch(code[1] or code[2] or "")
            if match and match["pytest"]:
                yield _pytest(files, name, match["options"].strip())
            elif (
                match
                and match["managed"]
                and not _own_interpreter(files)
                and files.installed(match["managed"])
            ):
                yield _without_pytest(files, match[0])
            elif match:
                yield _configured(files, name, match[0])


def _configured(files: ProjectFiles, source: str | None, command: str) -> Found | Unusable | None:
    program = command.split(maxsplit=1)[0]
    return files.configured(source, command, _CURES.get(program, f"install {program}"))


def _from_makefile(files: ProjectFiles) -> Found | Unusable | None:
    for name, program in (("Makefile", "make"), ("GNUmakefile", "make"), ("justfile", "just")):
        if re.search(r"^test\s*:", files.text(name), re.MULTILINE):
            return _configured(files, name, f"{program} test")
    return None


def _from_package_json(files: ProjectFiles) -> Found | Unusable | None:
    script = package_scripts(files.root).get("test", "")
    if not script or "no test specified" in script or _WATCHES.search(script):
        return None
    manager = managers_by_language(files.root)["javascript"]
    return _configured(files, "package.json", f"{manager} run test")


def _from_python(files: ProjectFiles) -> Found | Unusable | None:
    configured = (
        files.has("pytest.ini", ".pytest.ini", "conftest.py", "tests/conftest.py")
        or files.section("pyproject.toml", "tool.pytest")
        or files.section("setup.cfg", "tool:pytest")
        or files.section("tox.ini", "pytest")
    )
    source = configured or files.has(*_TEST_FILES)
    if not source:
        return None
    by_pytest = _pytest(files, source, _PYTEST_OPTIONS)
    if isinstance(by_pytest, Found) or configured or declaration(files.root, "pytest"):
        return by_pytest
    return _from_unittest(files) or by_pytest


def _pytest(files: ProjectFiles, source: str, options: str) -> Found | Unusable:
    """Pytest by the first interpreter that has it: the project's own, the one on PATH, codeflow's."""
    words = f" -m pytest {options}".rstrip()
    if own := _own_interpreter(files):
        return Found(own + words, f"{source}, by the project's own environment")
    venv = project_venv(files.root)
    later = f"{venv.name if venv else '.venv'}/bin/python{words}"
    if venv or _lock_has_pytest(files):
        # a pytest from elsewhere would not see what the project has installed
        return _without_pytest(files, later)
    prefix = "PYTHONPATH=src " if (files.root / "src").is_dir() else ""
    for name in ("python3", "python"):
        path = shutil.which(name, path=files.reading_env["PATH"])
        if path and _has_pytest(files, path):
            return Found(prefix + name + words, f"{source}, by {name} on PATH")
    if find_spec("pytest"):
        return Found(prefix + shlex.quote(sys.executable) + words, f"{source}, by codeflow's own Python")
    return _without_pytest(files, later)


def _without_pytest(files: ProjectFiles, command: str) -> Unusable:
    """`uv run` and `poetry run` would make an empty environment: in the sandbox they reach no index to fill it from."""
    venv = project_venv(files.root)
    missing = (
        f"not installed in {venv.name}"
        if venv
        else "not installed: the project has no environment of its own"
    )
    known = declaration(files.root, "pytest")
    return Unusable(
        f"pytest is declared in {known.file} but {missing}"
        if known
        else f"the tests need pytest, which is {missing}",
        f"run {known.install}" if known else how_to_add(files.root, "pytest", "python"),
        command,
        "pytest",
    )


def _own_interpreter(files: ProjectFiles) -> str | None:
    """Judged by files alone: an environment that came with a repository is not run to look at it."""
    if venv := project_venv(files.root):
        return f"{venv.name}/bin/python" if _holds_pytest(venv) else None
    elsewhere = {"uv": files.env.get("UV_PROJECT_ENVIRONMENT"), "poetry": _poetry_environment(files)}
    for tool, folder in elsewhere.items():
        if folder and _holds_pytest(files.root / folder) and files.installed(tool):
            return f"{tool} run python"
    return None


def _holds_pytest(environment: Path) -> bool:
    return next(environment.glob("lib/python*/site-packages/pytest/__init__.py"), None) is not None


def _lock_has_pytest(files: ProjectFiles) -> bool:
    """Whether uv or poetry, one of which is at hand, would put pytest into the environment."""
    return any(
        re.search(r'^name = "pytest"', files.text(f"{tool}.lock"), re.MULTILINE) and files.installed(tool)
        for tool in ("uv", "poetry")
    )


def _poetry_environment(files: ProjectFiles) -> str | None:
    """The environment that poetry has made for this very folder in its cache, where it puts them by default."""
    home = Path(files.env.get("HOME", "~"))
    cache = files.env.get("POETRY_CACHE_DIR") or home / ".cache/pypoetry"
    folder = Path(files.env.get("POETRY_VIRTUALENVS_PATH") or Path(cache, "virtualenvs"))
    digest = hashlib.sha256(os.fsencode(os.path.realpath(files.root))).digest()
    mark = base64.urlsafe_b64encode(digest).decode()[:8]  # as poetry names them
    return next((str(path) for path in folder.glob(f"*-{mark}-py*")), None)


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
    if not files.installed("python3"):
        return None
    return Found(f"PYTHONPATH=.:src python3 -m unittest {search}", test_file)
