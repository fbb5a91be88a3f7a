import subprocess
import sys

import pytest
from tests.person import Person

ASK = """
import asyncio
from contextlib import nullcontext
from codeflow.cli.approval import StandardInput, TerminalApproval, can_ask
from codeflow.core.values import Question

def told(answer):
    if isinstance(answer, Exception):
        return type(answer).__name__
    return answer.refusal or str(answer.reach)

async def ask():
    approve = TerminalApproval(StandardInput(nullcontext))
    asked = [
        Question(tool="run_command", summary=c, reason="not listed as safe", preview="line 1\\n\\x1b[2Kline 2", offer=o)
        for c, o in (("rm \\x1b[2Kx", ""), ("git push", "run_command(git push \\x1b[2K)"))
    ]
    answers = await asyncio.gather(*map(approve, asked), return_exceptions=True)
    return [told(answer) for answer in answers]

assert can_ask()
print(asyncio.run(ask()))
"""


@pytest.mark.parametrize(
    ("typed", "answers"),
    [
        (b"y\nYES\n", ["once", "once"]),
        (b"n\ny\n", ["the user said no", "once"]),
        (b"\nyep\nn\nno\n", ["the user said no", "the user said no"]),
        (b"s\na\nalways\nn, use make\ns\n", ["the user said no: use make", "session"]),
        (b"y\nALWAYS\n", ["once", "always"]),
        (b"yes please\nno way\na b\ny\n", ["the user said no: way", "once"]),
    ],
)
def test_only_a_clear_answer_counts_and_calls_are_asked_for_in_turn(typed, answers):
    with Person(typed) as person:
        done = subprocess.run(
            [sys.executable, "-c", ASK],
            stdin=person.terminal, stdout=subprocess.PIPE, stderr=person.terminal, timeout=30, check=False, text=True,
        )  # fmt: skip
    shown = person.shown
    assert done.stdout.strip() == str(answers)
    assert r"run_command wants: rm \x1b[2Kx" in shown
    assert r"  | \x1b[2Kline 2" in shown
    assert "why asked: not listed as safe" in shown
    assert r"allow: run_command(git push \x1b[2K)" in shown
    assert shown.count("[a]lways in this folder") == 1


def test_an_end_of_input_pauses_the_run():
    with Person(b"\x04\n\x04\n") as person:
        done = subprocess.run(
            [sys.executable, "-c", ASK],
            stdin=person.terminal, stdout=subprocess.PIPE, stderr=person.terminal, timeout=30, check=False, text=True,
        )  # fmt: skip
    assert done.stdout.strip() == "['PausedError', 'PausedError']"


def test_without_a_terminal_nobody_is_asked():
    script = "from codeflow.cli.approval import can_ask; print(can_ask())"
    done = subprocess.run(
        [sys.executable, "-c", script], input="", capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
