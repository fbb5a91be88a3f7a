"""Whether old and new text are indented alike, so that one tells where the other belongs."""

from collections.abc import Collection, Sequence
from difflib import SequenceMatcher

from codeflow.tools.tool import Mistake


def refuse_other(old: Sequence[str], new: Sequence[str], *, drifts: Collection[int]) -> None:
    """A Mistake when the new lines lost or won indentation as a whole.

    Moving lines without another change is meant, unless the old text's own indentation is not the file's:
    it is off by `drifts`.
    """
    before, after = ([line for line in lines if line.strip()] for lines in (old, new))
    if not after:
        return
    by = set(moves(before, after))
    only_moved = [line.strip() for line in old] == [line.strip() for line in new]
    other_margin = _outermost(before) != _outermost(after)
    if other_margin and (drifts or (by != {0} and not only_moved)):
        raise _unclear()
    if drifts and by == set(drifts):
        raise _unclear()
    same_head = before[0].strip() == after[0].strip()
    if same_head and len(by) == 1 and by != {0} and not only_moved:
        raise _unclear()


def _unclear() -> Mistake:
    return Mistake(
        "new_text is indented otherwise than old_text. Indent both as in the file; "
        "if they are, add an unchanged line with the least indentation to both."
    )


def moves(before: Sequence[str], after: Sequence[str]) -> list[int]:
    """How much deeper each line that both have stands in the new text."""
    ours, theirs = ([line.strip() for line in lines] for lines in (before, after))
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    return [of(after[block.b + n]) - of(before[block.a + n]) for block in blocks for n in range(block.size)]


def _outermost(lines: Sequence[str]) -> int:
    return min(of(line) for line in lines)


def of(line: str) -> int:
    return len(line) - len(line.lstrip())
