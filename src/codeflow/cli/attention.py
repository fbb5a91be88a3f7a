"""Calls a person back to the terminal when a long run needs them or has ended, and names the run in the window's title."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

from codeflow.cli.render.clean import one_line
from codeflow.core.events import Event, RunFinished
from codeflow.core.programs import program_outside
from codeflow.core.ui import UiSettings

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")

_BELL = "\a"
_SAVE_TITLE, _RESTORE_TITLE = "\x1b[22;0t", "\x1b[23;0t"
_TITLE_CHARS = 60
_PATIENCE_S = 3.0
_MAC = (
    "-e",
    "on run argv",
    "-e",
    'display notification (item 1 of argv) with title "codeflow"',
    "-e",
    "end run",
)


class Attention:
    """A consumer of a run's events, which also stands between the run and the person whom it asks."""

    def __init__(self, settings: UiSettings, task: str, folder: Path) -> None:
        """Programs in `folder`, where agents work, are never started."""
        self._settings = settings
        self._task = one_line(task, _TITLE_CHARS)
        self._folder = folder
        self._since = time.monotonic()

    @contextlib.contextmanager
    def titled(self) -> Iterator[None]:
        """The task in the window's title, and the old title afterwards."""
        if not (self._settings.title and takes_sequences()):
            yield
            return
        _send(f"{_SAVE_TITLE}\x1b]0;codeflow: {self._task}\a")
        try:
            yield
        finally:
            _send(_RESTORE_TITLE)

    def asking(self, ask: Callable[[_Asked], Awaitable[_Answer]]) -> Callable[[_Asked], Awaitable[_Answer]]:
        """The same question, for which the person is called; the time counts anew from their answer."""

        async def called(question: _Asked) -> _Answer:
            self._call("needs an answer")
            try:
                return await ask(question)
            finally:
                self._since = time.monotonic()

        return called

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunFinished):
            self._call(event.result.status.value)

    def _call(self, what: str) -> None:
        """Nobody is called who has just been here."""
        settings = self._settings
        long = time.monotonic() - self._since >= settings.notify_after_s
        if settings.notify == "off" or not long or not sys.stderr.isatty():
            return
        text = f"{what}: {self._task}"
        if settings.notify == "desktop":
            if not _shown_on_desktop(text, self._folder):
                _send(_BELL)
        elif settings.notify == "bell" or not takes_sequences():
            _send(_BELL)
        elif settings.notify == "osc9":
            _send(f"\x1b]9;codeflow {text}\a")
        else:
            _send(f"\x1b]777;notify;codeflow;{text.replace(';', ',')}\a")


def takes_sequences() -> bool:
    """Whether stderr is a terminal that hides what it does not understand, and nobody asked for plain text."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") in ("dumb", "")
    return sys.stderr.isatty() and not plain


def _send(sequence: str) -> None:
    """In one piece and past every buffer, so that it stands inside nothing else."""
    with contextlib.suppress(OSError):  # a window that was closed needs neither a title nor a bell
        sys.stderr.flush()
        os.write(sys.stderr.fileno(), sequence.encode(errors="replace"))


def _shown_on_desktop(text: str, folder: Path) -> bool:
    name = "osascript" if sys.platform == "darwin" else "notify-send"
    program = program_outside(name, folder)
    if program is None:
        return False
    arguments = [*_MAC, text] if sys.platform == "darwin" else ["--app-name=codeflow", "--", "codeflow", text]
    try:
        done = subprocess.run([program, *arguments], capture_output=True, timeout=_PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
