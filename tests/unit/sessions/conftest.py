"""Real git repositories, made without the tester's own configuration."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Runs git in `tmp_path/repo`, which is a repository."""
    repository = tmp_path / "repo"
    repository.mkdir()
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    identity = {
        f"GIT_{who}_{what}": f"tester{'@localhost' if what == 'EMAIL' else ''}"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }

    def run(*arguments: str, cwd: Path = repository) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=cwd,
            env=os.environ | identity,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    run("init", "--quiet", "--initial-branch=main")
    return run


@pytest.fixture
def repo(tmp_path: Path, git: Git) -> Path:
    return tmp_path / "repo"
