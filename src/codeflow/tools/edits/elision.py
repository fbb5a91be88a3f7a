"""Lines of three dots that stand for code which was left out."""

import re
from collections.abc import Sequence

from codeflow.tools.edits import depth

_COMMENT = r"(?:#|//|/\*|<!--|--|;|%|\{/\*)"
_DOTS = r"(?:\.\.\.|…)"
_MARKER = re.compile(rf"\s*{_COMMENT}?\s*{_DOTS}(?:\s.*)?")
_SPOKEN = re.compile(
    rf"\s*{_COMMENT}?\s*{_DOTS}\s*\(?(?:the )?"
    r"(?:rest|remain\w*|existing|unchanged|same|previous|other|more|your)\b.*"
    rf"|\s*{_COMMENT}\s*{_DOTS}\s*(?:\*/|-->|\*/\}})?\s*"
    rf"|\s*{_COMMENT}\s*\(?(?:the )?(?:rest|remain\w*|existing|unchanged|same|previous|other) .*"
    rf"(?:{_DOTS}|unchanged|same|as before|here)\W*"
    rf"|\s*{_COMMENT}\s*[\[(<]\s*(?:{_DOTS}\s*)?(?:the )?"
    r"(?:rest|remain\w*|existing|unchanged|same|previous|other)\b[^\])>]*[\])>]\W*"
    rf"|\s*{_COMMENT}?\s*[\[(<]\s*{_DOTS}.*{_DOTS}\s*[\])>]\W*",
    re.IGNORECASE,
)
_BARE = re.compile(rf"\s*{_DOTS}\s*")


def pieces(lines: Sequence[str]) -> list[list[str]]:
    """The lines between the markers; one piece when there is no marker."""
    found: list[list[str]] = [[]]
    for line in lines:
        if _MARKER.fullmatch(line):
            found.append([])
        else:
            found[-1].append(line)
    return found


def markers(lines: Sequence[str]) -> set[str]:
    """The lines of dots."""
    return {line.strip() for line in lines if _MARKER.fullmatch(line)}


def added_marker(old: str, new: str) -> str | None:
    """A line of the new text that would delete what it stands for: one that the old text does not have."""
    before, after = old.split("\n"), new.split("\n")
    known = [line.strip() for line in before]
    for number, line in enumerate(after):
        spoken = _SPOKEN.fullmatch(line) or (_BARE.fullmatch(line) and not _is_stub(before, after, number))
        if spoken and line.strip() not in known:
            return line.strip()
    return None


def _is_stub(before: Sequence[str], after: Sequence[str], number: int) -> bool:
    """Whether bare dots are the whole body of a function or class that the new text adds."""
    above = [line for line in after[:number] if line.strip()]
    below = [line for line in after[number + 1 :] if line.strip()]
    heads = [line for line in above if depth.of(line) < depth.of(after[number])]
    closes = not below or depth.of(below[0]) < depth.of(after[number])
    opened = bool(above) and above[-1].rstrip().endswith((":", '"""', "'''"))
    grows = len(above) + len(below) + 1 >= sum(1 for line in before if line.strip())
    return closes and opened and grows and (not heads or heads[-1] not in before)
