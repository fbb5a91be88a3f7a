"""An edit that was made already: its new text stands where the old one, a part of it, was found."""

from codeflow.tools.edits.splices import occurrences
from codeflow.tools.tool import Mistake


def refuse(text: str, start: int, old: str, new: str) -> None:
    """A Mistake when the edit of `old` at an offset would bring in twice what it adds; outer blank lines do not count."""
    for before, after in ((old, new), (_without_outer_blanks(old), _without_outer_blanks(new))):
        first = _first(text, start + old.index(before), before, after)
        if first is not None:
            line = text.count("\n", 0, first) + 1
            raise Mistake(
                f"new_text is in the file, at line {line}, and old_text is a part of it; is it done already? To add the "
                "same once more, put the lines beside it that stay into old_text and new_text."
            )


def _without_outer_blanks(text: str) -> str:
    return text.strip("\n") + ("\n" if text.endswith("\n") else "")


def _first(text: str, start: int, old: str, new: str) -> int | None:
    """Where the longer new text begins that has the old one at `start` in it, and ends as cleanly as that."""
    if len(new) <= len(old):
        return None
    stop = start + len(old)
    lowest = max(0, stop - len(new))
    for offset in occurrences(text[lowest : start + len(new)], new):
        ends = ((lowest + offset, start), (lowest + offset + len(new), stop))
        if all(_edge(text, ours) >= max(1, _edge(text, theirs)) for ours, theirs in ends):
            return lowest + offset
    return None


def _edge(text: str, at: int) -> int:
    """2 at an end of a line, 1 between words, 0 within a word."""
    left, right = text[at - 1 : at] if at else "\n", text[at : at + 1] or "\n"
    if "\n" in (left, right):
        return 2
    return 0 if f"{left}{right}".replace("_", "a").isalnum() else 1
