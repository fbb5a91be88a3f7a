"""All test runners, and which of them a command calls."""

import re
from pathlib import Path

from codeflow.tools.project_scripts import package_scripts
from codeflow.tools.testing.compiled import CARGO, GO, GRADLE, MAVEN
from codeflow.tools.testing.javascript import JEST, NODE, VITEST
from codeflow.tools.testing.python import PYTEST, UNITTEST
from codeflow.tools.testing.runner import Runner

_RUNNERS = (VITEST, JEST, NODE, PYTEST, UNITTEST, GO, CARGO, MAVEN, GRADLE)
_SCRIPT = re.compile(r"\b(?:npm|pnpm|yarn|bun)(?: run)? (?P<name>[\w:-]+)")


def find_runner(command: str, root: Path) -> Runner | None:
    """The runner behind a test command, also behind a package's script."""
    script = _SCRIPT.search(command)
    body = package_scripts(root).get(script["name"], "") if script else ""
    return next((runner for runner in _RUNNERS if runner.pattern.search(body or command)), None)
