"""A terminal that types and shows, in the place of a person at one."""

import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import pexpect
import pyte
from tests.e2e.harness import CODEFLOW
from typing_extensions import override


class _Screen(pyte.HistoryScreen):
    """Answers what a program asks its terminal, such as where the cursor is."""

    def __init__(self, columns: int, answer: Callable[[str], object]) -> None:
        super().__init__(columns, 40, history=5_000)
        self._answer = answer

    @override
    def write_process_input(self, data: str) -> None:
        self._answer(data)


class Terminal:
    """`codeflow` on a pseudo-terminal of its own."""

    def __init__(self, folder: Path, env: Mapping[str, str], *arguments: str, columns: int = 100) -> None:
        self._screen = _Screen(columns, self.type)
        self._stream = pyte.Stream(self._screen)
        self._child = pexpect.spawn(
            CODEFLOW,
            [*arguments],
            cwd=str(folder),
            env={"TERM": "xterm-256color", **env},
            dimensions=(40, columns),
            encoding="utf-8",
        )
        self.received = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close(force=True)

    @property
    def shown(self) -> str:
        """What stands on the screen."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def wait_for(self, text: str, patience_s: float = 60) -> str:
        """What stands on the screen once it holds a text.

        Raises:
            AssertionError: when it never does.
        """
        self._wait_until(lambda: text in self.shown, repr(text), patience_s)
        return self.shown

    def wait_for_end(self, patience_s: float = 60) -> int | None:
        """The exit code; None when a signal ended it."""
        end = time.monotonic() + patience_s
        while self._read():
            assert time.monotonic() < end, f"no end:\n{self.shown}"
        self._child.wait()
        code: int | None = self._child.exitstatus
        return code

    def type(self, text: str) -> None:
        """Press these keys."""
        self._child.send(text)

    def enter(self, line: str) -> None:
        """Type a line, once the last one has been dealt with, and send it."""
        self.wait_for_prompt()
        self.type(line)
        self._wait_until(lambda: not self._is_at_prompt(), f"{line!r}", 60)
        self.type("\r")

    def wait_for_prompt(self, patience_s: float = 60) -> None:
        """Until a new, empty line can be typed."""
        self._wait_until(self._is_at_prompt, "prompt", patience_s)

    def paste(self, text: str) -> None:
        """Paste as terminals do."""
        self.type(f"\x1b[200~{text}\x1b[201~")

    def terminate(self) -> None:
        """As when the machine shuts down."""
        self._child.kill(signal.SIGTERM)

    def hang_up(self, patience_s: float = 30) -> None:
        """Close the window.

        Raises:
            AssertionError: when the process lives on.
        """
        self._child.ptyproc.fileobj.close()  # type: ignore[attr-defined]  # the stubs leave it out
        end = time.monotonic() + patience_s
        while self._child.isalive():
            assert time.monotonic() < end, "it lives on"
            time.sleep(0.05)

    def kill(self) -> None:
        """As when the machine loses its power."""
        self._child.kill(signal.SIGKILL)

    def resize(self, columns: int) -> None:
        self._child.setwinsize(40, columns)
        self._screen.resize(columns=columns)

    def _wait_until(self, holds: Callable[[], bool], what: str, patience_s: float) -> None:
        end = time.monotonic() + patience_s
        while not holds():
            assert time.monotonic() < end, f"no {what} in:\n{self.shown}"
            assert self._read(), f"ended without {what}:\n{self.shown}"

    def _is_at_prompt(self) -> bool:
        row = self._screen.cursor.y
        return self._screen.display[row].rstrip() == ">" and self._screen.cursor.x == len("> ")

    def _read(self) -> bool:
        """Take in what has come; whether more may come."""
        try:
            data = self._child.read_nonblocking(65_536, 0.05)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.received += data
        self._stream.feed(data)
        return True
