"""Where a piece of text stands in a file, and what to show when it stands nowhere.

Texts here have LF line endings unless said otherwise.
"""

import difflib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_LONGEST_REGION = 40
_MOST_LINES_TO_COMPARE = 10_000


@dataclass(frozen=True, slots=True)
class Replacement:
    """Characters [start, end) of a text give way to `new`."""

    start: int
    end: int
    new: str


def exact(text: str, old: str, new: str) -> list[Replacement]:
    """Every place where `old` stands, overlapping ones too."""
    return [Replacement(start, start + len(old), new) for start in _occurrences(text, old)]


def _occurrences(text: str, old: str) -> Iterator[int]:
    start = text.find(old)
    while start >= 0:
        yield start
        start = text.find(old, start + 1)


def blank_insensitive(text: str, old: str, new: str) -> list[Replacement]:
    """Every run of whole lines that equals `old` but for blanks at line ends.

    Lines that `old` and `new` share keep the blanks they have in the file.
    """
    lines = text.split("\n")
    bare = [line.rstrip() for line in lines]
    ending = "\n" if old.endswith("\n") else ""
    wanted = [line.rstrip() for line in old.removesuffix(ending).split("\n")]
    if not any(wanted):
        return []
    found = []
    for first in range(len(lines) - len(wanted) + 1):
        if bare[first : first + len(wanted)] == wanted:
            window = lines[first : first + len(wanted)]
            start = sum(len(line) + 1 for line in lines[:first])
            end = start + len("\n".join(window)) + len(ending)
            shared = new if end <= len(text) else new.removesuffix(ending)
            merged = "\n".join(_keep_blanks(window, shared.split("\n")))
            found.append(Replacement(start, min(end, len(text)), merged))
    return found


def _keep_blanks(window: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    before, after = [line.rstrip() for line in window], [line.rstrip() for line in new]
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for operation, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        yield from window[old_from:old_to] if operation == "equal" else new[new_from:new_to]


def substitute(content: str, replacements: Sequence[Replacement], newline: str) -> str:
    """A file's content, with its own line endings, after replacements found in its LF form.

    New lines end as the replaced ones did, or with `newline`; the rest of the file stays as it is.
    """
    windows = [index - n for n, index in enumerate(_occurrences(content, "\r\n"))]
    for change in sorted(replacements, key=lambda change: change.start, reverse=True):
        start = change.start + bisect_left(windows, change.start)
        end = change.end + bisect_left(windows, change.end)
        ending = _ending(content[start:end]) or newline
        content = content[:start] + change.new.replace("\n", ending) + content[end:]
    return content


def _ending(region: str) -> str:
    return "\r\n" if "\r\n" in region else "\n" if "\n" in region else ""


def nearest(lines: Sequence[str], wanted: Sequence[str]) -> range | None:
    """The lines (from 0) that most resemble a block which does not stand in the file."""
    bare = [line.strip() for line in lines]
    block = [line.strip() for line in wanted]
    places: dict[str, list[int]] = {}
    for index, line in enumerate(block):
        if line:
            places.setdefault(line, []).append(index)
    votes = Counter(at - index for at, line in enumerate(bare) for index in places.get(line, ()))
    if votes:
        return _region(votes.most_common(1)[0][0], lines, wanted)
    if len(lines) > _MOST_LINES_TO_COMPARE:
        return None
    longest = max(block, key=len)
    near = difflib.get_close_matches(longest, bare, n=1, cutoff=0.6)
    return _region(bare.index(near[0]) - block.index(longest), lines, wanted) if near else None


def _region(first: int, lines: Sequence[str], wanted: Sequence[str]) -> range:
    return range(max(0, first - 1), min(len(lines), first + min(len(wanted), _LONGEST_REGION) + 1))
