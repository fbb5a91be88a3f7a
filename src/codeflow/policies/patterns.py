"""What the patterns of rules match: words of commands, paths and addresses.

A rule that allows is read strictly, a rule that asks or denies generously: where it is not certain whether a call
matches, the first does not count and the second leads to a question.
"""

import os.path
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from codeflow.syntax.shell.running import program
from codeflow.syntax.shell.words import ANY, HOME, Word

_STAR = "\2"
"""Stands for a `*` of a pattern; one that is written `\\*` stands for itself."""
_MOST_PLACES = 20
_LONG_OPTION = 3


class Match(IntEnum):
    """Whether a pattern matches; MAYBE: only the running command knows."""

    NO = 0
    MAYBE = 1
    YES = 2


class BadPatternError(ValueError):
    """A pattern that means nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where commands run and who runs them, as absolute paths; None: not known, so that paths are taken as written."""

    root: str | None = None
    home: str | None = None

    def canonical(self, text: str) -> str:
        """A path in one spelling: relative inside the workspace, `..` for a folder that holds it, HOME, or absolute."""
        folder, _, last = text.rpartition("/")
        if last == "*" and text != "*":
            base = self.canonical(folder or "/")
            return {"/": "/*", ".": "*"}.get(base, f"{base}/*")
        if not text or ("/" not in text and text not in {".", ".."}):
            return text
        if text.startswith(HOME):
            return os.path.normpath(text)
        path = os.path.normpath(text.replace("//", "/"))
        if self.root is None:
            return path
        return self._from_root(os.path.normpath(os.path.join(self.root, path)), self.root)  # noqa: PTH118 - a string

    def _from_root(self, path: str, root: str) -> str:
        if path in {root, "/"}:
            return "." if path == root else "/"
        if path == self.home:
            return HOME
        if _is_below(root, path) or (self.home and _is_below(self.home, path)):
            return ".."
        return path[len(root) + 1 :] if _is_below(path, root) else path


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


@dataclass(frozen=True)
class Command:
    """A command to be matched, and what many patterns ask about its words."""

    words: tuple[Word, ...]
    place: Place

    @cached_property
    def name(self) -> str:
        return program(self.words[0])

    @cached_property
    def rest(self) -> tuple["_Given", ...]:
        return tuple(_Given(word, self.place.canonical(word.text)) for word in self.words[1:])

    @cached_property
    def options(self) -> tuple[Word, ...]:
        """Words that are options, or may become some."""
        return tuple(
            word
            for word in self.words[1:]
            if word.text.startswith("-") or word.several or word.shape.startswith(ANY)
        )

    @cached_property
    def known(self) -> bool:
        return all(word.known for word in self.words)


@dataclass(frozen=True, slots=True)
class _Given:
    """A word behind the program's name, and its one spelling as a path."""

    word: Word
    canonical: str

    @property
    def is_option(self) -> bool:
        return self.word.text.startswith("-")


@dataclass(frozen=True)
class _Piece:
    """One word of a command pattern."""

    text: str

    @property
    def is_rest(self) -> bool:
        """A lone `*`: any number of words."""
        return self.text == _STAR

    @property
    def is_option(self) -> bool:
        return self.text.startswith("-") and self.text != "-"

    @cached_property
    def spellings(self) -> tuple[str, ...]:
        """Of an option: `-r|-R|--recursive`."""
        return tuple(self.text.split("|")) if self.is_option else (self.text,)

    @cached_property
    def regex(self) -> re.Pattern[str]:
        return re.compile("|".join(map(_globbed, self.spellings)), re.DOTALL)

    @cached_property
    def loose_regex(self) -> re.Pattern[str]:
        return re.compile(self.regex.pattern, re.DOTALL if self.is_option else re.DOTALL | re.IGNORECASE)

    def loosely(self, given: _Given) -> Match:
        """Whether it matches a word that is no option."""
        if self.loose_regex.fullmatch(given.word.text) or self.loose_regex.fullmatch(given.canonical):
            return Match.YES
        return Match.MAYBE if not given.word.known and self._could_be(given.word) else Match.NO

    def as_option(self, word: Word) -> Match:
        """Whether a word holds it, an option: also abbreviated, with a value, or in a cluster of letters."""
        name = word.text.partition("=")[0]
        if self.loose_regex.fullmatch(word.text) or self.loose_regex.fullmatch(name):
            return Match.YES
        if any(_holds(name, spelling.rstrip(_STAR)) for spelling in self.spellings):
            return Match.YES
        return Match.NO if word.known else Match.MAYBE

    def _could_be(self, word: Word) -> bool:
        if word.several:
            return True
        if _STAR not in self.text:
            known = ".*".join(re.escape(part) for part in word.shape.split(ANY))
            return re.fullmatch(known, self.text, re.DOTALL | re.IGNORECASE) is not None
        ours, theirs = self.text.lower(), word.shape.lower()
        begins, given = ours.split(_STAR)[0], theirs.split(ANY)[0]
        ends, closing = ours.split(_STAR)[-1], theirs.split(ANY)[-1]
        return _agree(begins, given) and _agree(ends[::-1], closing[::-1])


def _holds(given: str, option: str) -> bool:
    """Whether an option is given as the beginning of its name, or as a letter among others."""
    if option.startswith("--"):
        return len(given) >= _LONG_OPTION and given.startswith("--") and option.startswith(given)
    is_letter = len(option) == 2  # noqa: PLR2004 - a dash and a letter
    return is_letter and option[1] in given[1:] and re.fullmatch(r"-[A-Za-z0-9]*", given) is not None


def _agree(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


@dataclass(frozen=True)
class CommandPattern:
    """Words of a simple command: `git push *`. Build it with `command_pattern`."""

    pieces: tuple[_Piece, ...]

    def strictly(self, command: Command) -> bool:
        """Whether the pattern says all of a command, word for word; a last `*` stands for any further words."""
        pieces, words = self.pieces, command.words
        if pieces[-1].is_rest:
            pieces = pieces[:-1]
            words = words[: len(pieces)]
        if not command.known or len(pieces) != len(words):
            return False
        return all(piece.regex.fullmatch(word.text) for piece, word in zip(pieces, words, strict=True))

    def loosely(self, command: Command) -> Match:
        """Whether a command is what the pattern means, however its options stand; more words do not matter."""
        if not self.pieces[0].loose_regex.fullmatch(command.name):
            return Match.NO
        result = Match.YES
        for piece in self.pieces[1:]:
            if piece.is_option:
                held = max((piece.as_option(word) for word in command.options), default=Match.NO)
                result = min(result, held)
        if result is Match.NO:
            return result
        return min(result, _in_order([p for p in self.pieces[1:] if not p.is_option], command.rest))


def _in_order(pieces: Sequence[_Piece], words: Sequence[_Given]) -> Match:
    """Whether operands match one after the other; a word behind an option may be its value, so that both count."""
    reached, jumps = {0: Match.YES}, False
    for piece in pieces:
        if piece.is_rest:
            jumps = True
            continue
        following: dict[int, Match] = {}
        for start, match in reached.items():
            for at in _candidates(words, start, jumps=jumps):
                found = min(match, piece.loosely(words[at]))
                following[at + 1] = max(following.get(at + 1, Match.NO), found)
        reached, jumps = _earliest(following), False
    return max(reached.values(), default=Match.NO)


def _candidates(words: Sequence[_Given], start: int, *, jumps: bool) -> Iterator[int]:
    """Where the next operand may stand: any later place when the pattern jumps, else the next that is no option."""
    behind_option = False
    for at in range(start, len(words)):
        given = words[at]
        if given.is_option:
            behind_option = True
            continue
        yield at
        if not (behind_option or jumps or given.word.several):
            return
        behind_option = False


def _earliest(reached: dict[int, Match]) -> dict[int, Match]:
    """A few places are enough: a pattern that matches behind a later one only is left to the question."""
    kept = sorted(at for at, match in reached.items() if match)
    if len(kept) > _MOST_PLACES:
        return {at: min(reached[at], Match.MAYBE) for at in kept[:_MOST_PLACES]}
    return {at: reached[at] for at in kept}


def command_pattern(text: str) -> CommandPattern:
    """The pattern of a text such as `git push *`.

    Raises:
        BadPatternError: when it names no program, or its quotes do not close.
    """
    pieces = tuple(_Piece(word) for word in _pattern_words(text))
    if not pieces or not pieces[0].text.replace(_STAR, ""):
        raise BadPatternError("it names no program")
    if "/" in pieces[0].text.strip("/") and _STAR in pieces[0].text:
        raise BadPatternError("a program's path cannot hold `*`")
    return CommandPattern(pieces)


def _pattern_words(text: str) -> list[str]:
    r"""Words between blanks; "…" holds blanks, and \ takes the meaning from the character behind it."""
    words: list[str] = []
    current: str | None = None
    quoted = escaped = False
    for character in text:
        if escaped:
            current, escaped = (current or "") + character, False
        elif character == "\\":
            current, escaped = current or "", True
        elif character == '"':
            current, quoted = current or "", not quoted
        elif character.isspace() and not quoted:
            words += [] if current is None else [current]
            current = None
        elif character == "~" and current is None:
            current = HOME
        else:
            current = (current or "") + (_STAR if character == "*" else character)
    if quoted or escaped:
        raise BadPatternError("a quote or a backslash in it is not closed")
    return words if current is None else [*words, current]


def as_pattern_word(text: str) -> str:
    """A word as a pattern that matches only this word."""
    if text.startswith("~"):
        text = "\\" + text
    text = re.sub(r'(\\(?!~)|"|\*)', r"\\\1", text)
    text = text.replace(HOME, "~")
    return f'"{text}"' if not text or re.search(r"\s", text) else text


def path_regex(pattern: str, *, strict: bool) -> re.Pattern[str]:
    """What a path glob matches: `*` and `?` within a name, `**` across folders; `src/**` is all below src."""
    text = pattern.removeprefix("./")
    here = "(?![/~])" if strict and not text.startswith(("/", "~")) else ""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", text)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    regex = "".join(meaning.get(part, re.escape(part)) for part in parts)
    if not strict and text.endswith(
        "/**"
    ):  # the folder itself: to remove or replace it is to change all in it
        regex = f"(?:{regex}|{re.escape(text.removesuffix('/**'))})" if "*" not in text[:-3] else regex
    return re.compile(here + regex, re.DOTALL if strict else re.DOTALL | re.IGNORECASE)


def text_regex(pattern: str, *, strict: bool) -> re.Pattern[str]:
    """What a pattern of an address or a name matches: `*` is any text."""
    return re.compile(
        _globbed(pattern.replace("*", _STAR)), re.DOTALL if strict else re.DOTALL | re.IGNORECASE
    )


def _globbed(text: str) -> str:
    return ".*".join(re.escape(part) for part in text.split(_STAR))
