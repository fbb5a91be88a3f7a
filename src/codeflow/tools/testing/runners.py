"""All test runners, and which of them a command calls."""

import re
import shlex
from pathlib import Path

from codeflow.tools.project_scripts import package_scripts
from codeflow.tools.testing.compiled import CARGO, GO, GRADLE, MAVEN
from codeflow.tools.testing.javascript import JEST, NODE, VITEST
from codeflow.tools.testing.python import PYTEST, UNITTEST
from codeflow.tools.testing.runner import Runner

_RUNNERS = (VITEST, JEST, NODE, PYTEST, UNITTEST, GO, CARGO, MAVEN, GRADLE)
_SCRIPT = re.compile(r"\b(?:npm|pnpm|yarn|bun)(?: run)? (?P<name>[\w:-]+)")
_OPERATORS = frozenset("();<>|&")
_LAUNCHER = (
    r"(?:(?:uv|poetry|pdm|hatch|pipenv|coverage) run |npx |(?:pnpm|yarn|bun) (?:exec |x )?)?(?:-\S+ )*"
    r"(?:\S*python[\d.]* )?(?:-\S+ )*(?:\S*/)?"
)
"""What may stand before a runner without keeping it from reporting; not a container, another machine or make."""


def find_runner(command: str, root: Path) -> Runner | None:
    """The runner behind a test command, also behind a package's script."""
    script = _SCRIPT.search(command)
    body = package_scripts(root).get(script["name"], "") if script else ""
    return next((runner for runner in _RUNNERS if runner.pattern.search(body or command)), None)


def calls_directly(command: str, runner: Runner, root: Path) -> bool:
    """Whether a shell line, or the package's script that it runs, is one call of the runner and nothing else."""
    words = _simple_words(command)
    script = _SCRIPT.match(" ".join(words))
    if script and (body := package_scripts(root).get(script["name"], "")):
        words = _simple_words(body)
    return bool(re.match(_LAUNCHER + runner.pattern.pattern, " ".join(words)))


def _simple_words(line: str) -> list[str]:
    """The words of a simple command without the variables before it; none of anything longer."""
    lexer = shlex.shlex(line.strip(), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        return []
    if "\n" in line.strip() or any(word and _OPERATORS.issuperset(word) for word in words):
        return []
    while words and re.match(r"\w+=", words[0]):
        words.pop(0)
    return words
