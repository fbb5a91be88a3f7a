"""Others' words in Markdown that a forge shows: they stay words."""

import re

from codeflow.cli.render.clean import clean, one_line

_FENCE = re.compile(r"`{3,}|~{3,}")
_COMMAND = re.compile(r"^([ \t]*)/", re.MULTILINE)
_LIVE = re.compile(r"@|#(?=\d)|\](?=[(\[])|:(?=//)|\bGH(?=-\d)|!(?=\d)")
_GAP = "\u200b"


def prose(text: str) -> str:
    """A model's words, which must not become markup: no HTML, link, picture or block of code, no mention of people or
    issues, no command to the forge.

    A picture would send what is in its address to whoever serves it, and a block may pose as a checked suggestion.
    """
    plain = _FENCE.sub(lambda fence: "'" * len(fence[0]), clean(text)).replace("<", "&lt;")
    return _COMMAND.sub(rf"\1{_GAP}/", _LIVE.sub(lambda live: live[0] + _GAP, plain))


def code(text: str) -> str:
    """For between two backticks."""
    return one_line(text).replace("`", "'")


def fenced(text: str, language: str) -> str:
    """A block that nothing in the text ends."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    body = text if not text or text.endswith("\n") else f"{text}\n"
    return f"{fence}{language}\n{body}{fence}"
