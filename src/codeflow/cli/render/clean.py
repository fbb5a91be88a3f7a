"""Text from models, tools and file names made safe and short enough for a terminal."""

import re

from codeflow.core.invisible import spelled_out, stripped

_ESCAPE_SEQUENCE = re.compile(
    r"\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # OSC: titles, links, clipboard
    r"|\x1b[PX^_][^\x1b\n]*(?:\x1b\\)?"  # DCS, SOS, PM, APC
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[ -/]*[0-~]"  # everything shorter
)
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_LINE_LIMIT = 200


def clean(text: str) -> str:
    """The text without escape sequences, control, bidirectional and invisible characters; newlines and tabs stay."""
    return stripped(_UNPRINTABLE.sub("", _ESCAPE_SEQUENCE.sub("", text.replace("\r\n", "\n"))))


def visible(text: str) -> str:
    """The text with every control and invisible character spelled out, so that nothing of a command can hide."""
    return spelled_out(
        _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)
    )


def one_line(text: str, limit: int = 500) -> str:
    """Clean text on one line of at most `limit` characters."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def first_lines(text: str, count: int) -> str:
    """The first lines that say something, each bounded, marked when more were left out."""
    lines = [one_line(line, _LINE_LIMIT) for line in clean(text).splitlines() if line.strip()]
    return "\n".join([*lines[:count], "…"] if len(lines) > count else lines)
