"""Another codeflow, which has the agents and not the forge's token."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from codeflow.cli.ci.job import without_the_job

_NOBODY_IS_HERE = {"CODEFLOW_RUN__UNATTENDED": "deny", "CODEFLOW_MEMORY__ENABLED": "false"}
"""What would be asked is refused; what a stranger's words lead to is not kept for later runs."""
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_codeflow(arguments: Sequence[str], folder: Path, env: Mapping[str, str]) -> tuple[int, str]:
    """Run a command line with `folder` as the current one; its exit code and what it printed on stdout.

    Signals are passed on, and what it writes to stderr goes into the job's log, where it gives no commands.
    """
    # -P: a module of the checked-out project must not take the place of one of ours
    command = [sys.executable, "-P", "-m", "codeflow", *arguments]
    with _quoted_log():
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=without_the_job(env) | _NOBODY_IS_HERE,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        with _passing_signals_to(child):
            printed, _ = child.communicate()
    code = child.returncode
    return (code if code >= 0 else 128 - code), printed


@contextmanager
def _quoted_log() -> Iterator[None]:
    """In a job of GitHub's, `::commands::` in the log do nothing until a word that nobody can guess."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        yield
        return
    word = secrets.token_hex(16)
    print(f"::stop-commands::{word}", flush=True)
    try:
        yield
    finally:
        sys.stderr.flush()
        print(f"::{word}::", flush=True)


@contextmanager
def _passing_signals_to(child: subprocess.Popen[str]) -> Iterator[None]:
    """The child ends its run in order, and this process goes on to tell about it."""

    def handle(number: int, _frame: FrameType | None) -> None:
        if child.poll() is None:
            child.send_signal(number)

    before = {number: signal.signal(number, handle) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
