"""The difference between an old and a new text, carried over to the lines of a file where the old one stands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from codeflow.tools.edits.learning import Translation
from codeflow.tools.edits.places import Place, but_typography
from codeflow.tools.edits.splices import Splice
from codeflow.tools.tool import Mistake


@dataclass(frozen=True, slots=True)
class Change:
    """Lines [start, stop) of a file give way to others."""

    start: int
    stop: int
    lines: tuple[str, ...]


def carry_over(
    file: Sequence[str], old: Sequence[str], new: Sequence[str], place: Place, translation: Translation
) -> Iterator[Change]:
    """What changes in the file; lines that old and new share stay as the file has them.

    Blanks at line ends count only where the old text is the file's to the letter.
    """
    exact = list(old) == [None if at is None else file[at] for at in place]
    before, after = ([line if exact else line.rstrip() for line in lines] for lines in (old, new))
    operations = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    for operation, old_from, old_to, new_from, new_to in operations:
        if operation == "equal":
            continue
        _refuse_other_blanks(file, old[old_from:old_to], place[old_from:old_to])
        added = new[new_from:new_to]
        if old_from == old_to:
            start = stop = _between(place, old_from)
        else:
            start, stop = _span(place, old_from, old_to, same_count=len(added) == old_to - old_from)
        if len(added) == stop - start == old_to - old_from:
            triples = zip(old[old_from:old_to], added, file[start:stop], strict=True)
            lines = tuple(translation.rewritten(*triple) for triple in triples)
        else:
            lines = tuple(translation.line(line) for line in added)
        yield Change(start, stop, lines)


def _refuse_other_blanks(file: Sequence[str], old: Sequence[str], place: Place) -> None:
    """A Mistake when a line to change has other blanks inside: those of the new line may be wrong too."""
    for line, at in zip(old, place, strict=True):
        if at is not None and but_typography(line) != but_typography(file[at]):
            raise Mistake(
                f"Line {at + 1} of the file has other blanks inside than old_text. Copy it exactly: {file[at].strip()[:200]!r}"
            )


def _between(place: Place, position: int) -> int:
    """The file's line before which something is inserted."""
    above = place[position - 1] if position else None
    below = place[position] if position < len(place) else None
    if position == len(place) and above is not None:
        return above + 1
    if below is not None and (position == 0 or above == below - 1):
        return below
    raise _blank_lines()


def _span(place: Place, old_from: int, old_to: int, *, same_count: bool) -> tuple[int, int]:
    first, last = place[old_from], place[old_to - 1]
    if first is None or last is None:
        raise _blank_lines()
    loose_above = old_from > 0 and place[old_from - 1] != first - 1
    loose_below = old_to < len(place) and place[old_to] != last + 1
    if (loose_above or loose_below) and not same_count:
        raise _blank_lines()
    return first, last + 1


def _blank_lines() -> Mistake:
    return Mistake(
        "The file has other blank lines than old_text just where lines are added or removed. "
        "Copy the blank lines from the file."
    )


def as_splices(file: Sequence[str], changes: Sequence[Change]) -> list[Splice]:
    """The changes by offsets; every line of the file ends in LF."""
    offsets = [0]
    for line in file:
        offsets.append(offsets[-1] + len(line) + 1)
    return [
        Splice(offsets[change.start], offsets[change.stop], "".join(f"{line}\n" for line in change.lines))
        for change in changes
    ]
