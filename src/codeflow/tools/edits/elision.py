"""Lines of three dots that stand for code which was left out."""

import re
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

from codeflow.tools.edits import depth
from codeflow.tools.edits.omissions import COMMENT, DOTS, is_certain, is_likely
from codeflow.tools.tool import Mistake

Introduced = Callable[[str, str], Sequence[str]]
"""(before, after) -> the syntax errors that a change of content brings in."""

_MARKER = re.compile(rf"\s*{COMMENT}?\s*{DOTS}(?:\s.*)?")
_SPREAD = re.compile(r"\s*\.\.\.[({\[]*[A-Za-z_$]")
"""A spread or rest: dots right before a value; what follows may be prose."""
_REMARK = re.compile(rf"\s*{COMMENT}")
_BARE = re.compile(rf"\s*{DOTS}\s*")


def pieces(lines: Sequence[str]) -> list[list[str]]:
    """The lines between the markers; one piece when there is no marker."""
    found: list[list[str]] = [[]]
    for line in lines:
        if _MARKER.fullmatch(line):
            found.append([])
        else:
            found[-1].append(line)
    return found


def moves_the_rest(old: Sequence[str], new: Sequence[str]) -> bool:
    """Whether what is left out would stand at another depth in the new text, which has as many markers.

    The markers say so; where one in the old text is not aligned with a line beside it, the lines that both have do.
    """
    before, after = ([n for n, line in enumerate(lines) if _MARKER.fullmatch(line)] for lines in (old, new))
    if any(depth.of(old[ours]) != depth.of(new[theirs]) for ours, theirs in zip(before, after, strict=True)):
        return True
    aligned = all(depth.of(old[at]) in [depth.of(line) for line in _beside(old, at) if line] for at in before)
    return not aligned and any(move != 0 for move in depth.moves(old, new))


def markers(lines: Sequence[str]) -> set[str]:
    """The lines of dots."""
    return {line.strip() for line in lines if _MARKER.fullmatch(line)}


def refuse_added(old: str, new: str, before: str, after: str, introduced: Introduced) -> None:
    """A Mistake when the new text has a marker, which the old one has not: it would delete what it stands for.

    `before` and `after` are the whole file's contents.
    """
    here, there = old.split("\n"), new.split("\n")
    known, in_file = ({line.strip() for line in lines} for lines in (here, before.split("\n")))
    for number, line in enumerate(there):
        certain = is_certain(line) or (_BARE.fullmatch(line) and not _is_stub(here, there, number))
        likely = is_likely(line) and line.strip() not in in_file and _loses_code(here, there, number)
        if line.strip() in known or not (certain or likely):
            continue
        if not _is_code(there, number, before, after, introduced):
            raise Mistake(f"{line.strip()!r} would delete what it stands for. Write the text out in full.")


def _loses_code(before: Sequence[str], after: Sequence[str], number: int) -> bool:
    """Whether less code is in the new text than in the old, as a whole or where its line `number` (from 0) stands."""
    operations = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    here = [op for op in operations if op[3] <= number < op[4]]
    parts = [(before[op[1] : op[2]], after[op[3] : op[4]]) for op in here]
    marker = after[number]
    return any(_code(ours, marker) > _code(theirs, marker) for ours, theirs in ((before, after), *parts))


def _code(lines: Sequence[str], marker: str) -> int:
    """How many lines there are without blank ones, comments and the marker."""
    return sum(1 for line in lines if line.strip() and line != marker and not _REMARK.match(line))


def _is_code(lines: Sequence[str], number: int, before: str, after: str, introduced: Introduced) -> bool:
    """Whether a line of the new text that begins with dots spreads a value, or takes the rest of some.

    It does where the file has it already, or parses with it and would not with words in its place. Where a parser
    cannot tell, because it does not know the language or the file is broken without the line too, it must stand in a list.
    """
    line = lines[number]
    if not _SPREAD.match(line):
        return False
    if any(line.strip() == other.strip() for other in before.split("\n")):
        return True
    without, prose = (_instead(after, line, other) for other in ("", f"{line.rstrip()} of the other code"))
    if introduced(without, prose) and not introduced(before, without):
        return not introduced(without, after)
    return _is_in_list(lines, number)


def _is_in_list(lines: Sequence[str], number: int) -> bool:
    """Whether a line has the commas and brackets round it that one of several values has."""
    above, below = (line.strip() for line in _beside(lines, number))
    line = lines[number].strip()
    ends = line.endswith(",") or re.search(r"[)\]}]", line) is not None
    return above.endswith((",", "{", "[", "(") if ends else ",") and (
        ends or below.startswith((")", "]", "}"))
    )


def _beside(lines: Sequence[str], at: int) -> tuple[str, str]:
    """The nearest lines with text above and below one; empty where there is none."""
    above = next((line for line in reversed(lines[:at]) if line.strip()), "")
    return above, next((line for line in lines[at + 1 :] if line.strip()), "")


def _instead(text: str, line: str, other: str) -> str:
    """The text with another line where one stands."""
    return "\n".join(other if there.strip() == line.strip() else there for there in text.split("\n"))


def _is_stub(before: Sequence[str], after: Sequence[str], number: int) -> bool:
    """Whether bare dots are the whole body of a function or class that the new text adds."""
    above = [line for line in after[:number] if line.strip()]
    below = [line for line in after[number + 1 :] if line.strip()]
    heads = [line for line in above if depth.of(line) < depth.of(after[number])]
    closes = not below or depth.of(below[0]) < depth.of(after[number])
    opened = bool(above) and above[-1].rstrip().endswith((":", '"""', "'''"))
    grows = len(above) + len(below) + 1 >= sum(1 for line in before if line.strip())
    return closes and opened and grows and (not heads or heads[-1] not in before)
