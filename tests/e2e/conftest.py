"""The installed command in a subprocess, a real repository, and the wire as the only fake."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from codeflow.models.endpoint import Endpoint, environment, load

ROUTER = {
    "agent": "router",
    "say": '{"complexity": "SIMPLE", "kind": "bugfix", "confidence": 0.9, "reason": "one failing test"}',
}
BUG = "def add(a, b):\n    return a - b\n"
FIXED = "def add(a, b):\n    return a + b\n"
TEST = """import unittest

from calc import add


class AddTest(unittest.TestCase):
    def test_adds(self):
        self.assertEqual(add(2, 3), 5)
"""
READ = {"agent": "fast_coder", "call": [{"read_file": {"path": "calc.py"}}]}
EDIT = {
    "agent": "fast_coder",
    "call": [{"edit_file": {"path": "calc.py", "old_text": "a - b", "new_text": "a + b"}}],
}
SAID = {"agent": "fast_coder", "say": "add subtracted; it adds now (calc.py:2)."}
REPAIR = [ROUTER, READ, EDIT, SAID]


@dataclass(frozen=True)
class Finished:
    """A codeflow process that ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def result(self) -> Any:
        return json.loads(self.stdout)

    @property
    def events(self) -> list[Any]:
        return [json.loads(line) for line in self.stdout.splitlines()]


@dataclass(frozen=True)
class Shell:
    """Runs codeflow in a project, away from the developer's own settings and credentials."""

    project: Path
    env: Mapping[str, str]

    def __call__(self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Finished:
        done = subprocess.run(
            [sys.executable, "-m", "codeflow", *arguments],
            cwd=self.project,
            env={**self.env, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def run(
        self, endpoint: Endpoint, *arguments: str, stdin: str = "", task: str = "make the failing test pass"
    ):
        """One JSON run against an endpoint."""
        return self("run", task, "--output", "json", *arguments, stdin=stdin, env=environment(endpoint.url))


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def commit_all(folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "begin")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose one test fails."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "calc.py").write_text(BUG)
    (folder / "test_calc.py").write_text(TEST)
    (folder / ".gitignore").write_text("__pycache__/\n.pytest_cache/\n")
    commit_all(folder)
    return folder


@pytest.fixture
def shell(tmp_path: Path, project: Path) -> Shell:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    home = tmp_path / "home"
    home.mkdir()
    return Shell(
        project,
        {
            **kept,
            "HOME": str(home),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": "us-east-1",
        },
    )


@pytest.fixture
def scripted(tmp_path: Path):
    """An endpoint that answers with the given replies."""

    @contextmanager
    def serve(replies: Sequence[Mapping[str, Any]], **more: Any) -> Iterator[Endpoint]:
        path = tmp_path / "transcript.yaml"
        script = {"codeflow_transcript": 1, "task": "make the failing test pass", "replies": list(replies)}
        path.write_text(yaml.safe_dump({**script, **more}, sort_keys=False))
        with Endpoint(load(path)) as endpoint:
            yield endpoint
        assert endpoint.violations == []

    return serve
