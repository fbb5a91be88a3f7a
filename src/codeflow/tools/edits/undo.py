"""Damage that a text suffers on its way through a model, JSON or a chat window, undone in old and new alike."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from codeflow.tools.edits.places import PLAIN

_FENCED = re.compile(r"\s*(`{3,}|~{3,})[^\n`]*\n(.*?)\n?\1[ \t]*\n?", re.DOTALL)
_NUMBER = re.compile(r"[ \t]*(\d+)(?:\t|→|[ \t]*[|:│]|$)")
_PADDED = re.compile(r"[ \t]*\d+[ \t]*[|:│](?: |$)|[ \t]*\d*[ \t]*$")
_ESCAPE = re.compile(r"\\([ntr\"'\\])")
_ESCAPED = {"n": "\n", "t": "\t", "r": ""}
_BREAK = re.compile(r"\\n")
_AFTER_BREAK = re.compile(r"[ \t\n]|\\[nt]|$")
_INNER_TAB = re.compile(r"(?<!\\n)(?<!\\t)(?<!^)\\[tr]", re.MULTILINE)
_BARE_QUOTE = re.compile(r'(?<!\\)"')
_HEAD = 4
"""Characters by which a line of the new text is known from the old one."""
_ENTITY = re.compile(r"&(lt|gt|amp|quot|#39|#x27|apos|nbsp);")
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "nbsp": " "}
_TRACES = re.compile(rf"\\[n\"']|&(?:lt|gt|amp|quot|#39|#x27|apos);|[{''.join(map(chr, PLAIN))}]")


def readings(old: str, new: str) -> Iterator[tuple[str, str]]:
    """The pair as it may have been meant, where that changes the old text."""
    unnumber = partial(_unnumber, padded=_is_padded(f"{old}\n{new}"))
    for undo in (_unfence, unnumber, _unescape, _unquote, _unwrap, _unentity):
        meant_old, meant_new = undo(old), undo(new)
        if undo in (_unescape, _unwrap) and meant_new is not None and not _are_breaks(old, new, meant_new):
            continue
        if meant_old is not None and meant_old not in ("", old) and meant_new is not None:
            yield meant_old, meant_new


def _are_breaks(old: str, new: str, meant_new: str) -> bool:
    """Whether every escape of the new text surely was a line break or an indentation, and none belongs to the code.

    An escape inside a literal, or a Windows path, looks the same; then nobody knows, and nothing is read.
    """
    if any(line.count('"') % 2 for line in meant_new.split("\n") if '"""' not in line):
        return False
    if '\\"' in old and not _BARE_QUOTE.search(old + new):
        return True  # escaped as a whole, quotes too, so that the code's own escapes are doubled
    heads = {old[found.end() : found.end() + _HEAD] for found in _BREAK.finditer(old)}
    return (
        not _INNER_TAB.search(new)
        and "\\\\" not in new
        and all(
            _AFTER_BREAK.match(new, found.end()) or new[found.end() : found.end() + _HEAD] in heads
            for found in _BREAK.finditer(new)
        )
    )


@dataclass(frozen=True, slots=True)
class Damage:
    """What was done to the new text but not to the old one."""

    what: str
    meant: tuple[str, ...]
    """The new text as it may have been before."""


def damage_of_new(old: str, new: str) -> Damage | None:
    """Damage to the new text alone, where it is plain to see."""
    if _FENCED.fullmatch(new) and not _FENCED.fullmatch(old):
        ending = "\n" if old.endswith("\n") else ""
        return Damage("is wrapped in a code fence", (_unfence(new) + ending,))
    bare = _unnumber(new, padded=_is_padded(new))
    if "\n" in new.strip() and _numbered(new) and (not _numbered(old) or _shares_more(old, bare, new)):
        return Damage("has line numbers", (bare or "",))
    if "\n" in old.strip() and "\n" not in new.strip() and new.count("\\n") > 1:
        whole = '\\"' in new and not _BARE_QUOTE.search(new)
        meant = _unescape(new) if whole else _unwrap(new)
        ends_once = not new.endswith("\\n\n")
        is_clear = ends_once and (whole or _are_breaks(old, new, meant))
        return Damage("has escaped line breaks", (meant,) if is_clear else ())
    plain = _unentity(new)
    if plain != old and not set("<>") & set(new) and _shares_more(old, plain, new):
        return Damage("has entities such as &lt; or &quot;", (plain,))
    return None


def _shares_more(old: str, one: str | None, other: str) -> bool:
    """Whether one text has all the lines of the old one that the other has, and more."""
    known = set(old.split("\n")) - {""}
    return known & set((one or "").split("\n")) > known & set(other.split("\n"))


def traces(text: str) -> set[str]:
    """Escapes, entities and typography in a text, which are damage or meant."""
    return set(_TRACES.findall(text))


def _unfence(text: str) -> str:
    found = _FENCED.fullmatch(text)
    return found[2] if found else text


def _numbered(text: str) -> bool:
    numbers = [_NUMBER.match(line) for line in text.removesuffix("\n").split("\n") if line.strip()]
    values = [int(number[1]) for number in numbers if number]
    return len(values) == len(numbers) > 0 and values == sorted(set(values))


def _is_padded(text: str) -> bool:
    """Whether a blank parts every line from its number's sign, as in `12: text`."""
    return all(_PADDED.match(line) for line in text.split("\n"))


def _unnumber(text: str, *, padded: bool) -> str | None:
    """The text without line numbers; None when only some lines have one."""
    if _numbered(text):
        bare = [_NUMBER.sub("", line, count=1) for line in text.split("\n")]
        return "\n".join(line[1:] if padded else line for line in bare)
    return None if any(_NUMBER.match(line) for line in text.split("\n")) else text


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), text)


def _unquote(text: str) -> str:
    return re.sub(r"\\([\"'])", r"\1", text)


def _unwrap(text: str) -> str:
    return text.replace("\\r", "").replace("\\n", "\n").replace("\\t", "\t")


def _unentity(text: str) -> str:
    return _ENTITY.sub(lambda found: _ENTITIES.get(found[1], "'"), text)
