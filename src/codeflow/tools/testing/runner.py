"""What is known of one test runner: how to aim it, how to make it report, how to read the report."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codeflow.tools.testing.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A run of tests to read a report from."""

    root: Path
    report: str | None
    """What the runner has left where it was told to report; None: nothing."""
    output: str
    """What it printed, at most some megabytes of it."""
    started: float
    """Seconds since the epoch; older files belong to an earlier run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A shell line with the variables it needs beside the project's own."""

    command: str
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """One test runner; commands are recognised by `pattern`."""

    name: str
    pattern: re.Pattern[str]
    aim: Callable[[str, Sequence[str], Path], str]
    """(command, targets, root) -> the command that runs only these; a Mistake when it cannot."""
    reporting: Callable[[Line, Path], Line]
    """(line, report file) -> the line that reports there."""
    read: Callable[[Ran], Report | None]
    """None when it did not report."""
    always_reports: bool = False
    """Whether a run that got to its end has certainly reported; with the others, no report proves nothing."""
    told_by_environment: bool = False
    """Whether it reports from within any shell line; the others need the line itself to be changed."""
    shown: Callable[[str], str] | None = None
    """Turns its output into what it prints to people, where reporting makes it print something else."""
