"""Lines that name the block below them: what stands under another name is another block."""

import re
from collections.abc import Iterator, Sequence

from codeflow.tools.edits import depth
from codeflow.tools.edits.headings import DEFINITION

_HEADS = re.compile(
    r"#{1,6} \S|\s*(?:\[.+\]\s*$|@\w|<\w|(?:FROM|SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|MERGE|WITH)\b)"
)
"""What heads the lines below it although they need not be indented: a section, a decorator, a statement of SQL, a title."""
_OPENS = re.compile(r".*[:{(\[]\s*")
_CLOSES = re.compile(r"\s*[)\]}]")
_ITEM = re.compile(r"\s*[-*+] ")
_UNDERLINE = re.compile(r"\s*([=~^*+#-])\1{2,}\s*")
_CONDITION = re.compile(
    r"\W*(if|elif|else|unless|for|foreach|while|until|switch|match|with|using|try|catch|except|finally|do)\b"
)
_CALLED = re.compile(r"(\b[gs]et\s+)?((?:[\w$~.]|::)+)\s*\(")
_DEFINED = re.compile(r"\s*(?:\([^)]*?(\w+)\)\s*)?([\w$.:~]+)")
"""A name; in Go that of the receiver's type before it."""
_ANONYMOUS = re.compile(r"[\"'`]|^@|\bfunction\b|=>")
_WORD = re.compile(r"[\w$]+")
_FIXED = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`|\b\d[\w.]*|[^\w\s()]+")
"""What of a condition must stay: literals and operators."""
_WORDS_FOR_A_CHANGE = 5
"""How many words a condition must have for each that changed."""


def names_another(before: Sequence[str], number: int, file: str) -> bool:
    """Whether a line heads what follows it, and the line that the file has there heads another block.

    `before` are the old text's lines down to the first that changes, `number` (from 0) is the line's.
    """
    return number in _heads(before) and not _is_same_head(before[number].strip(), file.strip())


def _heads(lines: Sequence[str]) -> Iterator[int]:
    """The lines that the last one stands below: none in between is less indented."""
    least = depth.of(lines[-1])
    below = lines[-1]
    for number in reversed(range(len(lines) - 1)):
        line = lines[number]
        here = depth.of(line)
        if not line.strip():
            continue
        opens_flush = _OPENS.fullmatch(line) and depth.of(below) <= here
        heads_list = _ITEM.match(below) and not _ITEM.match(line)
        is_title = _HEADS.match(line) or _UNDERLINE.fullmatch(lines[number + 1]) or opens_flush or heads_list
        if (here < least or (here == least and is_title)) and (
            not _CLOSES.match(line) or _CONDITION.match(line)
        ):
            yield number
        least, below = min(least, here), line


def _is_same_head(old: str, file: str) -> bool:
    """Whether two lines open the same block: a definition by its name, a condition by most of its words."""
    if _CONDITION.match(old):
        ours, theirs = _WORD.findall(old)[1:], set(_WORD.findall(file))
        changed = sum(1 for word in ours if word not in theirs)
        is_most = len(ours) >= max(1, changed * _WORDS_FOR_A_CHANGE)
        return is_most and _FIXED.findall(old) == _FIXED.findall(file)
    name = _name(old)
    return name is not None and name == _name(file)


def _name(line: str) -> Sequence[str] | None:
    """What a line defines, with what it belongs to; None when that is not certain."""
    if definition := DEFINITION.match(line):
        found = None if definition[0].endswith("impl") else _DEFINED.match(line, definition.end())
    else:
        found = None if _ANONYMOUS.search(line) else _CALLED.search(line)
    return found.groups() if found else None
