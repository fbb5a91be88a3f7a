"""The text after the second @@ of a unified diff: the line above a hunk that heads its section in the old file."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from codeflow.tools.edits import depth

_LEAST_CUT = 37
"""Bytes from which on a heading may be cut: diff prints 40 of a line, git 80, and the last letter may be in pieces."""
DEFINITION = re.compile(
    r"((export|default|pub(\(\w+\))?|abstract|async|static|unsafe|final|public|private|protected)\s+)*"
    r"(class|def|fn|func|function|impl|interface|struct|enum|trait|type|module|mod|sub)\b"
)
"""How a line begins that defines something."""


@dataclass(frozen=True, slots=True)
class Section:
    """Where a hunk belongs, by its heading, once the earlier hunks of its patch are applied."""

    heading: str
    dropped: bool = False
    """The earlier hunks removed the heading."""
    added: Collection[str] = frozenset()
    """Lines, without their indentation, that the earlier hunks brought."""

    def holds(self, file: Sequence[str], first: int, *, numbered: bool) -> bool:
        """Whether the line `first` of the file (from 0) is in the section; `numbered`: the diff's number says so too.

        git takes for a heading what begins at the margin or, where it is told the language, what defines something, and
        does not say which. So any such line between heading and hunk begins another section, but for those without a
        definition below one where the number is right too.
        """
        if self.dropped and not self.added:
            return True
        found = [at for at in range(first) if self._heads(file[at])]
        if not found:
            return False
        margin = 0 if self.dropped else depth.of(file[found[-1]])
        others = list(self._others(file[found[-1] + 1 : first], margin))
        if numbered and DEFINITION.match(self.heading):
            return not any(map(DEFINITION.match, others))
        return not others

    def _heads(self, line: str) -> bool:
        return line.strip() in self.added if self.dropped else is_heading(line, self.heading)

    def _others(self, between: Sequence[str], margin: int) -> Iterator[str]:
        """The lines, without their indentation, that could head a section as the heading does."""
        for line in between:
            text = line.strip()
            is_new = text in self.added
            if text and not is_new and depth.of(line) <= margin and _opening(text) == _opening(self.heading):
                yield text


def is_heading(line: str, heading: str) -> bool:
    """Whether a line is what a diff shows as a heading, which may have lost its end."""
    text, shown = line.strip(), heading.rstrip("\N{REPLACEMENT CHARACTER}")
    if not text.startswith(shown):
        return False
    cut = len(heading.encode()) >= _LEAST_CUT
    return cut or not re.match(r"\w", text[len(shown) :])


def _opening(text: str) -> str:
    """What kind of line begins so: one with a name, or with a certain mark."""
    return "a" if re.match(r"[^\W\d]|\$", text) else text[0]
