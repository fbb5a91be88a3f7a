"""Which package managers a project uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeflow.tools.environment import project_venv
from codeflow.tools.process_stdout import find_program
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

_MARKS: Sequence[tuple[str, str, str]] = (
    ("uv.lock", "uv", "python"),
    ("poetry.lock", "poetry", "python"),
    ("pyproject.toml", "pip", "python"),
    ("requirements.txt", "pip", "python"),
    ("setup.py", "pip", "python"),
    (".venv", "pip", "python"),
    ("pnpm-lock.yaml", "pnpm", "javascript"),
    ("yarn.lock", "yarn", "javascript"),
    ("bun.lock", "bun", "javascript"),
    ("package.json", "npm", "javascript"),
    ("Cargo.toml", "cargo", "rust"),
    ("go.mod", "go", "go"),
)
"""File -> manager; the first of a language wins."""


@dataclass(frozen=True, slots=True)
class Manager:
    """A package manager of the project and its language."""

    name: str
    language: str


INSTALL: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "uv": (("uv", "add"), ("--dev",)),
    "poetry": (("poetry", "add"), ("--group", "dev")),
    "npm": (("npm", "install", "--no-audit", "--no-fund"), ("--save-dev",)),
    "pnpm": (("pnpm", "add"), ("--save-dev",)),
    "yarn": (("yarn", "add"), ("--dev",)),
    "bun": (("bun", "add"), ("--dev",)),
    "cargo": (("cargo", "add"), ("--dev",)),
    "go": (("go", "get"), ()),
}
"""Manager -> its command and the options for a development dependency; it edits the manifest itself."""


def find_managers(ws: Workspace) -> list[Manager]:
    """One for each language of the project; a Mistake when there is none."""
    found: dict[str, Manager] = {}
    for file, name, language in _MARKS:
        if language not in found and (ws.root / file).exists():
            found[language] = Manager(name, language)
    if not found:
        raise Mistake(
            "No package manifest (pyproject.toml, package.json, Cargo.toml, go.mod) is in the workspace."
        )
    return list(found.values())


def python_of(ws: Workspace) -> str:
    """The interpreter of the project's own environment; a Mistake when it has none."""
    if venv := project_venv(ws.root):
        return str(venv / "bin/python")
    raise Mistake(
        "The project has no virtual environment of its own; make one with run_command: python3 -m venv .venv"
    )


def site_packages(ws: Workspace) -> Path:
    """Where the project's environment keeps its packages."""
    folders = Path(python_of(ws)).parent.parent.glob("lib/python*/site-packages")
    if folder := next(folders, None):
        return folder
    raise Mistake("The project's virtual environment has no site-packages folder; make it anew.")


def required_program(ws: Workspace, name: str, install: str) -> str:
    """A program's path; a Mistake that says how to install it when it is missing."""
    if path := find_program(ws, name):
        return path
    raise Mistake(f"{name} is not installed; {install}.")
