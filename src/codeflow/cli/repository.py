"""The little git that the terminal needs itself: what a folder holds, which commit and branch this is, and a fresh repository for the demo."""

import os
import subprocess
from pathlib import Path

from codeflow.core import inert_git
from codeflow.core.errors import CodeflowError
from codeflow.core.programs import program_outside

_AUTHOR = {
    "GIT_AUTHOR_NAME": "codeflow demo",
    "GIT_AUTHOR_EMAIL": "demo@codeflow.invalid",
    "GIT_COMMITTER_NAME": "codeflow demo",
    "GIT_COMMITTER_EMAIL": "demo@codeflow.invalid",
}


def head_commit(workspace: Path) -> str | None:
    """The commit that is checked out, or None outside a repository, before its first commit, and without git."""
    found = _git(workspace, "rev-parse", "--verify", "--quiet", "HEAD")
    return found.stdout.strip() if found and found.returncode == 0 else None


def commit_of(workspace: Path, name: str) -> str | None:
    """The commit that a branch, tag or expression names, if any."""
    found = _git(workspace, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return found.stdout.strip() if found and found.returncode == 0 else None


def prefix(workspace: Path) -> str | None:
    """Where the folder is in its work tree, such as `src/app/`, empty at the top; None where git has no work tree."""
    found = _git(workspace, "rev-parse", "--is-inside-work-tree", "--show-prefix")
    if found is None or found.returncode or not found.stdout.startswith("true\n"):
        return None
    return found.stdout.removeprefix("true\n").removesuffix("\n")


def committed_lines(workspace: Path, commit: str, name: str) -> list[str] | None:
    """The lines of a file as a commit has it, named from the workspace; None where it has none."""
    shown = _git(workspace, "cat-file", "blob", f"{commit}:./{name}")
    return shown.stdout.splitlines() if shown and shown.returncode == 0 else None


def project_files(workspace: Path) -> list[str]:
    """The files that git does not ignore; outside a repository, none."""
    listed = _git(workspace, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return [path for path in listed.stdout.split("\0") if path] if listed else []


def branch(workspace: Path) -> str:
    """The branch that is checked out; empty where there is none."""
    found = _git(workspace, "symbolic-ref", "--quiet", "--short", "HEAD")
    return found.stdout.strip() if found else ""


def start_repository(folder: Path) -> None:
    """Make the folder a git repository with everything in it committed.

    Raises:
        CodeflowError: when there is no git, or it fails.
    """
    for arguments in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all"),
        ("-c", "commit.gpgsign=false", "commit", "--quiet", "--no-verify", "--message=Start"),
    ):
        done = _git(folder, *arguments)
        if done is None:
            raise CodeflowError("git was not found", hint="Install git: this needs a repository.")
        if done.returncode:
            message = f"git {' '.join(arguments)} failed: {done.stderr.strip()}"
            raise CodeflowError(message, hint="`codeflow doctor` checks the tools.")


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    """None when git is not installed."""
    git = program_outside("git", folder)
    if git is None:
        return None
    command = [git, "-C", str(folder), *inert_git.OPTIONS, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, env=os.environ | _AUTHOR
    )
