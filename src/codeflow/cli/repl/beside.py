"""A run on a thread of its own, beside the line on which the person goes on typing."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from codeflow.cli.leaving import AbandonedCalls
from codeflow.cli.repl.line import Line

if TYPE_CHECKING:
    from codeflow.cli.execute import Front
    from codeflow.core.events import Event

_PAUSE_S = 0.5
"""A question takes the line once nothing has been typed for so long: what was meant for the line answers nothing."""
_SHOWN_S = 0.3
"""What is printed beside a line stands there after so long: prompt_toolkit bundles it for 0.2 s."""
_SECOND = 1.0


class Beside:
    """At most one run at a time."""

    def __init__(self, line: Line, over: Callable[[], None]) -> None:
        """`over` is told when a run has ended, on its thread."""
        self._line = line
        self._tell_over = over
        self._over = threading.Event()
        self._over.set()
        self._begun_at = 0.0
        self._now = ""
        self._cancel: Callable[[], object] | None = None
        self._was_interrupted = False
        self._said: deque[str] = deque()
        self._handed_over: deque[str] = deque()
        """What was said and the run has taken, as it was said."""
        self._spoken: dict[str, str] = {}
        """What the run has written down and nobody has been told, by its ids."""
        self.abandoned = False
        """Whether threads may still wait for a model."""

    @property
    def is_busy(self) -> bool:
        return not self._over.is_set()

    @property
    def now(self) -> str:
        """What the run does at the moment, for people; "" where there is none."""
        if not self.is_busy:
            return ""
        doing = "stopping; Ctrl-C again leaves at once" if self._was_interrupted else self._now
        return f"{int(time.monotonic() - self._begun_at)} s · {doing}"

    def begin(self, work: "Callable[[Front], int]") -> None:
        """Start a run."""
        self._over.clear()
        self._begun_at = time.monotonic()
        self._now = "starting"
        self._was_interrupted = False
        threading.Thread(target=self._do, args=[work], daemon=True, name="run").start()
        threading.Thread(target=self._tick, daemon=True, name="clock").start()

    def interrupt(self) -> bool:
        """Stop the run; False where none is going on or it has been told before."""
        if not self.is_busy or self._was_interrupted:
            return False
        self._was_interrupted = True
        if self._cancel:
            self._cancel()
        self._line.redraw()
        return True

    def say(self, text: str) -> None:
        """To whoever works; what nobody has heard at the end is left to `unheard`."""
        self._said.append(text)

    def unheard(self) -> list[str]:
        """What was said and nobody has been told; once."""
        said = [*self._spoken.values(), *self._handed_over, *self._said]
        self._spoken.clear()
        self._handed_over.clear()
        self._said.clear()
        return said

    @property
    def waiting(self) -> int:
        """How much of what was said is still to be heard."""
        return len(self._spoken) + len(self._handed_over) + len(self._said)

    def wait(self, patience_s: float) -> bool:
        """Whether the run is over, at the latest after so many seconds."""
        return self._over.wait(patience_s)

    def show(self, text: str) -> None:
        """What the run does now; the line shows it."""
        if text != self._now:
            self._now = text
            self._line.redraw()

    def stop(self) -> None:
        """Nothing more is to be shown of the run."""
        self.show("ending")

    @contextmanager
    def turn(self) -> Iterator[None]:
        yield

    async def line(self, prompt: str) -> str:
        """An answer typed in the place of the line, once what is asked stands there and the person pauses."""
        await asyncio.sleep(_SHOWN_S)
        while (left := _PAUSE_S - self._line.quiet_for()) > 0:  # noqa: ASYNC110 - it is the clock that is waited for
            await asyncio.sleep(left)
        self.show("waiting for your answer")
        return await asyncio.wrap_future(self._line.ask(prompt))

    def _hand_over(self) -> list[str]:
        said = [self._said.popleft() for _ in range(len(self._said))]
        self._handed_over.extend(said)
        return said

    def _watch(self, event: "Event") -> None:
        from codeflow.core.events import MessageAdded
        from codeflow.core.messages import UserHeard, UserSpoke

        match event:
            case UserSpoke() if self._handed_over:
                self._spoken[event.message_id] = self._handed_over.popleft()
            case MessageAdded(mail=ids) | UserHeard(mail=ids):
                for message_id in ids:
                    self._spoken.pop(message_id, None)
                self._line.redraw()
            case _:
                pass

    @contextmanager
    def _interrupts(self, cancel: Callable[[], object]) -> Iterator[None]:
        self._cancel = cancel
        if self._was_interrupted:
            cancel()
        try:
            yield
        finally:
            self._cancel = None

    def _do(self, work: "Callable[[Front], int]") -> None:
        from codeflow.cli.approval import TerminalApproval
        from codeflow.cli.execute import Front
        from codeflow.cli.faults import report

        try:
            front = Front(
                status=self,
                person=TerminalApproval(self),
                interrupts=self._interrupts,
                hear=self._hand_over,
                watch=self._watch,
            )
            work(front)
        except AbandonedCalls:
            self.abandoned = True
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a fault ends what was asked for, not the talk
            self.abandoned = True  # how far its threads are, nobody knows
            with suppress(OSError):  # the terminal is gone
                report(error, [])
        finally:
            self._over.set()
            self._tell_over()

    def _tick(self) -> None:
        """The line tells the seconds that have passed."""
        while not self._over.wait(_SECOND):
            self._line.redraw()
