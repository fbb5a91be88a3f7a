"""Remarks on lines of a change: where each one goes, and what becomes of those of an earlier review."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from codeflow.forges.diffs import FileDiff

SUMMARY = "summary"
"""The key of the one comment that holds what belongs to no line."""
_MARK = re.compile(r"\n*<!-- codeflow-review:([0-9a-z-]{1,80}) -->\s*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a review says of a line of the new file. `replaces` are the first and last line of its suggestion."""

    path: str
    line: int
    kind: str
    replaces: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Lines of the new file that can be commented. `old_line` is the last one's number in the old file, if any.

    `fits`: they are just those that the suggestion replaces. `key` is the same in the next review of the same lines.
    """

    path: str
    old_path: str
    first: int
    last: int
    old_line: int | None
    fits: bool
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A comment to be made, its mark not yet in its body."""

    place: Place
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A comment of ours that is there. `line` is where the forge shows it now, None when it has no place any more."""

    id: str
    key: str
    path: str
    line: int | None
    body: str
    has_replies: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What has to be done so that the comments there are those that are wanted, each once."""

    new: tuple[Remark, ...]
    edited: tuple[tuple[Posted, str], ...]
    """With the new body."""
    gone: tuple[Posted, ...]


def place(claims: Sequence[Claim], diffs: Mapping[str, FileDiff]) -> list[Place | None]:
    """For each claim the lines that can be commented; None where the diff does not show them."""
    seen = Counter[str]()
    places: list[Place | None] = []
    for claim in claims:
        diff = diffs.get(claim.path)
        found = _place(claim, diff, seen) if diff else None
        places.append(found)
    return places


def _place(claim: Claim, diff: FileDiff, seen: Counter[str]) -> Place | None:
    for lines in filter(None, (claim.replaces, (claim.line, claim.line))):
        shown = diff.shown(*lines)
        if shown:
            parts = [claim.path, claim.kind, *(line.text for line in shown)]
            key = sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:24]
            seen[key] += 1
            return Place(
                path=claim.path,
                old_path=diff.old_path,
                first=lines[0],
                last=lines[1],
                old_line=shown[-1].old,
                fits=lines == claim.replaces,
                key=f"{key}-{seen[key]}",
            )
    return None


def marked(body: str, key: str) -> str:
    """The body with a mark that nobody sees, by which a later review knows it."""
    return f"{body.rstrip()}\n\n<!-- codeflow-review:{key} -->"


def mark_of(body: str) -> str | None:
    """The key of a comment, None for one that is none of a review's."""
    found = _MARK.search(body.replace("\r\n", "\n"))
    return found[1] if found else None


def unmarked(body: str) -> str:
    """The body without its mark: later reviews leave it alone."""
    return _MARK.sub("", body.replace("\r\n", "\n"))


def compare(wanted: Iterable[Remark], posted: Iterable[Posted], *, complete: bool) -> Changes:
    """What to change. Of an incomplete review nothing counts as gone: nobody may have looked."""
    new: list[Remark] = []
    edited: list[tuple[Posted, str]] = []
    left = list(posted)
    for remark in wanted:
        there = next((one for one in left if _is_at(one, remark.place)), None)
        if there is None:
            new.append(remark)
            continue
        left.remove(there)
        body = marked(remark.body, remark.place.key)
        if body != there.body.replace("\r\n", "\n").rstrip():
            edited.append((there, body))
    moved = {remark.place.key for remark in new}
    gone = (one for one in left if complete or one.key in moved)
    return Changes(new=tuple(new), edited=tuple(edited), gone=tuple(gone))


def _is_at(posted: Posted, place: Place) -> bool:
    return (posted.key, posted.path, posted.line) == (place.key, place.path, place.last)
