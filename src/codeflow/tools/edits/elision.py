"""Lines of three dots that stand for code which was left out."""

import re
from collections.abc import Callable, Sequence

from codeflow.tools.edits import depth
from codeflow.tools.tool import Mistake

Introduced = Callable[[str, str], Sequence[str]]
"""(before, after) -> the syntax errors that a change of content brings in."""

_COMMENT = r"(?:#|//|/\*|<!--|--|;|%|\{/\*)"
_DOTS = r"(?:\.\.\.|…)"
_MARKER = re.compile(rf"\s*{_COMMENT}?\s*{_DOTS}(?:\s.*)?")
_SPOKEN = re.compile(
    rf"\s*{_COMMENT}?\s*{_DOTS}\s*\(?(?:the )?"
    r"(?:rest|remain\w*|existing|unchanged|same|previous|other|more|your)\b.*"
    rf"|\s*{_COMMENT}\s*{_DOTS}\s*(?:\*/|-->|\*/\}})?\s*"
    rf"|\s*{_COMMENT}\s*[\[(<]\s*(?:{_DOTS}\s*)?(?:the )?"
    r"(?:rest|remain\w*|existing|unchanged|same|previous|other)\b[^\])>]*[\])>]\W*"
    rf"|\s*{_COMMENT}?\s*[\[(<]\s*{_DOTS}.*{_DOTS}\s*[\])>]\W*"
    rf"|\s*{_COMMENT}\s*\(?(?:the )?(?:rest|remain\w*|existing|unchanged|same|previous|other) .*{_DOTS}\W*",
    re.IGNORECASE,
)
_PLAIN = re.compile(
    rf"\s*{_COMMENT}\s*\(?(?:the )?(?:rest|remain\w*|existing|unchanged|same|previous|other) .*"
    r"(?:unchanged|same|as before|here)\W*",
    re.IGNORECASE,
)
_VOCABULARY = """
a above all and are as attributes before below block body brevity case cases change changed changes class
classes code column columns component components config configuration constant constants content contents
continue continues css current declaration declarations definition definitions document documentation
element elements else entries entry etc everything existing fields file files for from function functions
go goes handler handlers here html identical implementation implementations import imports in intact is
it item items js json jsx keep kept left line lines list logic markup method methods module more no not
of omitted option options original other others out parameters part parts previous previously properties
props remain remainder remaining remains render rest route routes same script section sections see
settings snip snipped source stay stays styles tags test tests text that the there these this to
truncated types unaltered unchanged unmodified untouched values variables was with your
"""
"""What a line that stands for others is made of; with any other word it is a comment."""
_WORDS = frozenset(_VOCABULARY.split())
_SPREAD = re.compile(r"\s*\.\.\.[({\[]*([A-Za-z_$][\w$]*+)([ \t]+[a-z])?")
"""A spread or rest: dots right before a value; what follows may be prose."""
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


def refuse_added(old: str, new: str, before: str, after: str, introduced: Introduced) -> None:
    """A Mistake when the new text has a marker, which the old one has not: it would delete what it stands for.

    `before` and `after` are the whole file's contents.
    """
    here, there = old.split("\n"), new.split("\n")
    known = {line.strip() for line in here}
    for number, line in enumerate(there):
        spoken = _is_spoken(line) or (_BARE.fullmatch(line) and not _is_stub(here, there, number))
        if spoken and line.strip() not in known and not _is_code(line, before, after, introduced):
            raise Mistake(f"{line.strip()!r} would delete what it stands for. Write the text out in full.")


def _is_spoken(line: str) -> bool:
    """Whether a line says that something was left out: by its dots, or without a word about anything else."""
    if _SPOKEN.fullmatch(line):
        return True
    return bool(_PLAIN.fullmatch(line)) and _WORDS.issuperset(_words(line))


def _words(line: str) -> list[str]:
    return re.findall(r"[^\W\d_][\w']*", line.lower())


def _is_code(line: str, before: str, after: str, introduced: Introduced) -> bool:
    """Whether a line that begins with dots spreads a value, or takes the rest of some.

    It does where the file has it already, or parses with it and would not with words in its place; in a language
    without a parser, where its value has its name elsewhere too.
    """
    spread = _SPREAD.match(line)
    if not spread:
        return False
    if any(line.strip() == other.strip() for other in before.split("\n")):
        return True
    without, prose = (_instead(after, line, other) for other in ("", f"{line.rstrip()} of the other code"))
    if introduced(without, prose):
        return not introduced(without, after)
    return not spread[2] and len(re.findall(rf"(?<![\w$]){re.escape(spread[1])}(?![\w$])", after)) > 1


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
