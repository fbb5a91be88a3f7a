import os
import pty
import subprocess
import sys

import pytest

ASK = """
import asyncio
from contextlib import nullcontext
from codeflow.cli.approval import TerminalApproval, can_ask
from codeflow.core.values import Question

async def ask():
    approve = TerminalApproval(nullcontext)
    asked = [
        Question(tool="run_command", summary=c, reason="not listed as safe", preview="line 1\\n\\x1b[2Kline 2")
        for c in ("rm \\x1b[2Kx", "ls")
    ]
    answers = await asyncio.gather(*map(approve, asked), return_exceptions=True)
    return [type(answer).__name__ if isinstance(answer, Exception) else answer is None for answer in answers]

assert can_ask()
print(asyncio.run(ask()))
"""


@pytest.mark.parametrize(
    ("typed", "allowed"),
    [(b"y\nYES\n", "[True, True]"), (b"n\ny\n", "[False, True]"), (b"\nyep\nn\nno\n", "[False, False]")],
)
def test_only_a_clear_yes_allows_a_call_and_calls_are_asked_for_in_turn(typed, allowed):
    person, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ASK], stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, text=True
    )
    os.close(terminal)
    os.write(person, typed)
    out, _ = process.communicate(timeout=30)
    shown = os.read(person, 10_000).decode()
    os.close(person)
    assert out.strip() == allowed
    assert r"run_command wants: rm \x1b[2Kx" in shown
    assert r"  | \x1b[2Kline 2" in shown
    assert "why asked: not listed as safe" in shown


def test_an_end_of_input_pauses_the_run():
    person, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ASK], stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, text=True
    )
    os.close(terminal)
    os.write(person, b"\x04\x04")
    out, _ = process.communicate(timeout=30)
    os.close(person)
    assert out.strip() == "['PausedError', 'PausedError']"


def test_without_a_terminal_nobody_is_asked():
    script = "from codeflow.cli.approval import can_ask; print(can_ask())"
    done = subprocess.run(
        [sys.executable, "-c", script], input="", capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
