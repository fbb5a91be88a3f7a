"""What an edit did, as a small numbered diff."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from codeflow.tools.edits.places import alike

_CONTEXT = 2
_LONGEST_DIFF = 60
_LONGEST_LINE = 300
_MOST_LINES_TO_COMPARE = 2000


@dataclass(frozen=True, slots=True)
class Difference:
    """How a file's lines changed; `shown` numbers removed lines as they were, all others as they are."""

    added: int
    removed: int
    shown: str

    @property
    def tally(self) -> str:
        return f"+{self.added} -{self.removed}"


def difference(before: Sequence[str], after: Sequence[str]) -> Difference:
    """The diff of two versions; what is too long for an answer is cut, saying so."""
    head = alike(before, after)
    tail = alike(before[head:][::-1], after[head:][::-1])
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    if len(old) + len(new) > _MOST_LINES_TO_COMPARE:
        return Difference(len(new), len(old), f"(lines {head + 1}-{head + len(new)}; too many to show)")
    operations = [operation for operation in _operations(old, new, head) if operation[0] != "equal"]
    shown = list(_hunks(before, after, operations))
    if len(shown) > _LONGEST_DIFF:
        shown[_LONGEST_DIFF:] = [f"[{len(shown) - _LONGEST_DIFF} more lines; see them with read_file]"]
    return Difference(
        added=sum(to - start for _, _, _, start, to in operations),
        removed=sum(to - start for _, start, to, _, _ in operations),
        shown="\n".join(shown),
    )


Operation = tuple[str, int, int, int, int]


def _operations(old: Sequence[str], new: Sequence[str], head: int) -> Iterator[Operation]:
    for kind, *bounds in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        old_from, old_to, new_from, new_to = (bound + head for bound in bounds)
        yield kind, old_from, old_to, new_from, new_to


def _hunks(before: Sequence[str], after: Sequence[str], operations: Sequence[Operation]) -> Iterator[str]:
    shown = 0
    for index, (_, old_from, old_to, new_from, new_to) in enumerate(operations):
        start = max(shown, new_from - _CONTEXT)
        if index and start > shown:
            yield "  …"
        yield from _numbered(" ", after[start:new_from], start)
        yield from _numbered("-", before[old_from:old_to], old_from)
        yield from _numbered("+", after[new_from:new_to], new_from)
        following = operations[index + 1][3] if index + 1 < len(operations) else len(after)
        shown = min(new_to + _CONTEXT, following)
        yield from _numbered(" ", after[new_to:shown], new_to)


def _numbered(sign: str, lines: Sequence[str], first: int) -> Iterator[str]:
    for number, line in enumerate(lines, first + 1):
        yield f"{sign}{number:>5}\t{line[:_LONGEST_LINE]}{'…' if len(line) > _LONGEST_LINE else ''}"
