"""Asks the person at the terminal whether a tool call may go ahead."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

from codeflow.cli.render.clean import visible

_YES = {"y", "yes"}


class TerminalApproval:
    """One question at a time on stderr, answered by a line on stdin; anything but yes is no."""

    def __init__(self, quiet_terminal: Callable[[], AbstractContextManager[None]]) -> None:
        self._quiet_terminal = quiet_terminal
        self._turn = asyncio.Lock()

    async def __call__(self, tool: str, summary: str, reason: str) -> bool:
        async with self._turn:
            with self._quiet_terminal():
                sys.stderr.write(
                    f"{visible(tool)} wants: {visible(summary)}\n  why asked: {visible(reason)}\n"
                )
                sys.stderr.write("  allow it? [y]es / [n]o: ")
                sys.stderr.flush()
                answer = await _read_line()
        return answer.strip().lower() in _YES


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
