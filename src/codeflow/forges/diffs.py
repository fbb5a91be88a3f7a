"""Which lines of a change a forge lets somebody comment: those in the hunks of its own diff."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_HEAD = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the new file as a hunk shows it. `old` is its number in the old file, None for an added line."""

    text: str
    old: int | None


@dataclass(frozen=True, slots=True)
class FileDiff:
    """The hunks of one file, each from line number in the new file to line; none where the forge shows no diff."""

    path: str
    old_path: str
    hunks: tuple[Mapping[int, Line], ...] = ()

    def shown(self, first: int, last: int) -> Sequence[Line] | None:
        """Lines of the new file when one hunk shows all of them, else None."""
        wanted = range(first, last + 1)
        for hunk in self.hunks:
            if wanted and all(number in hunk for number in wanted):
                return [hunk[number] for number in wanted]
        return None


def parse_hunks(patch: str) -> tuple[Mapping[int, Line], ...]:
    """The hunks of a unified diff of one file, with or without the lines that name the file."""
    hunks: list[dict[int, Line]] = []
    old = new = 0
    for line in patch.split("\n"):
        if head := _HEAD.match(line):
            old, new = int(head[1]), int(head[2])
            hunks.append({})
        elif not hunks:
            continue
        elif line.startswith("+"):
            hunks[-1][new] = Line(line[1:], None)
            new += 1
        elif line.startswith("-"):
            old += 1
        elif line.startswith(" "):
            hunks[-1][new] = Line(line[1:], old)
            old, new = old + 1, new + 1
    return tuple(hunks)
