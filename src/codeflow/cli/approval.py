"""Asks the person at the terminal: whether a tool call, or calls like it, may go ahead, and how to go on after a failure."""

import asyncio
import contextlib
import sys
import termios
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from codeflow.cli.render.clean import visible
from codeflow.core.errors import PausedError
from codeflow.core.permissions import Answer, Reach
from codeflow.core.values import Choice, FailedVisit, Question

Ask = Callable[[Question], Awaitable[Answer]]

_YES = {"y": Reach.ONCE, "yes": Reach.ONCE}
_LASTING = {"s": Reach.SESSION, "session": Reach.SESSION, "a": Reach.ALWAYS, "always": Reach.ALWAYS}
_NO = {"n", "no"}
_PREVIEW_LINES = 60


class Counter(Protocol):
    """Where a person is asked and answers; what is asked about stands on stderr before."""

    def turn(self) -> AbstractContextManager[None]:
        """The person, for one question."""
        ...

    async def line(self, prompt: str) -> str:
        """What they type; "" at the end of the input, when nobody is here any more."""
        ...


class StandardInput:
    """The terminal itself, while nothing else is drawn on it."""

    def __init__(self, quiet_terminal: Callable[[], AbstractContextManager[None]]) -> None:
        self._quiet_terminal = quiet_terminal
        self._was_asked = False

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        with self._quiet_terminal():
            self._was_asked = False
            yield

    async def line(self, prompt: str) -> str:
        """What was typed before the question was there does not answer it."""
        if not self._was_asked:
            _forget_typed_ahead()
            self._was_asked = True
        sys.stderr.write(prompt)
        sys.stderr.flush()
        return await _read_line()


class TerminalApproval:
    """One question at a time."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._turn = asyncio.Lock()
        self._whose = ""

    def of(self, run: str) -> "TerminalApproval":
        """The same person, asked by one of several runs, which is named."""
        other = TerminalApproval(self._counter)
        other._turn, other._whose = self._turn, f"{run}: "
        return other

    async def __call__(self, question: Question) -> Answer:
        async with self._turn:
            with self._counter.turn():
                _tell(f"{self._whose}{visible(question.tool)} wants: {visible(question.summary)}")
                for line in _shortened(question.preview):
                    _tell(f"  | {visible(line)}")
                _tell(f"  why asked: {visible(question.reason)}")
                answer = await self._answer(question.offer)
        if answer is None:
            raise PausedError(question)
        return answer

    async def decide(self, failed: FailedVisit) -> Choice:
        """How to go on; the end of the input stops the run."""
        async with self._turn:
            with self._counter.turn():
                _tell(f"{self._whose}{visible(failed.agent)} did not finish: {visible(failed.problem)}")
                if failed.hint:
                    _tell(f"  {visible(failed.hint)}")
                return await self._choice()

    async def _answer(self, offer: str) -> Answer | None:
        """What is no answer is asked for again; None at the end of the input, when nobody is here any more.

        `offer` is the rule that an answer may add, "" for none.
        """
        known = _YES | (_LASTING if offer else {})
        if offer:
            _tell(f"  [s]ession and [a]lways in this folder allow: {visible(offer)}")
        choices = "[y]es, once / [s]ession / [a]lways" if offer else "[y]es, once"
        while line := await self._counter.line(f"  allow it? {choices} / [n]o, or no and a reason: "):
            word, _, reason = line.strip().partition(" ")
            word = word.lower().rstrip(",:")
            if word in _NO:
                return Answer(f"the user said no: {reason.strip()}" if reason.strip() else "the user said no")
            if word in known and not reason:
                return Answer(reach=known[word])
            _tell("  that is no answer; nothing was done")
        return None

    async def _choice(self) -> Choice:
        named = {choice.value: choice for choice in Choice} | {choice.value[:2]: choice for choice in Choice}
        while line := await self._counter.line(
            "  go on how? [re]try it / [sk]ip it and check what there is / [st]op: "
        ):
            if choice := named.get(line.strip().lower()):
                return choice
            _tell("  that is no answer; nothing was done")
        return Choice.STOP


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


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


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
