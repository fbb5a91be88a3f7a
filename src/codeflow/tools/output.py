"""A command's output within bounds: the beginning and the end are kept, the middle is counted."""

import re
from collections.abc import Callable, Sequence

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # colours and cursor
    r"|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # titles and links
    r"|[ -/]*[0-~])"
)
_OVERWRITTEN = re.compile(r"^[^\n]*\r(?!\n)", re.MULTILINE)  # unanchored, a long line costs its square
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_UTF8_CONTINUATION = bytes(range(0x80, 0xC0))


class HeadTail:
    """Collects bytes of any amount in bounded memory; `text` is at most about `limit_chars` long."""

    def __init__(self, limit_chars: int, redact: Callable[[str], str] = str) -> None:
        """`redact` takes credentials out of a line before its overwritten beginning is."""
        self._redact = redact
        self._limit = limit_chars
        self._capacity = 4 * limit_chars
        self._head = bytearray()
        self._tail = bytearray()
        self._newlines = 0
        self.total_chars = 0
        """Characters collected, terminal escapes included."""

    def add(self, data: bytes) -> None:
        self._newlines += data.count(b"\n")
        self.total_chars += len(data.translate(None, _UTF8_CONTINUATION))
        room = self._capacity - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._capacity:
            self._forget()

    def text(self) -> str:
        """What was collected, without terminal escapes; a bracketed line stands where lines were left out."""
        half = self._limit // 2
        if len(self._tail) > self._capacity:
            self._forget()
            head, tail = (plain(bytes(part), self._redact) for part in (self._head, self._tail))
        else:
            whole = plain(bytes(self._head + self._tail), self._redact)
            if len(whole) <= self._limit:
                return whole
            head, tail = whole[:half], whole[half:]
        head, tail = _whole_lines(head[:half], tail[-half:])
        left_out = self._newlines - head.count("\n") - tail.count("\n")
        what = f"{left_out:,} lines" if left_out > 1 else "the middle of a long line"
        return f"{head.rstrip()}\n[... {what} left out ...]\n{tail}"

    def _forget(self) -> None:
        del self._tail[: -self._capacity]


def capped(lines: Sequence[str], most: int, more: str) -> list[str]:
    """The first lines, and below them how many are left out, as in "[7 MORE]" where `more` stands for MORE."""
    rest = len(lines) - most
    return [*lines[:most], f"[{rest:,} {more}]"] if rest > 0 else list(lines)


def plain(data: bytes, redact: Callable[[str], str] = str) -> str:
    """Terminal output as text: UTF-8, no escapes, and of a line that was redrawn only its last state.

    That state may be the half of a credential that nobody knows any more, so `redact` has all of the line before.
    """
    text = data.decode("utf-8", errors="replace").replace("\r\n", "\n")
    text = _ESCAPE.sub("", redact(text) if "\r" in text else text)
    return _CONTROL.sub("", _OVERWRITTEN.sub("", text))


def _whole_lines(head: str, tail: str) -> tuple[str, str]:
    """Drops the partial line at each side of the cut, unless a side is nothing else."""
    complete, newline, _ = head.rpartition("\n")
    head = complete + newline if newline else head
    _, newline, rest = tail.partition("\n")
    return head, rest if newline and rest else tail
