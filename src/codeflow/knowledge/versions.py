"""Which versions of the project's languages are installed."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class _Language:
    name: str
    marks: tuple[str, ...]
    """Endings of file names that show its use."""
    command: tuple[str, ...]


_LANGUAGES = (
    _Language("Python", (".py", "pyproject.toml"), ("python3", "--version")),
    _Language("Node", ("package.json", ".js", ".ts", ".tsx"), ("node", "--version")),
    _Language("Go", ("go.mod", ".go"), ("go", "version")),
    _Language("Rust", ("Cargo.toml", ".rs"), ("rustc", "--version")),
)


def versions(workspace: Path, paths: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Version by language, "not found" included, for the languages of the project's files."""
    used = [language for language in _LANGUAGES if any(path.endswith(language.marks) for path in paths)]
    with ThreadPoolExecutor(max_workers=len(_LANGUAGES)) as pool:
        found = pool.map(lambda language: _ask(language.command, environment), used)
    answers = {language.name: version for language, version in zip(used, found, strict=True)}
    virtual = _virtual_environment(workspace)
    return answers | ({"Python in .venv": virtual} if virtual else {})


def _ask(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Asks outside the workspace: there, version managers obey files of the project."""
    try:
        finished = subprocess.run(
            command,
            cwd="/",
            env={**environment, "GOTOOLCHAIN": "local"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "not found"
    number = re.search(r"\d+(?:\.\d+)+", finished.stdout)
    return number.group() if number and finished.returncode == 0 else "not found"


def _virtual_environment(workspace: Path) -> str | None:
    """The version that .venv was made with; its interpreter is not started, it belongs to the project."""
    file = workspace / ".venv" / "pyvenv.cfg"
    if not file.is_file():
        return None
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            found = re.search(r"^version(?:_info)?\s*=\s*(\d+(?:\.\d+)+)", opened.read(10_000), re.MULTILINE)
    except OSError:
        return None
    return found.group(1) if found else None
