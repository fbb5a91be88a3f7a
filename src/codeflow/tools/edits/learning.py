"""What the lines found in a file teach about the lines to add: their indentation and their typography."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

from codeflow.tools.edits.places import PLAIN, alike
from codeflow.tools.tool import Mistake

Pair = tuple[str, str]
"""A line as the old text writes it and as the file has it."""
_MARKS = {chr(code) for code in PLAIN} | set(PLAIN.values())


@dataclass(frozen=True, slots=True)
class Translation:
    """From the old text's way of writing to the file's."""

    indents: dict[str, str]
    marks: dict[str, set[str]]
    bare_ends: bool
    """The old text has blanks at line ends that the file has not."""

    @property
    def drifts(self) -> set[int]:
        """By how many characters the file indents deeper than the old text; empty when it does not differ."""
        differs = any(old != file for old, file in self.indents.items())
        return {len(file) - len(old) for old, file in self.indents.items()} if differs else set()

    def line(self, new: str) -> str:
        """An added line as the file would have it; a Mistake when that is not certain."""
        if self.bare_ends:
            new = new.rstrip()
        body = new.lstrip()
        if not body:
            return new
        return self._indent(new[: len(new) - len(body)]) + self._typography(body)

    def rewritten(self, old: str, new: str, file: str) -> str:
        """A changed line: where old and new agree the file's characters stay."""
        if not self.marks or new.isspace() or not new:
            return self.line(new)
        indent = new[: len(new) - len(new.lstrip())]
        before, after, there = old.strip(), new.strip(), file.strip()
        head = alike(before, after)
        tail = alike(before[head:][::-1], after[head:][::-1])
        middle = after[head : len(after) - tail]
        return self._indent(indent) + there[:head] + self._typography(middle) + there[len(there) - tail :]

    def _indent(self, indent: str) -> str:
        pairs = self.indents.items()
        known = self.indents.get(indent)
        slipped = indent and any(old == file for old, file in pairs if old)
        if known is not None and (known == indent or not slipped):
            return known
        shift, scale = _shift(pairs), _scale(pairs)
        guesses = {rule(indent) for rule in (shift, scale) if rule} - {None}
        if known is not None or (not shift and len(indent) % (gcd(*map(len, self.indents)) or 1)):
            guesses = set()  # neither a slip of one line nor a part of the unit tells how deep others go
        guess = guesses.pop() if guesses else None
        if guess is None or guesses:
            raise Mistake(
                "old_text is indented otherwise than the file, and that does not tell how deep the added lines go. "
                "Copy the indentation from the file."
            )
        return guess

    def _typography(self, body: str) -> str:
        return "".join(self._mark(mark) for mark in body) if self.marks else body

    def _mark(self, mark: str) -> str:
        if mark not in _MARKS or mark == " ":
            return mark
        there = self.marks.get(mark) or ({mark} if mark.isascii() else set())
        if len(there) != 1:
            raise Mistake(
                f"The file has other quotes, dashes or blanks than old_text, and for {mark!r} it is not clear which "
                "one is meant in the added text. Copy these characters from the file."
            )
        return next(iter(there))


def learn(pairs: Sequence[Pair]) -> Translation:
    """What the pairs teach; a Mistake when one indentation became several."""
    indents: dict[str, str] = {}
    marks: dict[str, set[str]] = defaultdict(set)
    for old, file in pairs:
        if not old.strip():
            continue
        here, there = _indentation(old), _indentation(file)
        if indents.setdefault(here, there) != there:
            raise Mistake(
                "The text stands in the file, but its indentation differs from old_text's unevenly. "
                "Copy the indentation from the file."
            )
        for mark, kept in zip(old.strip(), file.strip(), strict=False):
            if mark in _MARKS:
                marks[mark].add(kept)
    drifted = any(mark != kept for mark, kinds in marks.items() for kept in kinds)
    bare_ends = any(len(_trailing(old)) > len(_trailing(file)) for old, file in pairs)
    return Translation(indents, dict(marks) if drifted else {}, bare_ends)


def _trailing(line: str) -> str:
    return line[len(line.rstrip()) :]


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


Rule = Callable[[str], str | None]


def _shift(pairs: Iterable[Pair]) -> Rule | None:
    """All lines moved by the same blanks."""
    added = {file.removesuffix(old) if file.endswith(old) else None for old, file in pairs}
    dropped = {old.removesuffix(file) if old.endswith(file) else None for old, file in pairs}
    if len(added) == 1 and (more := added.pop()) is not None:
        return lambda indent: _unmixed(more + indent)
    if len(dropped) == 1 and (less := dropped.pop()) is not None:
        return lambda indent: indent.removeprefix(less) if indent.startswith(less) else None
    return None


def _unmixed(indent: str) -> str | None:
    return indent if len(set(indent)) < 2 else None  # noqa: PLR2004 - tabs or spaces, not both


def _scale(pairs: Iterable[Pair]) -> Rule | None:
    """All lines indented with another unit: tabs for spaces, four spaces for two."""
    deep = [(old, file) for old, file in pairs if old]
    kinds = {(frozenset(old), frozenset(file)) for old, file in deep}
    ratios = {Fraction(len(file), len(old)) for old, file in deep}
    outermost_moved = any(file for old, file in pairs if not old)
    if len(kinds) != 1 or len(ratios) != 1 or outermost_moved:
        return None
    (ours, theirs), ratio = kinds.pop(), ratios.pop()
    if len(ours) != 1 or len(theirs) != 1:
        return None
    unit = next(iter(theirs))

    def rule(indent: str) -> str | None:
        size = len(indent) * ratio
        return unit * int(size) if set(indent) <= ours and size.denominator == 1 else None

    return rule
