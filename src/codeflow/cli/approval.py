"""Asks the person at the terminal: whether a tool call, or calls like it, may go ahead, and how to go on after a failure."""

import asyncio
import contextlib
import sys
import termios
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from codeflow.cli.render.clean import visible
from codeflow.core.errors import PausedError
from codeflow.core.permissions import Answer, Reach
from codeflow.core.values import Choice, FailedVisit, Question

Ask = Callable[[Question], Awaitable[Answer]]

_YES = {"y": Reach.ONCE, "yes": Reach.ONCE}
_LASTING = {"s": Reach.SESSION, "session": Reach.SESSION, "a": Reach.ALWAYS, "always": Reach.ALWAYS}
_NO = {"n", "no"}
_PREVIEW_LINES = 60


class TerminalApproval:
    """One question at a time on stderr, answered by a line on stdin."""

    def __init__(self, quiet_terminal: Callable[[], AbstractContextManager[None]]) -> None:
        self._quiet_terminal = quiet_terminal
        self._turn = asyncio.Lock()
        self._whose = ""

    def of(self, run: str) -> "TerminalApproval":
        """The same person, asked by one of several runs, which is named."""
        other = TerminalApproval(self._quiet_terminal)
        other._turn, other._whose = self._turn, f"{run}: "
        return other

    async def __call__(self, question: Question) -> Answer:
        async with self._turn:
            with self._quiet_terminal():
                sys.stderr.write(
                    f"{self._whose}{visible(question.tool)} wants: {visible(question.summary)}\n"
                )
                sys.stderr.write("".join(f"  | {visible(line)}\n" for line in _shortened(question.preview)))
                sys.stderr.write(f"  why asked: {visible(question.reason)}\n")
                _forget_typed_ahead()
                answer = await _answer(question.offer)
        if answer is None:
            raise PausedError(question)
        return answer

    async def decide(self, failed: FailedVisit) -> Choice:
        """How to go on; the end of the input stops the run."""
        async with self._turn:
            with self._quiet_terminal():
                sys.stderr.write(
                    f"{self._whose}{visible(failed.agent)} did not finish: {visible(failed.problem)}\n"
                )
                if failed.hint:
                    sys.stderr.write(f"  {visible(failed.hint)}\n")
                _forget_typed_ahead()
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

        async def answer(question: Question) -> Answer:
            if question in waiting:
                waiting.remove(question)
                return Answer(self.refusal)
            if others is None:
                raise PausedError(question)
            return await others(question)

        return answer


async def _answer(offer: str) -> Answer | None:
    """What is no answer is asked for again; None at the end of the input, when nobody is here any more.

    `offer` is the rule that an answer may add, "" for none.
    """
    known = _YES | (_LASTING if offer else {})
    if offer:
        sys.stderr.write(f"  [s]ession and [a]lways in this folder allow: {visible(offer)}\n")
    choices = "[y]es, once / [s]ession / [a]lways" if offer else "[y]es, once"
    while True:
        sys.stderr.write(f"  allow it? {choices} / [n]o, or no and a reason: ")
        sys.stderr.flush()
        line = await _read_line()
        if not line:
            return None
        word, _, reason = line.strip().partition(" ")
        word = word.lower().rstrip(",:")
        if word in _NO:
            return Answer(f"the user said no: {reason.strip()}" if reason.strip() else "the user said no")
        if word in known and not reason:
            return Answer(reach=known[word])


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


def _forget_typed_ahead() -> None:
    """What was typed before the question was there does not answer it."""
    with contextlib.suppress(OSError):
        termios.tcflush(sys.stdin, termios.TCIFLUSH)


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
