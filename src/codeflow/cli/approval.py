"""Asks the person at the terminal: whether a tool call may go ahead, and how to go on after a failure."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from codeflow.cli.render.clean import visible
from codeflow.core.errors import PausedError
from codeflow.core.values import Choice, FailedVisit, Question

Ask = Callable[[Question], Awaitable[str | None]]

_YES = {"y", "yes"}
_NO = {"n", "no"}
_PREVIEW_LINES = 60


class TerminalApproval:
    """One question at a time on stderr, answered by a line on stdin."""

    def __init__(self, quiet_terminal: Callable[[], AbstractContextManager[None]]) -> None:
        self._quiet_terminal = quiet_terminal
        self._turn = asyncio.Lock()

    async def __call__(self, question: Question) -> str | None:
        async with self._turn:
            with self._quiet_terminal():
                sys.stderr.write(f"{visible(question.tool)} wants: {visible(question.summary)}\n")
                sys.stderr.write("".join(f"  | {visible(line)}\n" for line in _shortened(question.preview)))
                sys.stderr.write(f"  why asked: {visible(question.reason)}\n")
                agreed = await _yes_or_no()
        if agreed is None:
            raise PausedError(question)
        return None if agreed else "the user said no"

    async def decide(self, failed: FailedVisit) -> Choice:
        """How to go on; the end of the input stops the run."""
        async with self._turn:
            with self._quiet_terminal():
                sys.stderr.write(f"{visible(failed.agent)} did not finish: {visible(failed.problem)}\n")
                if failed.hint:
                    sys.stderr.write(f"  {visible(failed.hint)}\n")
                return await _choice()


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer that was given on the command line to the question that a run paused at; good for once."""

    question: Question
    refusal: str | None
    """None agrees; else what the model is told."""

    def then(self, others: Ask | None) -> Ask:
        """Answers this question, once; `others` answers the rest, and without it they pause the run."""
        waiting = [self.question]

        async def answer(question: Question) -> str | None:
            if question in waiting:
                waiting.remove(question)
                return self.refusal
            if others is None:
                raise PausedError(question)
            return await others(question)

        return answer


async def _yes_or_no() -> bool | None:
    """An answer that is neither is asked for again; None at the end of the input, when nobody is here any more."""
    while True:
        sys.stderr.write("  allow it? [y]es / [n]o: ")
        sys.stderr.flush()
        line = await _read_line()
        answer = line.strip().lower()
        if not line:
            return None
        if answer in _NO:
            return False
        if answer in _YES:
            return True


async def _choice() -> Choice:
    named = {choice.value: choice for choice in Choice} | {choice.value[:2]: choice for choice in Choice}
    while True:
        sys.stderr.write("  go on how? [re]try it / [sk]ip it and check what there is / [st]op: ")
        sys.stderr.flush()
        line = await _read_line()
        if not line:
            return Choice.STOP
        if choice := named.get(line.strip().lower()):
            return choice


def _shortened(preview: str) -> list[str]:
    lines = preview.splitlines()
    left_out = len(lines) - _PREVIEW_LINES
    return [*lines[:_PREVIEW_LINES], *([f"… {left_out} more lines"] if left_out > 0 else [])]


def can_ask() -> bool:
    """Whether somebody can read the question and answer it."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


async def _read_line() -> str:
    """A line from the terminal, without blocking the loop and without a thread that outlives a Ctrl-C."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def ready() -> None:
        if not line.done():
            line.set_result(sys.stdin.readline())

    loop.add_reader(sys.stdin, ready)
    try:
        return await line
    finally:
        loop.remove_reader(sys.stdin)
