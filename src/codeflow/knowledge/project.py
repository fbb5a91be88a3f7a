"""What a workspace holds: its files, and what git says about it. Nothing that a repository configures is run."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, cast

from codeflow.core import inert_git
from codeflow.core.programs import NO_NETWORK_GIT, program_outside

if TYPE_CHECKING:
    from git import Git

_IMPORTING = Lock()
_EXECUTABLE = "GIT_PYTHON_GIT_EXECUTABLE"

MAX_FILES = 100_000
_WALK_LIMIT = 20_000
_NEVER_LISTED = {".git", ".hg", ".svn", ".tox", ".venv", "__pycache__", "node_modules", "target", "venv"}
_SAFE = {**inert_git.SETTINGS, "core.untrackedCache": "false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class GitState:
    """`changed` are porcelain lines such as `M src/a.py`; `commits` one line each, the newest first."""

    branch: str
    changed: tuple[str, ...]
    commits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Files:
    """Paths below the workspace, sorted; `complete` is False when the workspace holds more."""

    paths: tuple[str, ...]
    complete: bool


def _wrapper(program: str) -> "type[Git]":
    """GitPython, which starts git while it is imported: this one, instead of any that PATH names.

    Several runs of one process may ask at once, and the environment is that of all.
    """
    with _IMPORTING:
        return _imported(program)


@lru_cache
def _imported(program: str) -> "type[Git]":
    before = os.environ.get(_EXECUTABLE)
    os.environ[_EXECUTABLE] = program
    try:
        from git import Git
    finally:
        os.environ.pop(_EXECUTABLE)
        if before is not None:
            os.environ[_EXECUTABLE] = before
    return Git


class Project:
    """A workspace, with or without git."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace.resolve()
        self.top = top_of(self.workspace)
        """The folder of the repository that holds the workspace."""
        self.without_git: str | None = None
        """Why nothing is known from git, or None."""
        self._program = program_outside("git", self.workspace)
        if self._program is None:
            self.without_git = "git is not installed"
        elif self.top is None:
            self.without_git = "this is not a git repository"
        elif self._git("rev-parse", "--git-dir") is None:
            self.without_git = "git cannot read this repository"

    def files(self) -> Files:
        """Every file that git tracks or does not ignore; without git, what a bounded walk finds."""
        listing = self._git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        if not listing:  # a workspace that its repository ignores has files all the same
            return self._walk()
        deleted = set(_names(self._git("ls-files", "-z", "--deleted")))
        paths = sorted({*_names(listing)} - deleted)
        return Files(tuple(paths[:MAX_FILES]), complete=len(paths) <= MAX_FILES)

    def git_state(self) -> GitState | None:
        """Branch, changed files below the workspace, and the last three commits."""
        status = self._git(
            "status", "--porcelain=v1", "-z", "--ignore-submodules=all", "--no-renames", "--", ".",
            extra=self._disarmed_filters(),
        )  # fmt: skip
        if status is None:
            return None
        branch = self._git("symbolic-ref", "--quiet", "--short", "HEAD")
        commits = self._git("log", "-3", "-z", "--no-show-signature", "--format=%h %s")
        return GitState(
            branch=os.fsdecode(branch).strip() if branch else "(no branch)",
            changed=tuple(_names(status)),
            commits=tuple(_names(commits)),
        )

    def _git(self, *arguments: str, extra: dict[str, str] | None = None) -> bytes | None:
        """Standard output, or None when git fails."""
        if self.without_git is not None or self._program is None:
            return None
        environment = {
            **inert_git.variables(_SAFE | (extra or {}), self.workspace),
            "GIT_DIR": str(cast("Path", self.top) / ".git"),
            "GIT_WORK_TREE": str(self.top),
            **NO_NETWORK_GIT,
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
        }
        status, output, _ = _wrapper(self._program)(self.workspace).execute(
            [self._program, *arguments],
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            with_exceptions=False,
            with_extended_output=True,
            env=environment,
        )
        return output if status == 0 else None

    def _disarmed_filters(self) -> dict[str, str]:
        """Settings under which `git status` starts no filter that the repository could have to do with."""
        return inert_git.filters_off(self._git(*inert_git.ASK_FOR_FILTERS) or b"")

    def _walk(self) -> Files:
        paths: list[str] = []
        for folder, folders, names in os.walk(self.workspace):
            folders[:] = sorted(set(folders) - _NEVER_LISTED)
            below = Path(folder).relative_to(self.workspace)
            paths.extend((below / name).as_posix() for name in sorted(names))
            if len(paths) > _WALK_LIMIT:
                return Files(tuple(sorted(paths[:_WALK_LIMIT])), complete=False)
        return Files(tuple(sorted(paths)), complete=True)


def top_of(folder: Path) -> Path | None:
    """The folder of the repository that holds a resolved folder, or None."""
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), None)


def leads_into(file: Path, folder: Path) -> bool:
    """Whether a file lies in a folder once every symbolic link is followed, be it a broken one."""
    return Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder))


def _names(output: bytes | None) -> list[str]:
    return [os.fsdecode(name) for name in (output or b"").split(b"\0") if name]
