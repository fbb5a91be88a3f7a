"""Texts as they are meant: without characters that nobody sees, with escapes resolved, with base64 decoded."""

import base64
import binascii
import re
import sys
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from codeflow.core.invisible import HIDDEN

_TERMINAL_ESCAPE = r"\x1b\[[0-?]{0,40}[ -/]{0,4}[@-~]"
_DISGUISE = re.compile(
    rf"{_TERMINAL_ESCAPE}|{HIDDEN.pattern}|\r(?!\n)"
    r"|\\{1,8}(?:u(?P<code>[0-9A-Fa-f]{4}|\{[0-9A-Fa-f]{1,6}\})|(?P<slash>/)|r(?!\\{1,8}n|\n))"
    r"|(?:\\{1,8}x|%)(?P<byte>[2-7][0-9A-Fa-f])|&#[xX](?P<entity>[2-7][0-9A-Fa-f]);|&#(?P<decimal>\d{2,3});"
    r"|(?P<wide>[\uff01-\uff5e])|[\u0300-\u036f]"  # accents that are added to a letter
)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}+={0,2}")
_WRAP = re.compile(r"(?:\r?\n|\\n)[ \t]{0,40}(?:\d{1,7}[\t:|-] ?)?")
"""Between two lines of one value, as `base64` and YAML break it and tools number them."""
_WIDER = 0xFEE0
"""From ASCII to the same characters as wide as Chinese ones."""
_QUANTUM = 4
"""Characters of base64 that stand for whole bytes."""


@dataclass(slots=True)
class Undisguised:
    """A text without its disguise, and where each character of it stands in the original."""

    text: str = ""
    _places: list[int] = field(default_factory=lambda: [0])
    """Where a piece of `text` begins that stands in the original without a gap, from ..."""
    _origins: list[int] = field(default_factory=lambda: [0])
    """... these places on."""
    _ends: dict[int, int] = field(default_factory=dict)
    """Characters that stand for several of the original, with the end of those."""

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that a span of `text`, which is not empty, was made of."""
        return self._at(start), self._ends.get(end - 1, self._at(end - 1) + 1)

    def _at(self, place: int) -> int:
        piece = bisect_right(self._places, place) - 1
        return self._origins[piece] + place - self._places[piece]

    def note_gap(self, place: int, origin: int) -> None:
        """From `place` of `text` on, the original goes on at `origin`."""
        self._places.append(place)
        self._origins.append(origin)

    def note_escape(self, place: int, end: int) -> None:
        """One character of `text` stands for a sequence up to `end`."""
        self._ends[place] = end


def undisguised(text: str) -> Undisguised | None:
    """The text that a reader, a terminal, a browser or a parser makes of it; None where that is the text itself."""
    found = Undisguised()
    parts: list[str] = []
    at = length = 0
    for match in _DISGUISE.finditer(text):
        parts.append(text[at : match.start()])
        length += match.start() - at
        if char := _char(match):
            parts.append(char)
            found.note_escape(length, match.end())
            length += 1
        at = match.end()
        found.note_gap(length, at)
    if not parts:
        return None
    found.text = "".join([*parts, text[at:]])
    return found


def _char(match: re.Match[str]) -> str:
    """The character that an escape stands for; "" for what is not seen."""
    if match["wide"]:
        return chr(ord(match["wide"]) - _WIDER)
    if match["decimal"]:
        return chr(int(match["decimal"]))
    code = match["code"] or match["byte"] or match["entity"]
    if not code:
        return match["slash"] or ""
    char = chr(min(int(code.strip("{}"), 16), sys.maxunicode))
    return "" if char == "\r" or HIDDEN.fullmatch(char) else char


def in_base64(text: str) -> Iterator[tuple[int, int, str]]:
    """What stands in the text as base64, also over several lines: its span, and what it says."""
    start = end = 0
    encoded: list[str] = []
    for match in _BASE64.finditer(text):
        goes_on = encoded and len(encoded[-1]) % _QUANTUM == 0 and not encoded[-1].endswith("=")
        if not (goes_on and _WRAP.fullmatch(text, end, match.start())):
            yield from _decoded(start, end, encoded)
            start, encoded = match.start(), []
        of_patch = match[0][0] == "+" and len(match[0]) % _QUANTUM == 1
        encoded.append(match[0][of_patch:])
        end = match.end()
    yield from _decoded(start, end, encoded)


def _decoded(start: int, end: int, lines: list[str]) -> Iterator[tuple[int, int, str]]:
    whole = "".join(lines).rstrip("=").replace("-", "+").replace("_", "/")
    whole = whole[: len(whole) - (len(whole) % _QUANTUM == 1)]
    try:
        data = base64.b64decode(whole + "=" * (-len(whole) % _QUANTUM))
    except binascii.Error:
        return
    if data:
        yield start, end, data.replace(b"\0", b"").decode("latin-1")  # without the zeros of UTF-16
