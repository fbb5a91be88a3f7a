"""Carries a course out: what is ready begins, side by side, as soon as what it waits for has ended."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from codeflow.orchestration.workflows.course import Course

T = TypeVar("T")


async def follow(
    course: Course,
    begin: Callable[[str, int], Coroutine[Any, Any, T]],
    settle: Callable[[str, T], None],
    *,
    stopped: Callable[[], bool],
) -> None:
    """Walk a course: begin every node that is ready, with how many times it has, side by side, until none is left.

    `settle` takes what came of a node and has to settle it in the course. Once `stopped`, none begins any more. When
    this is cancelled or something is raised, those at work are cancelled, and have ended when it returns.
    """
    working: dict[asyncio.Task[T], str] = {}
    try:
        while True:
            for name in () if stopped() else course.ready():
                visit = course.start(name)
                working[asyncio.create_task(begin(name, visit))] = name
            if not working:
                return
            ended, _ = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(ended, key=list(working).index):
                settle(working.pop(task), task.result())
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
