"""Which package managers a project uses, read from its own files, and how they add a package."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from codeflow.tools.project_files import small_text

_MARKS: Sequence[tuple[str, str, str, str]] = (
    ("uv.lock", "", "uv", "python"),
    ("poetry.lock", "", "poetry", "python"),
    ("pyproject.toml", r"^\[tool\.uv\b", "uv", "python"),
    ("pyproject.toml", r"^\[tool\.poetry\b", "poetry", "python"),
    ("uv.toml", "", "uv", "python"),
    ("pyproject.toml", r"^build-backend\s*=\s*[\"']uv_build", "uv", "python"),
    ("pyproject.toml", r"^build-backend\s*=\s*[\"']poetry\.core\.", "poetry", "python"),
    ("pyproject.toml", "", "pip", "python"),
    ("requirements.txt", "", "pip", "python"),
    ("setup.py", "", "pip", "python"),
    (".venv", "", "pip", "python"),
    ("pnpm-lock.yaml", "", "pnpm", "javascript"),
    ("yarn.lock", "", "yarn", "javascript"),
    ("bun.lock", "", "bun", "javascript"),
    ("bun.lockb", "", "bun", "javascript"),
    ("package-lock.json", "", "npm", "javascript"),
    ("package.json", r'"packageManager"\s*:\s*"pnpm@', "pnpm", "javascript"),
    ("package.json", r'"packageManager"\s*:\s*"yarn@', "yarn", "javascript"),
    ("package.json", r'"packageManager"\s*:\s*"bun@', "bun", "javascript"),
    ("package.json", "", "npm", "javascript"),
    ("Cargo.toml", "", "cargo", "rust"),
    ("go.mod", "", "go", "go"),
)
"""File, a pattern in it, manager, language; the first of a language wins."""

INSTALL: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "uv": (("add",), ("--dev",)),
    "poetry": (("add", "--no-interaction"), ("--group", "dev")),
    "npm": (("install", "--no-audit", "--no-fund"), ("--save-dev",)),
    "pnpm": (("add",), ("--save-dev",)),
    "yarn": (("add",), ("--dev",)),
    "bun": (("add",), ("--dev",)),
    "cargo": (("add",), ("--dev",)),
    "go": (("get",), ()),
}
"""Manager -> its subcommand and the options for a development dependency; it edits the manifest itself."""


def managers_by_language(root: Path) -> dict[str, str]:
    """Language (python, javascript, rust, go) -> the manager of its packages."""
    found: dict[str, str] = {}
    for file, pattern, name, language in _MARKS:
        if language not in found and _is_marked(root / file, pattern):
            found[language] = name
    return found


def how_to_add(root: Path, package: str, language: str) -> str:
    """The command with which a person adds a development tool to the project."""
    manager = managers_by_language(root).get(language, "pip" if language == "python" else "npm")
    if manager == "pip":
        return f"install {package} into the project's environment: pip install {package}"
    if language == "javascript" and f'"{package}"' in small_text(root / "package.json"):
        return f"install what package.json lists: {manager} install"
    subcommand, options = INSTALL[manager]
    return f"install it: {' '.join([manager, subcommand[0], *options, package])}"


def _is_marked(file: Path, pattern: str) -> bool:
    if not pattern:
        return file.exists()
    return re.search(pattern, small_text(file), re.MULTILINE) is not None
