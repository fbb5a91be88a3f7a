"""What both styles of a patch have in common: how a hunk begins, and what each of its lines adds to it."""

import re

from codeflow.tools.edits.patch import FilePatch, Hunk
from codeflow.tools.tool import Mistake

_NUMBERS = re.compile(r"@@+ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@+(.*)")


def open_hunk(file: FilePatch, line: str, anchors: tuple[str, ...]) -> tuple[str, ...]:
    """Begins a hunk; anchors on lines that follow each other belong to one hunk."""
    if numbers := _NUMBERS.fullmatch(line.rstrip()):
        file.hunks.append(Hunk(line=int(numbers[2]), heading=numbers[4].strip()))
        return ()
    stacked = file.hunks and file.hunks[-1].is_empty
    anchor = line.strip().strip("@").strip()
    anchors = (*(anchors if stacked else ()), *([anchor] if anchor else []))
    if stacked:
        file.hunks.pop()
    file.hunks.append(Hunk(anchors=anchors))
    return anchors


def counts(line: str) -> tuple[int, int] | None:
    """How many old and new lines a hunk has, by the numbers of its first line."""
    numbers = _NUMBERS.fullmatch(line.rstrip())
    return (int(numbers[1] or 1), int(numbers[3] or 1)) if numbers else None


def add_line(file: FilePatch, number: int, line: str) -> None:
    """One line of a hunk: kept, removed or added; a kept blank line may have lost its sign."""
    if not file.hunks:
        file.hunks.append(Hunk())
    hunk, sign = file.hunks[-1], line[:1].strip("\r")
    text = line[1:] if sign else line
    if sign == "\\":
        hunk.old_open |= hunk.last_sign in " -"
        hunk.new_open |= hunk.last_sign in " +"
        return
    if sign not in (*" +-", ""):
        raise unreadable(number, line)
    if sign != "+":
        hunk.old.append(text)
    if sign != "-":
        hunk.new.append(text)
    hunk.last_sign = sign


def unreadable(number: int, line: str) -> Mistake:
    return Mistake(
        f"Line {number} of the patch, {line[:100]!r}, cannot be read: "
        "begin kept lines with a blank, removed ones with - and added ones with +."
    )


def trimmed(file: FilePatch) -> FilePatch:
    """The file without empty hunks and without the empty lines that only part them."""
    for hunk in file.hunks:
        while hunk.counts is None and hunk.ends_blank:
            del hunk.old[-1], hunk.new[-1]
    file.hunks = [hunk for hunk in file.hunks if not hunk.is_empty]
    return file
