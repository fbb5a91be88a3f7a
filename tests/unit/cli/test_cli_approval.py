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
    return [refusal is None for refusal in await asyncio.gather(*map(approve, asked))]

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


def test_an_end_of_input_is_a_no():
    person, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ASK], stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, text=True
    )
    os.close(terminal)
    os.write(person, b"\x04\x04")
    out, _ = process.communicate(timeout=30)
    os.close(person)
    assert out.strip() == "[False, False]"


def test_without_a_terminal_nobody_is_asked():
    script = "from codeflow.cli.approval import can_ask; print(can_ask())"
    done = subprocess.run(
        [sys.executable, "-c", script], input="", capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
