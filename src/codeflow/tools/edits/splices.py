"""Replacing parts of a text by their offsets, whatever its line endings."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Splice:
    """Characters [start, end) of a text with LF line endings give way to `new`."""

    start: int
    end: int
    new: str


def occurrences(text: str, wanted: str) -> Iterator[int]:
    """Where `wanted` begins, overlapping places too."""
    start = text.find(wanted)
    while start >= 0:
        yield start
        start = text.find(wanted, start + 1)


def substitute(content: str, splices: Sequence[Splice], newline: str) -> str:
    """A file's content, with its own line endings, after splices found in its LF form.

    New lines end as the replaced ones did, or with `newline`; the rest of the file stays as it is.
    """
    windows = [index - n for n, index in enumerate(occurrences(content, "\r\n"))]
    parts: list[str] = []
    done = 0
    for splice in sorted(splices, key=lambda splice: splice.start):
        start = splice.start + bisect_left(windows, splice.start)
        end = splice.end + bisect_left(windows, splice.end)
        ending = _ending(content[start:end]) or newline
        parts += content[done:start], splice.new.replace("\n", ending)
        done = end
    return "".join([*parts, content[done:]])


def _ending(region: str) -> str:
    return "\r\n" if "\r\n" in region else "\n" if "\n" in region else ""
