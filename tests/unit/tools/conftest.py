import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from codeflow.core.settings import ToolSettings, load_settings
from codeflow.tools.sandbox.choosing import choose
from codeflow.tools.workspace import Workspace

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    return {"PATH": os.environ["PATH"], "HOME": str(home), **IDENTITY}


@pytest.fixture
def make_workspace(tmp_path: Path, env: dict[str, str]) -> Iterator[Callable[..., Workspace]]:
    made: list[Workspace] = []

    def make(
        *,
        timeout_s: float = 20,
        limit: int = 20_000,
        lines: int = 800,
        tests: str = "auto",
        memory_mb: int | Literal["auto"] = "auto",
    ) -> Workspace:
        root = tmp_path / "work"
        root.mkdir(exist_ok=True)
        settings = ToolSettings(
            command_timeout_s=timeout_s,
            command_memory_mb=memory_mb,
            output_limit_chars=limit,
            read_limit_lines=lines,
        )
        sandbox = choose(load_settings(root, env={}).sandbox, root.resolve(), env).sandbox
        made.append(Workspace(root, settings, env, tests=tests, sandbox=sandbox))
        return made[-1]

    yield make
    for workspace in made:
        workspace.runs.close()


@pytest.fixture
def ws(make_workspace: Callable[..., Workspace]) -> Workspace:
    return make_workspace()


@pytest.fixture
def git(ws: Workspace, env: dict[str, str]) -> Callable[..., str]:
    """Runs git in the workspace, which becomes a repository."""
    program = shutil.which("git") or "git"

    def run(*arguments: str) -> str:
        return subprocess.run(
            [program, *arguments], cwd=ws.root, env=env, check=True, capture_output=True, text=True
        ).stdout

    run("init", "--quiet", "--initial-branch=main")
    return run
