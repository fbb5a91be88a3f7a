"""An edit whose surroundings have changed since they were read, while what it changes has not."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import product

from codeflow.tools.edits import depth
from codeflow.tools.edits.naming import names_another
from codeflow.tools.edits.places import Place, but_trailing_blanks, contiguous

_MOST_CHANGES = 6
_WORD = re.compile(r"\w{3}")


def place(file: Sequence[str], old: Sequence[str], new: Sequence[str]) -> Place | None:
    """The one place of the changed lines and their neighbours, some lines further out being others now.

    The block is another one when a line that is missing here stands elsewhere in the file, or gave the block its name.
    """
    head, tail = _shared(old, new), _shared(old[::-1], new[::-1])
    first = _nearest_filled(old, head)
    last = len(old) - _nearest_filled(old[::-1], tail)
    found = contiguous(file, old[first:last], but_trailing_blanks)
    core = contiguous(file, old[head : len(old) - tail], str.strip)
    start = (found[0][0] or 0) - first if found else -1
    if len(found) != 1 or len(core) > 1 or start < 0 or start + len(old) > len(file):
        return None
    known = {line.strip() for line in file}
    here = file[start : start + len(old)]
    odd = [n for n, (line, there) in enumerate(zip(old, here, strict=True)) if line.strip() != there.strip()]
    changed = max(_first_filled(old[head:]), _first_filled(new[head:]), key=depth.of)
    if any(names_another([*old[:head], changed], n, here[n]) for n in odd if n < head):
        return None
    others = [old[n].strip() for n in odd]
    context = sum(1 for line in (*old[:head], *old[len(old) - tail :]) if line.strip())
    if len(others) * 2 > context or any(line in known for line in others):
        return None
    return tuple(range(start, start + len(old)))


def _shared(old: Sequence[str], new: Sequence[str]) -> int:
    """How many lines both begin with, never all of the shorter one."""
    shared = 0
    for before, after in zip(old[:-1], new, strict=False):
        if before.rstrip() != after.rstrip():
            break
        shared += 1
    return shared


def _nearest_filled(old: Sequence[str], shared: int) -> int:
    """Where the line with text begins that is the last one of the shared ones."""
    return max((n for n in range(shared) if old[n].strip()), default=0)


def _first_filled(lines: Sequence[str]) -> str:
    return next((line for line in lines if line.strip()), "")


def reordered(file: Sequence[str], old: Sequence[str], new: Sequence[str]) -> Place | None:
    """The one place with the lines of the old text in another order, which is that of the new text too.

    Each of the lines that stand elsewhere, but for blank ones, is there and in the new text only once.
    """
    wanted = sorted(line.rstrip() for line in old)
    keys = [line.rstrip() for line in file]
    size = len(old)
    starts = [
        n
        for n in range(len(file) - size + 1)
        if keys[n] in wanted and keys[n + size - 1] in wanted and sorted(keys[n : n + size]) == wanted
    ]
    if len(starts) != 1:
        return None
    here, after = keys[starts[0] : starts[0] + size], [line.rstrip() for line in new]
    moved = [line for line, before in zip(here, old, strict=True) if line and line != before.rstrip()]
    if any(here.count(line) != 1 for line in moved) or [line for line in after if line in moved] != moved:
        return None
    return tuple(range(starts[0], starts[0] + size))


def partly_made(file: Sequence[str], old: Sequence[str], new: Sequence[str]) -> Iterator[list[str]]:
    """The old text with some of several changes made, but not all; nothing when there are too many.

    A change can have been made when it leaves lines behind and those that it removes are gone.
    """
    if contiguous(file, new, but_trailing_blanks):
        return
    before, after = ([line.rstrip() for line in lines] for lines in (old, new))
    operations = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    known = {line.strip() for line in file if _WORD.search(line)}
    choices = [
        (False, True)
        if kind != "equal"
        and any(after[new_from:new_to])
        and known.isdisjoint(map(str.strip, old[old_from:old_to]))
        else (False,)
        for kind, old_from, old_to, new_from, new_to in operations
    ]
    changes = sum(1 for operation in operations if operation[0] != "equal")
    if choices.count((False, True)) > _MOST_CHANGES or changes == len(operations):
        return
    for made in product(*choices):
        if 0 < sum(made) < changes:
            yield [
                line
                for is_made, (_, old_from, old_to, new_from, new_to) in zip(made, operations, strict=True)
                for line in (new[new_from:new_to] if is_made else old[old_from:old_to])
            ]
