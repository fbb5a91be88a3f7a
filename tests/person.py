"""Somebody at a terminal who answers questions: a line of theirs for each, and none before it was asked."""

import contextlib
import os
import pty
import threading
from typing import Self

_ASKED = (b": ", b"]:")
"""How a question ends; nothing else that is shown ends a piece of it so."""


class Person:
    """`terminal` is what a process gets for its stdin and stderr."""

    def __init__(self, typed: bytes) -> None:
        """`typed`: the answers, a line each; the end of the input for a lone Ctrl-D."""
        self._lines = typed.splitlines(keepends=True)
        self._side, self.terminal = pty.openpty()
        self._shown = b""
        self._watching = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.terminal)
        self._watching.join(30)
        os.close(self._side)

    @property
    def shown(self) -> str:
        """All that was shown, once the process has ended."""
        return self._shown.decode()

    def _watch(self) -> None:
        with contextlib.suppress(OSError):  # how Linux says that nobody holds the other side
            while piece := os.read(self._side, 65_536):
                self._shown += piece
                if piece.endswith(_ASKED) and self._lines:
                    os.write(self._side, self._lines.pop(0))
