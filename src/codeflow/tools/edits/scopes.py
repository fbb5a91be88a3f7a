"""Whether a block that was found at another depth may be another one: its twin in a deeper or outer scope."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from codeflow.tools.edits import depth
from codeflow.tools.edits.places import Place


def stood_elsewhere(file: Sequence[str], old: Sequence[str], place: Place) -> bool:
    """Whether the old text seems to have stood outside the place, at its own depth, and to have changed there.

    That is where its first line is, when that opens a block, or half of its lines, each as far from the others.
    """
    filled = [(index, line.rstrip()) for index, line in enumerate(old) if line.strip()]
    there = defaultdict(list)
    for at, line in enumerate(file):
        if at not in place:
            there[line.rstrip()].append(at)
    opens_block = len(filled) > 1 and depth.of(filled[0][1]) < depth.of(filled[1][1])
    if opens_block and there[filled[0][1]]:
        return True
    starts = Counter(at - index for index, line in filled for at in there[line])
    return 2 * max(starts.values(), default=0) >= len(filled)
