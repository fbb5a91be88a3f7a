"""Where a block of lines stands in a file, read with more or less care for blanks."""

from collections.abc import Callable, Sequence
from itertools import pairwise

Place = tuple[int | None, ...]
"""For each line of the old text, the file's line (from 0) that it is; None for a blank line without one."""
Key = Callable[[str], str]
"""What of a line must agree."""

PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u201b", "'"),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2009\u202f", " "),
    }
)
"""Typographic characters and what is typed instead."""


def exactly(line: str) -> str:
    return line


def but_trailing_blanks(line: str) -> str:
    return line.rstrip()


def but_indentation(line: str) -> str:
    return line.strip()


def but_typography(line: str) -> str:
    return line.translate(PLAIN).strip()


def but_blanks(line: str) -> str:
    return " ".join(line.translate(PLAIN).split())


def contiguous(file: Sequence[str], old: Sequence[str], key: Key) -> list[Place]:
    """Every run of the file's lines that agrees with the old ones."""
    wanted = [key(line) for line in old]
    if not any(line.strip() for line in wanted):
        return []
    keys = [key(line) for line in file]
    size = len(wanted)
    firsts = (n for n in range(len(keys) - size + 1) if keys[n] == wanted[0])
    return [tuple(range(n, n + size)) for n in firsts if keys[n : n + size] == wanted]


def over_blank_lines(file: Sequence[str], old: Sequence[str], key: Key) -> list[Place]:
    """Every place that agrees when blank lines are left out on both sides."""
    filled_file = [n for n, line in enumerate(file) if line.strip()]
    filled_old = [n for n, line in enumerate(old) if line.strip()]
    found = contiguous([file[n] for n in filled_file], [old[n] for n in filled_old], key)
    places = ([filled_file[n] for n in place if n is not None] for place in found)
    return [_with_blanks(len(old), filled_old, place) for place in places]


def _with_blanks(size: int, filled: Sequence[int], place: Sequence[int]) -> Place:
    """The place of all old lines: a gap with as many blank lines in the file as in the old text keeps them."""
    lines: list[int | None] = [None] * size
    for n, at in zip(filled, place, strict=True):
        lines[n] = at
    for (left, right), (above, below) in zip(pairwise(filled), pairwise(place), strict=True):
        if right - left == below - above:
            lines[left:right] = range(above, below)
    return tuple(lines)


def alike(one: Sequence[str], other: Sequence[str]) -> int:
    """How many items both begin with."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (ours, theirs) in enumerate(pairs) if ours != theirs), min(len(one), len(other)))
