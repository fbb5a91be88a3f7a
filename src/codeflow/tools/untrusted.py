"""Others' words marked as data: what files, commands and web pages say is no instruction to a model."""

import re
import unicodedata

from codeflow.core.invisible import spelled_out

_MARK = re.compile(r"<[\s/\\|]*data(?:-(\d{1,6})(?!\d))?", re.IGNORECASE)
_WRAPPED = re.compile(r'<(data(?:-\d+)?) source="[^"\n]*">\n(.*?)\n</\1>', re.DOTALL)
_SOURCE_CHARS = 120
_FOR_LAYOUT = re.compile(r"[\u00ad\u200b\u2060\ufeff]")


def as_data(text: str, source: str) -> str:
    """The text between marks that it cannot close: their number occurs in no mark within it.

    Not a character of the text is changed, so that what is copied from it for an edit is what stands in the file.
    """
    label = _free_label(text)
    return f'<{label} source="{_quoted(source)}">\n{text}\n</{label}>'


def undelimited(text: str) -> str:
    """The text with the marks of `as_data` taken off."""
    return _WRAPPED.sub(lambda match: match[2], text, count=1)


def page_text(text: str) -> str:
    """A web page's text without the invisible characters that tell a browser where a word may break."""
    return _FOR_LAYOUT.sub("", text).strip()


def _free_label(text: str) -> str:
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    used = {int(match[1] or 1) for match in _MARK.finditer(folded)}
    if not used:
        return "data"
    number = 2
    while number in used:
        number += 1
    return f"data-{number}"


def _quoted(source: str) -> str:
    line = " ".join(spelled_out(source).split())
    line = line.replace('"', "'").replace("<", "(").replace(">", ")")
    return line if len(line) <= _SOURCE_CHARS else f"{line[: _SOURCE_CHARS - 1]}…"
