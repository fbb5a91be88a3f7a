"""Drives an engine on a loop of its own, and ends the process when somebody interrupts it."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from codeflow.cli.faults import CRASH_HINT, CrashError
from codeflow.core.events import Event, ModelCalled, RunFinished
from codeflow.core.ports import Emit
from codeflow.core.results import RunResult
from codeflow.core.values import EXIT_CODES, Status

if TYPE_CHECKING:
    from codeflow.orchestration.engine import Engine

T = TypeVar("T")

Interrupts = Callable[[Callable[[], object]], AbstractContextManager[None]]
"""While it is entered, whoever may interrupt the work can: by calling what it was given."""

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_THREADS = 64
"""An abandoned model call keeps its thread until the connection times out; the default, 6 on 2 cores, runs out."""
_CUT_SHORT = frozenset({Status.INTERRUPTED, Status.STOPPED})
_SHOW_CURSOR = b"\x1b[?25h\n"


@contextmanager
def signals(cancel: Callable[[], object]) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP cancel, a second one ends the process at once.

    Plain signal handlers, because a loop's own do not run while a callback keeps the loop busy.
    """
    interrupted = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            if os.isatty(2):
                os.write(2, _SHOW_CURSOR)
            os._exit(EXIT_CODES[Status.INTERRUPTED])
        interrupted = True
        cancel()

    before = {number: signal.signal(number, handle) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def drive(engine: "Engine", consumers: Sequence[Emit], interrupts: Interrupts = signals) -> RunResult:
    """Run the engine's task until it ends or is interrupted.

    Raises:
        KeyboardInterrupt: when it was interrupted before there was anything to tell.
        CrashError: when a fault inside codeflow ended the run.
    """
    with _loop() as loop:
        result = loop.run_until_complete(_supervised(engine, consumers, interrupts))
        if result.status not in _CUT_SHORT:
            loop.run_until_complete(loop.shutdown_asyncgens())
    return result


def run_on_loop(work: Coroutine[Any, Any, T]) -> T:
    """The result of several runs; signals cancel the work, which ends them, and a second one ends the process at once.

    Threads that still wait for a model are not waited for: see `InFlight`.

    Raises:
        KeyboardInterrupt: when it was interrupted and had no result.
    """
    with _loop() as loop:
        return loop.run_until_complete(_interruptible(work))


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop with enough threads; what was cancelled on it was interrupted."""
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, "worker"))
    try:
        yield loop
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        loop.close()


def run_interruptibly(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine; SIGINT, SIGTERM and SIGHUP cancel it, a second one ends the process at once.

    Raises:
        KeyboardInterrupt: when it was interrupted.
    """
    try:
        return asyncio.run(_interruptible(work))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


class InFlight:
    """A consumer that knows whether threads may still wait for a model."""

    def __init__(self) -> None:
        self.possible = False

    def __call__(self, event: Event) -> None:
        match event:
            case ModelCalled(outcome="cancelled" | "timeout"):
                self.possible = True
            case RunFinished(result=result) if result.status in _CUT_SHORT:
                self.possible = True
            case _:
                pass


class Shield:
    """A consumer whose reader may go away: it falls silent, and the run and its session go on."""

    def __init__(self, inner: Emit) -> None:
        self._inner = inner
        self.broken: OSError | ValueError | None = None

    def __call__(self, event: Event) -> None:
        if self.broken:
            return
        try:
            self._inner(event)
        except (OSError, ValueError) as error:  # ValueError: a closed file, or text no codec can write
            self.broken = error


async def _supervised(engine: "Engine", consumers: Sequence[Emit], interrupts: Interrupts) -> RunResult:
    finished: list[Event] = []

    def remember(event: Event) -> None:
        if isinstance(event, RunFinished):
            finished.append(event)

    run = asyncio.ensure_future(engine.run([*consumers, remember]))
    await _until_done(run, interrupts)
    error = run.exception()
    if error and finished:
        raise CrashError(f"{type(error).__name__}: {error}", hint=CRASH_HINT) from error
    return run.result()


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    running = asyncio.ensure_future(work)
    await _until_done(running, signals)
    return running.result()


async def _until_done(running: "asyncio.Future[Any]", interrupts: Interrupts) -> None:
    """Waits for it; an interrupt cancels it."""
    loop = asyncio.get_running_loop()
    with interrupts(lambda: loop.call_soon_threadsafe(running.cancel)):
        await asyncio.wait([running])
