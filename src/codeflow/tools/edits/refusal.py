"""Why an edit was refused, with what the model needs to correct it."""

import difflib
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from codeflow.tools.text import numbered
from codeflow.tools.tool import Mistake

_LONGEST_REGION = 40
_MOST_LINES_TO_COMPARE = 10_000
_MOST_PLACES = 20
_FORMS: Sequence[tuple[Literal["NFC", "NFD"], str]] = (
    ("NFD", "a letter and a combining mark each"),
    ("NFC", "one character each"),
)


class Ambiguous(Mistake):
    """The old text stands at several places."""


def ambiguous(firsts: Sequence[int | None]) -> Ambiguous:
    """Several places; `firsts` are their first lines, from 0."""
    numbers = [str(first + 1) for first in firsts if first is not None]
    at = ", ".join(numbers[:_MOST_PLACES]) + (", …" if len(numbers) > _MOST_PLACES else "")
    return Ambiguous(
        f"old_text occurs {len(numbers)} times, at lines {at}. Add surrounding lines to mean one."
    )


def one_line_break_more() -> Mistake:
    return Mistake(
        "new_text ends in a line break and old_text does not, which would leave a blank line. End both the same way."
    )


def missing(file: Sequence[str], old: str, new: str) -> Mistake:
    """The old text stands nowhere: whether it is done already, and what comes nearest."""
    wanted = old.removesuffix("\n").split("\n")
    done = new.strip()
    text = "\n".join(file)
    if done and done in text:
        number = text.count("\n", 0, text.index(done)) + 1
        return Mistake(f"old_text is not in the file, but new_text is, at line {number}; is it done already?")
    if form := _other_form(text, old.strip("\n")):
        return Mistake(form)
    start = _nearest(file, wanted)
    if start is None:
        return Mistake("old_text is not in the file, nor anything close to it. Read the file again.")
    region = range(max(0, start - 1), min(len(file), start + min(len(wanted), _LONGEST_REGION) + 1))
    shown = numbered(file[region.start : region.stop], region.start + 1)
    return Mistake(
        f"old_text is not in the file. {_first_difference(file, wanted, start)}The nearest lines are:\n{shown}\n"
        "Copy them exactly, without the numbers."
    )


def _other_form(text: str, old: str) -> str:
    """What to do when the file has the old text in another Unicode form, which looks the same; empty when it has not."""
    for form, meaning in _FORMS:
        found = unicodedata.normalize(form, old)
        if old and found in text:
            letters = sorted({letter for letter in found if not letter.isascii()})
            codes = " ".join(f"U+{ord(letter):04X}" for letter in letters[:_MOST_PLACES])
            return (
                f"old_text differs from the file in its Unicode form alone, which cannot be seen: the file has accented "
                f"letters in the form {form}, {meaning} (here {codes}). Send old_text and new_text in that form, or "
                "leave the words with such letters out of both."
            )
    return ""


def _first_difference(file: Sequence[str], wanted: Sequence[str], start: int) -> str:
    for number, line in enumerate(wanted, start):
        there = file[number] if 0 <= number < len(file) else None
        if there is None or there.rstrip() != line.rstrip():
            return f"It differs from line {number + 1} on, where it has {line.strip()[:200]!r}. "
    return ""


def _nearest(file: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Where (from 0) a block would begin that does not stand in the file: at the most lines in common."""
    bare = [line.strip() for line in file]
    block = [line.strip() for line in wanted]
    positions: dict[str, list[int]] = {}
    for index, line in enumerate(block):
        if line:
            positions.setdefault(line, []).append(index)
    votes = Counter(at - index for at, line in enumerate(bare) for index in positions.get(line, ()))
    if votes:
        return max(0, votes.most_common(1)[0][0])
    if len(file) > _MOST_LINES_TO_COMPARE:
        return None
    longest = max(block, key=len)
    near = difflib.get_close_matches(longest, bare, n=1, cutoff=0.6)
    return max(0, bare.index(near[0]) - block.index(longest)) if near else None
