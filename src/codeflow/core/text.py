"""Text for a model: bounded, and free of what a hostile file name could smuggle in."""

import re
from collections.abc import Sequence

CHARS_PER_TOKEN = 4
_ESCAPE = re.compile(r"\\(?:u[0-9a-f]{4}|U00[01][0-9a-f]{5}|x[0-9a-f]{2}|[nrt])")


def printable(text: str) -> str:
    """The text on one line; line breaks, control characters and invalid bytes are shown as escapes."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )


def unescaped(text: str) -> str:
    """The text that `printable` showed as this one; the same when there is none, or escapes stand for what needs none."""
    try:
        meant = _ESCAPE.sub(lambda escape: escape[0].encode().decode("unicode_escape"), text)
    except UnicodeDecodeError:
        return text
    return meant if printable(meant) == text else text


def fit(lines: Sequence[str], tokens: int) -> list[str]:
    """The first lines that fit into a number of tokens, estimated at four characters each."""
    room = tokens * CHARS_PER_TOKEN
    for number, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            return list(lines[:number])
    return list(lines)


def listed(names: Sequence[str], most: int) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
