"""Lines whose indentation alone is not the file's, where that says nothing about the lines to add."""

from collections.abc import Collection, Sequence
from difflib import SequenceMatcher

from codeflow.tools.edits import depth
from codeflow.tools.edits.places import Place

Lines = list[str]
_NOWHERE = -1
_ENDS = {_NOWHERE: _NOWHERE}


def straightened(file: Sequence[str], old: Lines, new: Lines, place: Place) -> tuple[Lines, Lines]:
    """Old and new with the file's indentation where it is certain that theirs is a slip.

    That is where old was written crooked but new and the file agree, and where an unchanged line has moved
    in the file, away from every change.
    """
    there = [line if at is None else file[at] for line, at in zip(old, place, strict=True)]
    shared = dict(_shared(old, new))
    crooked = {n for n, line in enumerate(old) if line.rstrip() != there[n].rstrip() and _same_text(line, there[n])}
    if not crooked:
        return old, new
    agreed = {n for n, at in shared.items() if old[n].strip() and new[at].rstrip() == there[n].rstrip()}
    slips = crooked & agreed
    removed = crooked - shared.keys()
    if agreed and agreed == slips and len(agreed) == sum(1 for n in shared if old[n].strip()):
        slips |= removed  # old as a whole stands elsewhere than new, and new stands where the file does
    elif crooked - removed <= agreed:
        slips |= {n for n in removed if _is_alone(old[n], new, set(shared.values()))}
    mended = [there[n] if n in slips else line for n, line in enumerate(old)]
    moved = _moved_apart(mended, new, shared, crooked - slips)
    after = list(new)
    for n in moved:
        mended[n] = after[shared[n]] = there[n]
    return mended, after


def _shared(old: Lines, new: Lines) -> list[tuple[int, int]]:
    """The lines of old that new has too, whatever their indentation."""
    ours, theirs = ([line.strip() for line in lines] for lines in (old, new))
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    return [(block.a + n, block.b + n) for block in blocks for n in range(block.size)]


def _same_text(line: str, other: str) -> bool:
    return bool(line.strip()) and line.strip() == other.strip()


def _is_alone(line: str, new: Lines, shared: Collection[int]) -> bool:
    """Whether no added line stands as deep as a removed crooked one, as if it had suffered the same."""
    added = (text for n, text in enumerate(new) if n not in shared and text.strip())
    return all(depth.of(text) != depth.of(line) for text in added)


def _moved_apart(old: Lines, new: Lines, shared: dict[int, int], crooked: set[int]) -> set[int]:
    """The crooked lines, when all of them are unchanged ones and none stands next to a change."""
    above, below = (_neighbours(old, step) for step in (-1, 1))
    above_new, below_new = (_neighbours(new, step) for step in (-1, 1))
    apart = {
        n
        for n in crooked & shared.keys()
        if old[n].rstrip() == new[shared[n]].rstrip()
        and (shared | _ENDS).get(above[n]) == above_new[shared[n]]
        and (shared | _ENDS).get(below[n]) == below_new[shared[n]]
    }
    return apart if apart == crooked else set()


def _neighbours(lines: Lines, step: int) -> dict[int, int]:
    """For each line the next one with text, -1 beyond the ends."""
    found: dict[int, int] = {}
    nearest = _NOWHERE
    for n in range(len(lines))[::-step]:
        found[n] = nearest
        nearest = n if lines[n].strip() else nearest
    return found
