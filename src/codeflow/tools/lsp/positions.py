"""Positions as the language server protocol counts them, and edits of a text at such positions."""

import re
from collections.abc import Sequence

from codeflow.tools.lsp.values import Position, TextEdit
from codeflow.tools.tool import Mistake

_LINE_END = re.compile(r"\r\n|\n|\r")


def utf16_length(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)


def split_lines(text: str) -> list[str]:
    """The lines, without their endings, that the protocol sees; the last one is what follows the last ending."""
    return _LINE_END.split(text)


def apply_edits(text: str, edits: Sequence[TextEdit]) -> str:
    """The text after edits that all refer to the text before them.

    Raises:
        Mistake: when two of them overlap.
    """
    starts = [0, *(ending.end() for ending in _LINE_END.finditer(text))]
    lines = split_lines(text)

    def offset(position: Position) -> int:
        if position.line >= len(lines):
            return len(text)
        return starts[position.line] + _column(lines[position.line], position.character)

    pieces: list[str] = []
    done = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        start, end = offset(edit.start), offset(edit.end)
        if start < done or end < start:
            raise Mistake("The language server proposed edits that overlap; nothing was changed.")
        pieces += [text[done:start], edit.new]
        done = end
    return "".join([*pieces, text[done:]])


def _column(line: str, units: int) -> int:
    """How many characters make up so many UTF-16 units; the line's end when it has fewer."""
    if line.isascii():
        return min(units, len(line))
    return len(line.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore"))
