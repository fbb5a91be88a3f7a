"""Which package managers a project uses, and the environments they install into."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codeflow.tools.environment import project_venv
from codeflow.tools.process_stdout import find_program, run_for_stdout
from codeflow.tools.project_managers import managers_by_language
from codeflow.tools.sandbox.reach import CACHING
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

_GET: Mapping[str, str] = {
    "uv": "pip install uv",
    "poetry": "pip install poetry",
    "pnpm": "npm install --global pnpm",
    "yarn": "npm install --global yarn",
    "bun": "npm install --global bun",
    "npm": "it comes with Node.js",
    "cargo": "it comes with rustup",
    "go": "it comes with the Go toolchain",
}
_MAKE_ENVIRONMENT: Mapping[str, str] = {
    "uv": "uv sync",
    "poetry": "python3 -m venv .venv && poetry install",
    "pip": "python3 -m venv .venv",
}
SHORT_WAITS: dict[str, str] = {
    "PIP_RETRIES": "1",
    "PIP_TIMEOUT": "10",
    "npm_config_fetch_retries": "1",
    "npm_config_fetch_retry_mintimeout": "1000",
}
"""Environment for questions to an index that may be out of reach."""

_LONGEST_REASON = 300
_UNREACHED = re.compile(
    r"connection ?(refused|reset|error|aborted|broken)|establish a new connection|max retries exceeded"
    r"|network (error|is unreachable|was disabled)|resolve host|no such host|name resolution|getaddrinfo"
    r"|timed? ?out|fetch failed|error sending request|dial tcp|ENOTFOUND|ECONN|EAI_AGAIN",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Manager:
    """A package manager of the project and its language."""

    name: str
    language: str


def find_managers(root: Path) -> list[Manager]:
    """One for each language of the project; a Mistake when there is none."""
    found = managers_by_language(root)
    if not found:
        raise Mistake(
            "No package manifest (pyproject.toml, package.json, Cargo.toml, go.mod) is in the workspace."
        )
    return [Manager(name, language) for language, name in found.items()]


def manager_program(ws: Workspace, manager: Manager) -> str:
    """The path of the package manager itself; a Mistake when it is missing.

    One that may add to the user's own caches is none that stands in the project.
    """
    if manager.name in CACHING and (path := shutil.which(manager.name, path=ws.reading_env["PATH"])):
        return path
    return required_program(ws, manager.name, f"the project uses it; get it: {_GET[manager.name]}")


async def pip_of(ws: Workspace, manager: Manager) -> list[str]:
    """How to call pip for the project's environment: its own, or uv's where uv made one without it."""
    python = await python_of(ws, manager)
    probe, _ = await run_for_stdout(ws, [python, "-I", "-c", "import pip"])
    if probe.exit_code == 0:
        return [python, "-m", "pip"]
    if uv := find_program(ws, "uv"):
        return [uv, "pip"]
    raise Mistake(
        "The project's environment has no pip (uv makes them so), and uv is not installed; "
        f"add pip with run_command: {Path(python).relative_to(ws.root)} -m ensurepip"
    )


async def python_of(ws: Workspace, manager: Manager) -> str:
    """The interpreter of the project's own environment; a Mistake when it has none."""
    if venv := project_venv(ws.root):
        return str(venv / "bin/python")
    if manager.name == "poetry":
        outcome, folder = await run_for_stdout(ws, [manager_program(ws, manager), "env", "info", "--path"])
        if outcome.exit_code == 0 and (python := shutil.which(f"{folder.strip()}/bin/python")):
            return python
    raise Mistake(
        "The project has no virtual environment of its own; make one with run_command: "
        + _MAKE_ENVIRONMENT[manager.name]
    )


async def site_packages(ws: Workspace, manager: Manager) -> Path:
    """Where the project's environment keeps its packages."""
    folders = Path(await python_of(ws, manager)).parent.parent.glob("lib/python*/site-packages")
    if folder := next(folders, None):
        return folder
    raise Mistake("The project's virtual environment has no site-packages folder; make it anew.")


def required_program(ws: Workspace, name: str, install: str) -> str:
    """A program's path; a Mistake that says how to install it when it is missing."""
    if path := find_program(ws, name):
        return path
    raise Mistake(f"{name} is not installed; {install}.")


def is_unreached(output: str) -> bool:
    """Whether what a package manager printed says that a server could not be reached."""
    return _UNREACHED.search(output) is not None


def in_one_line(output: str) -> str:
    """The end of what a program printed, where it says what went wrong."""
    line = " ".join(output.split())
    return line if len(line) <= _LONGEST_REASON else f"…{line[-_LONGEST_REASON:]}"
