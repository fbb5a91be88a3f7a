"""Lines whose indentation alone is not the file's, where that says nothing about the lines to add."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from codeflow.tools.edits import depth
from codeflow.tools.edits.places import Place

Lines = list[str]
_NOWHERE = -1


def straightened(file: Sequence[str], old: Lines, new: Lines, place: Place) -> tuple[Lines, Lines]:
    """Old and new with the file's indentation where it is certain that theirs is a slip.

    That is where old was written crooked but new and the file agree, and where an unchanged line has moved
    in the file, away from every change. A drift of all lines is no slip; it has to be learnt.
    """
    there = [line if at is None else file[at] for line, at in zip(old, place, strict=True)]
    shared = {n: at for n, at in _shared(old, new) if old[n].strip()}
    crooked = {n for n in range(len(old)) if _crooked(old[n], there[n])}
    off = crooked & shared.keys()
    agreed = {n for n, at in shared.items() if not _crooked(new[at], there[n])}
    if not crooked:
        return old, new
    if _only_rewrites(old, new, there):
        return there, _with(new, {at: there[n] for n, at in _equal(old, new)})
    if off == shared.keys() == agreed and (
        _holds_the_margin(new, shared.values()) or _moved_as_a_whole(old, new, shared)
    ):
        slips = crooked  # old as a whole stands elsewhere than new, and new stands where the file does
    elif off <= agreed and (
        any(depth.of(old[n]) for n in shared.keys() - off)
        or (off < agreed == shared.keys() and _keeps_to(there, new))
    ):
        slips = off | {n for n in crooked - off if _is_alone(old[n], new, shared.values())}
    elif crooked == _moved_apart(old, new, shared, crooked):
        moved = {shared[n]: there[n] for n in crooked}
        return _with(old, {n: there[n] for n in crooked}), _with(new, moved)
    else:
        return old, new
    return _with(old, {n: there[n] for n in slips}), new


def _with(lines: Lines, others: dict[int, str]) -> Lines:
    return [others.get(n, line) for n, line in enumerate(lines)]


def _crooked(line: str, there: str) -> bool:
    """Whether two lines differ in their indentation alone."""
    return line.rstrip() != there.rstrip() and line.strip() == there.strip()


def _holds_the_margin(new: Lines, shared: Collection[int]) -> bool:
    """Whether the unchanged lines are among the outermost ones: no added one was put round them."""
    outermost = min((depth.of(line) for line in new if line.strip()), default=0)
    return any(depth.of(new[n]) == outermost for n in shared)


def _moved_as_a_whole(old: Lines, new: Lines, shared: Mapping[int, int]) -> bool:
    """Whether old and new differ in depth by the same blanks everywhere: no added line was put round the others.

    Lines outside of the shared ones have to be in the place of just such lines.
    """
    drifts = {depth.of(new[at]) - depth.of(old[n]) for n, at in shared.items()}
    outermost = min((depth.of(new[at]) for at in shared.values()), default=0)
    outside = {at for at, line in enumerate(new) if line.strip() and depth.of(line) < outermost} - set(
        shared.values()
    )
    partners = {at: n for n, at in _replaced(old, new)}
    return len(drifts) == 1 and all(
        at in partners and depth.of(new[at]) - depth.of(old[partners[at]]) in drifts for at in outside
    )


def _replaced(old: Lines, new: Lines) -> Iterator[tuple[int, int]]:
    """The lines that give way to as many others, with these."""
    ours, theirs = ([line.strip() for line in lines] for lines in (old, new))
    operations = SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
    for operation, old_from, old_to, new_from, new_to in operations:
        if operation == "replace" and old_to - old_from == new_to - new_from:
            yield from zip(range(old_from, old_to), range(new_from, new_to), strict=True)


def _keeps_to(there: Lines, new: Lines) -> bool:
    """Whether the new lines are no deeper and no shallower than lines that stand there."""
    depths = {depth.of(line) for line in there if line.strip()}
    return all(depth.of(line) in depths for line in new if line.strip())


def _only_rewrites(old: Lines, new: Lines, there: Lines) -> bool:
    """Whether lines give way to as many others of the same indentation, and the file has just these lines."""
    equal = _equal(old, new)
    kept, left = {n for n, _ in equal}, {at for _, at in equal}
    before = [n for n in range(len(old)) if n not in kept]
    after = [at for at in range(len(new)) if at not in left]
    offsets = {n - at for n, at in equal} | {n - at for n, at in zip(before, after, strict=False)}
    return (
        len(before) == len(after)
        and offsets == {0}
        and all(
            old[n].strip() and old[n].rstrip() == there[n].rstrip() and _indent(old[n]) == _indent(new[n])
            for n in before
        )
    )


def _equal(old: Lines, new: Lines) -> list[tuple[int, int]]:
    """The lines that both have, as `carry_over` takes them."""
    ours, theirs = ([line.rstrip() for line in lines] for lines in (old, new))
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    return [(block.a + n, block.b + n) for block in blocks for n in range(block.size)]


def _indent(line: str) -> str:
    return line[: depth.of(line)]


def _shared(old: Lines, new: Lines) -> list[tuple[int, int]]:
    """The lines of old that new has too, whatever their indentation."""
    ours, theirs = ([line.strip() for line in lines] for lines in (old, new))
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    return [(block.a + n, block.b + n) for block in blocks for n in range(block.size)]


def _is_alone(line: str, new: Lines, shared: Collection[int]) -> bool:
    """Whether no added line stands as deep as a removed crooked one, as if it had suffered the same."""
    added = (text for n, text in enumerate(new) if n not in shared and text.strip())
    return all(depth.of(text) != depth.of(line) for text in added)


def _moved_apart(old: Lines, new: Lines, shared: dict[int, int], crooked: set[int]) -> set[int]:
    """Those of the crooked lines that are unchanged, do not stand next to a change, and drift alone."""
    above, below = (_neighbours(old, step) for step in (-1, 1))
    above_new, below_new = (_neighbours(new, step) for step in (-1, 1))
    straight = {depth.of(line) for n, line in enumerate(old) if n not in crooked and line.strip()}
    texts = Counter(
        line.strip() for line in (*old, *(new[n] for n in set(range(len(new))) - set(shared.values())))
    )
    ends = shared | {_NOWHERE: _NOWHERE}
    return {
        n
        for n in crooked & shared.keys()
        if depth.of(old[n]) in straight
        and texts[old[n].strip()] == 1
        and old[n].rstrip() == new[shared[n]].rstrip()
        and ends.get(above[n]) == above_new[shared[n]]
        and ends.get(below[n]) == below_new[shared[n]]
    }


def _neighbours(lines: Lines, step: int) -> dict[int, int]:
    """For each line the next one with text, -1 beyond the ends."""
    found: dict[int, int] = {}
    nearest = _NOWHERE
    for n in range(len(lines))[::-step]:
        found[n] = nearest
        nearest = n if lines[n].strip() else nearest
    return found
