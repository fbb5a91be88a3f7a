"""The installed command in a subprocess, a real repository, and the wire as the only fake."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codeflow.models.catalogue import Catalogue
from codeflow.models.endpoint import Endpoint, environment, rules_from

RULES = rules_from(Catalogue.load())

ROUTER = {
    "agent": "router",
    "say": '{"complexity": "SIMPLE", "kind": "bugfix", "confidence": 0.9, "reason": "one failing test"}',
}
CODEFLOW = str(Path(sys.executable).with_name("codeflow"))
"""The installed script: `python -m codeflow` would put the tested project itself on Python's path."""

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
REPAIR: list[dict[str, Any]] = [ROUTER, READ, EDIT, SAID]


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
    patience_s: float = 100

    def __call__(self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Finished:
        done = subprocess.run(
            [CODEFLOW, *arguments],
            cwd=self.project,
            env={**self.env, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=self.patience_s,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def at(self, folder: Path) -> "Shell":
        """The same user in another folder."""
        return replace(self, project=folder)

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
