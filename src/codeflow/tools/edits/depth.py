"""Whether old and new text are indented alike, so that one tells where the other belongs."""

from collections.abc import Sequence
from difflib import SequenceMatcher

from codeflow.tools.tool import Mistake


def refuse_other(old: Sequence[str], new: Sequence[str], *, drifted: bool) -> None:
    """A Mistake when the new lines lost or won indentation as a whole.

    Moving lines without another change is meant, unless the old text's own indentation is not the file's (`drifted`).
    """
    before, after = ([line for line in lines if line.strip()] for lines in (old, new))
    if not after or _outermost(before) == _outermost(after):
        return
    only_moved = [line.strip() for line in old] == [line.strip() for line in new]
    if drifted or (not only_moved and set(_moves(before, after)) != {0}):
        raise Mistake(
            "new_text is indented otherwise than old_text. Indent both as in the file; "
            "if they are, add an unchanged line with the least indentation to both."
        )


def _moves(before: Sequence[str], after: Sequence[str]) -> list[int]:
    """How much deeper each line that both have stands in the new text."""
    ours, theirs = ([line.strip() for line in lines] for lines in (before, after))
    blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    return [
        _depth(after[block.b + n]) - _depth(before[block.a + n])
        for block in blocks
        for n in range(block.size)
    ]


def _outermost(lines: Sequence[str]) -> int:
    return min(_depth(line) for line in lines)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
