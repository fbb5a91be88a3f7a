"""Words of a shell line: what a program gets of them, as far as that is known before the line runs."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tree_sitter

ANY = "\0"
"""Stands in a shape for a piece that nobody knows before the line runs."""
HOME = "\1"
"""Stands for the home folder."""

_EXPANSIONS = frozenset({"simple_expansion", "expansion", "command_substitution", "arithmetic_expansion"})
_BARE = frozenset({"word", "number", "extglob_pattern", "regex", "variable_name", "file_descriptor"})
_BRACES = re.compile(r"\{.*(,|\.\.).*\}", re.DOTALL)
_NEVER_BARE = re.compile(r"[\s;|&<>()\"'`$]")
_ESCAPE = re.compile(
    r"\\(?:x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{1,4}|U[0-9a-fA-F]{1,8}|[0-7]{1,3}|c.|.)", re.DOTALL
)
_NAMED = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
    "E": "\x1b",
}


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command.

    `text` is what the program gets, pieces that only the running shell knows left as they are written and HOME for the
    home folder. `shape` has ANY in place of such pieces and of `*`, `?` and `[`. `several`: it may become any number
    of words, or none.
    """

    source: str
    text: str
    shape: str
    several: bool = False

    @property
    def known(self) -> bool:
        """Whether the program gets exactly `text`."""
        return not self.several and self.text == self.shape


def literal(text: str) -> Word:
    """A word that says just what it is."""
    return Word(text, text, text)


def unknown(source: str) -> Word:
    """A word, or several, of which nothing is known."""
    return Word(source, source, ANY, several=True)


def read_word(node: "tree_sitter.Node", source: bytes) -> Word:
    """The word of a node of bash's grammar."""
    reader = _Reader(source)
    reader.add(node)
    return reader.word(_text(node, source))


@dataclass(slots=True)
class _Reader:
    source: bytes
    text: list[str] = field(default_factory=list)
    shape: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)
    several: bool = False

    def word(self, source: str) -> Word:
        if self.several or _BRACES.search("".join(self.bare)):
            return unknown(source)
        return Word(source, "".join(self.text), "".join(self.shape))

    def add(self, node: "tree_sitter.Node") -> None:
        text = _text(node, self.source)
        match node.type:
            case "concatenation" | "command_name":
                for child in node.children:
                    self.add(child)
            case "string":
                self._string(node)
            case "raw_string":
                self._literal(text[1:-1])
            case "ansi_c_string":
                self._literal(_ansi(text[2:-1]))
            case kind if kind in _BARE or not node.is_named:
                self._bare(text)
            case _:
                self._open(text, quoted=False)

    def _string(self, node: "tree_sitter.Node") -> None:
        """The text between the expansions comes from the source: the tree leaves blanks out."""
        at = node.start_byte + 1
        for child in node.children:
            if child.type in _EXPANSIONS:
                self._literal(_between_quotes(self.source[at : child.start_byte].decode()))
                self._open(_text(child, self.source), quoted=True)
                at = child.end_byte
        self._literal(_between_quotes(self.source[at : node.end_byte - 1].decode()))

    def _literal(self, text: str) -> None:
        self.text.append(text)
        self.shape.append(text)

    def _open(self, text: str, *, quoted: bool) -> None:
        if text in {"$HOME", "${HOME}"}:
            self._literal(HOME)
            return
        self.several = self.several or not quoted
        self.text.append(text)
        self.shape.append(ANY)

    def _bare(self, raw: str) -> None:
        plain = re.sub(r"\\.", "", raw, flags=re.DOTALL)
        self.bare.append(plain)
        if _NEVER_BARE.search(plain) and plain != "$":
            self.several = True
        begins = not self.text
        if begins and raw.startswith("~"):
            raw = self._tilde(raw)
        pieces = re.findall(r"\\.|[^\\]|\\\Z", raw, flags=re.DOTALL)
        for piece in pieces:
            if piece == "\\\n":
                continue
            is_glob = piece in {"*", "?", "["}
            self.text.append(piece[-1])
            self.shape.append(ANY if is_glob else piece[-1])

    def _tilde(self, raw: str) -> str:
        user, slash, rest = raw.partition("/")
        if user == "~":
            self._literal(HOME)
        else:  # another user's folder, or a variable such as ~+
            self.text.append(user)
            self.shape.append(ANY)
        return slash + rest


def _text(node: "tree_sitter.Node", source: bytes) -> str:
    return source[node.start_byte : node.end_byte].decode()


def _between_quotes(raw: str) -> str:
    return re.sub(r"\\([$`\"\\\n])", lambda found: "" if found[1] == "\n" else found[1], raw)


def _ansi(raw: str) -> str:
    """The text of $'…'; what follows a null character is lost, as in bash."""
    return _ESCAPE.sub(_ansi_character, raw).partition("\0")[0]


def _ansi_character(found: re.Match[str]) -> str:
    code = found[0][1:]
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF)
    if code[0] in "xuU" and len(code) > 1:
        number = int(code[1:], 16)
        return chr(number) if number <= 0x10FFFF else "\ufffd"  # noqa: PLR2004 - the last character there is
    if code[0] == "c" and len(code) > 1:
        return chr(ord(code[1]) & 0x1F)
    return _NAMED.get(code, code if code in "\\'\"?" else "\\" + code)
