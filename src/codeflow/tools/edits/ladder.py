"""Ever more tolerant readings of an edit's old text; the first that finds a place must find exactly one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from math import prod

from codeflow.tools.edits import depth, done, elision, places, refusal, scopes, stale, undo
from codeflow.tools.edits.delta import Change, carry_over
from codeflow.tools.edits.learning import Translation, learn
from codeflow.tools.edits.places import Place
from codeflow.tools.edits.straighten import straightened
from codeflow.tools.tool import Mistake

_KEYS = (
    places.exactly,
    places.but_trailing_blanks,
    places.but_indentation,
    places.but_typography,
    places.but_blanks,
)
_MOST_COMBINATIONS = 1000
_Part = tuple[list[str], list[str], Place]


@dataclass(frozen=True, slots=True)
class Edit:
    """`old` gives way to `new`, both with LF line endings."""

    old: str
    new: str
    replace_all: bool = False
    whole_lines: bool = False
    """`old` begins and ends with a line, as in a patch."""
    choose: Callable[[Sequence[str], Sequence[Place]], Sequence[Place]] | None = None
    """Which of several places in the file's lines are meant."""


def changes(file: Sequence[str], edit: Edit) -> list[Change] | None:
    """What changes in the file's lines; None when the old text stands nowhere.

    Raises:
        Mistake: when there are several places, or several ways to change the one.
    """
    for attempt in (
        _contiguous,
        _elided,
        _undone,
        _partly_made,
        _in_another_order,
        _over_blank_lines,
        _around_stale_context,
    ):
        found = attempt(file, edit)
        if found is None:
            continue
        if attempt is not _contiguous and any(_repeats(file, change) for change in found):
            raise Mistake(
                "new_text adds a line right beside the same one in the file. Copy old_text whole from the file."
            )
        return found
    return None


def _contiguous(file: Sequence[str], edit: Edit) -> list[Change] | None:
    old = lines(edit.old)
    for key in _KEYS:
        place = _only(file, edit, places.contiguous(file, old, key))
        if place:
            return _at(file, edit, place)
    return None


def _over_blank_lines(file: Sequence[str], edit: Edit) -> list[Change] | None:
    place = _only(file, edit, places.over_blank_lines(file, lines(edit.old), places.but_typography))
    if place is None:
        return None
    found = _at(file, edit, place)
    if any(_hides_blank_lines(change, place) for change in found):
        raise Mistake(
            "The blank lines of old_text are not the file's, so those of new_text are unclear too. "
            "Copy the blank lines from the file."
        )
    return found


def _hides_blank_lines(change: Change, place: Place) -> bool:
    """Whether added lines may have lost or gained blank ones as the old text has."""
    filled = [(n, at) for n, at in enumerate(place) if at is not None]
    gaps = [(right - left, below - above) for (left, above), (right, below) in pairwise(filled)]
    lost = any(ours < theirs for ours, theirs in gaps)
    gained = None in (place[0], place[-1]) or any(ours > theirs for ours, theirs in gaps)
    replaces_one = len(change.lines) == change.stop - change.start == 1
    return (lost and len(change.lines) > 0 and not replaces_one) or (
        gained and not all(line.strip() for line in change.lines)
    )


def _repeats(file: Sequence[str], change: Change) -> bool:
    """Whether a line is added right beside the same one: the old text may just have left that one out."""
    added = [line for line in change.lines if line.strip()]
    above = next((line for line in file[: change.start][::-1] if line.strip()), None)
    below = next((line for line in file[change.stop :] if line.strip()), None)
    return bool(added) and not {above, below}.isdisjoint((added[0], added[-1]))


def _around_stale_context(file: Sequence[str], edit: Edit) -> list[Change] | None:
    old, new = lines(edit.old), lines(edit.new)
    found = stale.place(file, old, new)
    place = _only(file, edit, [found]) if found else None
    return _at(file, edit, place) if place else None


def _partly_made(file: Sequence[str], edit: Edit) -> list[Change] | None:
    """The rest of an edit some of whose changes the file has already."""
    found = [
        (mixed, place)
        for mixed in stale.partly_made(file, lines(edit.old), lines(edit.new))
        for place in places.contiguous(file, mixed, places.but_trailing_blanks)
    ]
    if len(found) != 1:
        return None
    mixed, place = found[0]
    rest = replace(edit, old="".join(f"{line}\n" for line in mixed))
    return _at(file, rest, place) if _only(file, edit, [place]) else None


def _in_another_order(file: Sequence[str], edit: Edit) -> list[Change] | None:
    """An edit whose old text has lines in another order than file and new text; none of them changes."""
    old = lines(edit.old)
    found = stale.reordered(file, old, lines(edit.new))
    place = _only(file, edit, [found]) if found else None
    if place is None:
        return None
    here = [file[at] for at in place if at is not None]
    changes = _at(file, replace(edit, old="".join(f"{line}\n" for line in here)), place)
    moved = [
        at
        for at, line in zip(place, old, strict=True)
        if at is not None and file[at].rstrip() != line.rstrip()
    ]
    if any(change.start <= at < change.stop for at in moved for change in changes):
        return None
    blank_moved = not all(file[at].strip() for at in moved)
    return None if blank_moved and any(_adds_or_drops_blank(file, change) for change in changes) else changes


def _adds_or_drops_blank(file: Sequence[str], change: Change) -> bool:
    """Whether blank lines come or go: where others stand elsewhere than old_text has them, they may be the same."""
    return not all(line.strip() for line in (*change.lines, *file[change.start : change.stop]))


def _undone(file: Sequence[str], edit: Edit) -> list[Change] | None:
    """What the edit means once damage is undone; all readings that find a place must mean the same."""
    readings = (replace(edit, old=old, new=new) for old, new in undo.readings(edit.old, edit.new))
    found = [_contiguous(file, reading) for reading in readings]
    meanings = [meaning for meaning in found if meaning is not None]
    if any(meaning != meanings[0] for meaning in meanings):
        raise Mistake(
            "old_text is escaped, and it is not clear which escapes of new_text belong to the file. "
            "Write both exactly as the file has or shall have them."
        )
    return meanings[0] if meanings else None


def _elided(file: Sequence[str], edit: Edit) -> list[Change] | None:
    """Pieces of the old text round lines of dots, each found for itself, in order."""
    old, new = elision.pieces(lines(edit.old)), elision.pieces(lines(edit.new))
    if len(old) == 1 or not elision.markers(lines(edit.old)).isdisjoint(line.strip() for line in file):
        return None
    found = [places.contiguous(file, piece, places.but_typography) for piece in old if any(piece)]
    if not found or not all(found):
        return None
    if (
        len(old) != len(new)
        or any(any(after) and not any(before) for before, after in zip(old, new, strict=True))
        or elision.moves_the_rest(lines(edit.old), lines(edit.new))
    ):
        raise Mistake("old_text and new_text do not leave out the same lines. Write both in full.")
    texts = [(before, after) for before, after in zip(old, new, strict=True) if any(before)]
    parts = _in_order(file, texts, found)
    _only(file, edit, [tuple(at for _, _, place in parts for at in place)])  # anchors bind all pieces
    translation = learn([pair for before, _, place in parts for pair in _pairs(file, before, place)])
    for before, _, place in parts:
        _refuse_twin(file, before, place, translation)
    changes = [list(carry_over(file, *part, translation)) for part in parts]
    for (_, _, place), made in zip(parts, changes, strict=True):
        _refuse_done(file, place, made)
    return [change for made in changes for change in made]


def _in_order(
    file: Sequence[str], texts: Sequence[tuple[list[str], list[str]]], found: Sequence[Sequence[Place]]
) -> list[_Part]:
    """The pieces that change, with the only places that they have when all pieces follow each other."""
    if prod(len(options) for options in found) > _MOST_COMBINATIONS:
        raise refusal.ambiguous([place[0] for place in max(found, key=len)])
    ways = {
        tuple(place for (before, after), place in zip(texts, option, strict=True) if before != after)
        for option in product(*found)
        if _ascending(option) and all(_is_one_block(file, *gap) for gap in pairwise(option))
    }
    if not ways:
        raise Mistake(
            "The pieces of old_text round the dots stand in different blocks of the file. Write the lines out in full."
        )
    if len(ways) != 1:
        raise refusal.ambiguous(sorted(way[0][0] or 0 for way in ways if way))
    changing = [text for text in texts if text[0] != text[1]]
    return [(before, after, place) for (before, after), place in zip(changing, ways.pop(), strict=True)]


def _ascending(combination: Sequence[Place]) -> bool:
    numbers = [number for place in combination for number in place if number is not None]
    return numbers == sorted(set(numbers))


def _is_one_block(file: Sequence[str], above: Place, below: Place) -> bool:
    """Whether what is left out between two pieces does not leave the block that they stand in."""
    last, first = above[-1] or 0, below[0] or 0
    top, bottom = depth.of(file[last]), depth.of(file[first])
    least = top + 1 if bottom > top else bottom
    between = (line for line in file[last + 1 : first] if line.strip())
    return all(depth.of(line) >= least or line.strip()[0] in ")]}" for line in between)


def _only(file: Sequence[str], edit: Edit, found: Sequence[Place]) -> Place | None:
    if found and edit.choose:
        chosen = edit.choose(file, found)
        if not chosen:
            raise Mistake(
                "old_text stands in the file, but not where the line after @@ says. Read the file again."
            )
        found = chosen
    if len(found) > 1:
        raise refusal.ambiguous([place[0] for place in found])
    return found[0] if found else None


def _at(file: Sequence[str], edit: Edit, place: Place) -> list[Change]:
    if edit.new.endswith("\n") and not edit.old.endswith("\n"):
        raise refusal.one_line_break_more()
    old, new = straightened(file, lines(edit.old), lines(edit.new), place)
    translation = learn(list(_pairs(file, old, place)))
    _refuse_twin(file, old, place, translation)
    depth.refuse_other(old, new, drifts=translation.drifts)
    changes = list(carry_over(file, old, new, place, translation))
    _refuse_done(file, place, changes)
    return changes


def _refuse_done(file: Sequence[str], place: Place, changes: Sequence[Change]) -> None:
    """A Mistake when what a place would become stands there already."""
    numbers = [at for at in place if at is not None]
    first, stop = numbers[0], numbers[-1] + 1
    made = list(file[first:stop])
    for change in reversed(changes):
        made[change.start - first : change.stop - first] = change.lines
    above, here, text, after = (
        "".join(f"{line}\n" for line in part) for part in (file[:first], file[first:stop], file, made)
    )
    done.refuse(text, len(above), here, after)


def _refuse_twin(file: Sequence[str], old: Sequence[str], place: Place, translation: Translation) -> None:
    if translation.drifts and scopes.stood_elsewhere(file, old, place):
        raise Mistake(
            "old_text stands in the file at another depth only, while part of it stands elsewhere at its own: it may have "
            "changed there. Read the file again, and copy the text with its indentation."
        )


def _pairs(file: Sequence[str], old: Sequence[str], place: Place) -> Iterator[tuple[str, str]]:
    """Each old line with the file's; without stale ones, which are another text and teach nothing."""
    pairs = ((line, file[at]) for line, at in zip(old, place, strict=True) if at is not None)
    return (pair for pair in pairs if places.but_typography(pair[0]) == places.but_typography(pair[1]))


def lines(text: str) -> list[str]:
    """The lines of an LF text; the last needs no ending."""
    return text.removesuffix("\n").split("\n") if text else []
