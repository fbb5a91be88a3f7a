"""What a project's folder says about it, without running anything that belongs to the project."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LARGEST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """A command and where it comes from."""

    command: str
    source: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """What a project's files ask for and what cannot be run here: why, and what a person can do about it."""

    detail: str
    cure: str
    command: str = ""
    """What can be run once it is cured, where that is known."""
    package: str = ""
    """What `install_dependency` takes to cure it, where it can."""


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """A project's folder, with the environment its commands will have."""

    root: Path
    env: Mapping[str, str]
    reading_env: Mapping[str, str]
    """The same without programs from the folder."""

    def has(self, *patterns: str) -> str | None:
        """Name of the first file or folder that matches one of the patterns."""
        hits = (hit for pattern in patterns for hit in self.root.glob(pattern))
        return next((hit.relative_to(self.root).as_posix() for hit in hits), None)

    def text(self, name: str) -> str:
        """A file's text; empty when it is missing, unreadable or too large to be configuration."""
        return small_text(self.root / name)

    def section(self, name: str, header: str) -> str | None:
        """The name of a configuration file that has a section beginning with `header`."""
        pattern = rf"^\[{re.escape(header)}\b"
        return name if re.search(pattern, self.text(name), re.MULTILINE) else None

    def installed(self, program: str) -> bool:
        """Whether a command line can start with this word."""
        if program.startswith("./"):
            return os.access(self.root / program, os.X_OK)
        return shutil.which(program, path=self.env.get("PATH")) is not None

    def configured(self, source: str | None, command: str, cure: str) -> Found | Unusable | None:
        """A command that a file speaks for; None when no file does."""
        if not source:
            return None
        if self.installed(command.split(maxsplit=1)[0]):
            return Found(command, source)
        program = Path(command.split(maxsplit=1)[0]).name
        return Unusable(f"{program} is configured ({source}) but not installed", cure, command)


def small_text(path: Path) -> str:
    """A configuration file's text; empty when it is missing, unreadable or too large to be one."""
    if not path.is_file() or path.stat().st_size > _LARGEST_BYTES or not os.access(path, os.R_OK):
        return ""
    return path.read_text(encoding="utf-8", errors="replace")
