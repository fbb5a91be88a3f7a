"""Files as text: which encoding, BOM and line ending they have, so that an edit changes nothing else."""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from codeflow.tools.encodings import declared, guess

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # starts with the UTF-16 mark, so it is tried first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BINARY = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")


@dataclass(frozen=True, slots=True)
class Text:
    """A decoded file: `content` keeps its own line endings, the BOM stands apart.

    Lone carriage returns are the exception: where they end all lines, `content` has LF instead.
    """

    content: str
    encoding: str = "utf-8"
    bom: bytes = b""
    ends_in_returns: bool = False
    others: tuple[str, ...] = ()
    """Encodings that it may have as well; with any, it cannot be edited safely."""
    guessed: str = ""
    """The content as it was read, when the encoding is Latin-1 for want of a better one."""

    @property
    def newline(self) -> str:
        """The line ending that most lines have."""
        windows = self.content.count("\r\n")
        return "\r\n" if windows > self.content.count("\n") - windows else "\n"

    @property
    def lines(self) -> list[str]:
        """The lines without their endings; a final line ending opens no further line."""
        lines = self.content.replace("\r\n", "\n").split("\n")
        return lines[:-1] if lines[-1] == "" else lines

    @property
    def peculiarities(self) -> list[str]:
        """What a reader should know of the bytes, beyond UTF-8 with LF."""
        found = [] if self.encoding == "utf-8" else [" or ".join([self.encoding, *self.others])]
        if self.bom:
            found.append("byte order mark")
        if self.newline == "\r\n":
            found.append("CRLF line endings")
        if self.ends_in_returns:
            found.append("CR line endings")
        return found

    def encode(self) -> bytes:
        """The file's bytes.

        Raises:
            UnicodeEncodeError: when the encoding lacks a character.
        """
        content = self.content.replace("\n", "\r") if self.ends_in_returns else self.content
        return self.bom + content.encode(self.encoding)


def decode(data: bytes) -> Text | None:
    """The text of a file, or None when it is not text."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _decode(data, encoding, bom)
    if b"\0" in data:
        return None
    text = _decode(data, "utf-8", b"")
    if (text is None or data.isascii()) and not _BINARY.search(data) and (stated := declared(data)):
        return text if text and _is_utf_8(stated) else _decode(data, stated, b"")
    if text is None and not _BINARY.search(data):
        found = guess(data)
        text = _decode(data, found.encoding, b"")
        guessed = text.content if text and found.encoding == "latin-1" else ""
        return text and replace(text, others=found.others, guessed=guessed)
    return text


def _is_utf_8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in {"utf-8", "ascii", "utf-8-sig"}


def is_utf_32(head: bytes) -> bool:
    """Whether a file that begins so says that it is in UTF-32."""
    return head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE))


def _decode(data: bytes, encoding: str, bom: bytes) -> Text | None:
    try:
        content = data[len(bom) :].decode(encoding)
    except UnicodeDecodeError:
        return None
    if "\r" in content and "\n" not in content:
        return Text(content.replace("\r", "\n"), encoding, bom, ends_in_returns=True)
    return Text(content, encoding, bom)


def numbered(lines: Sequence[str], first: int, *, width: int = 2000) -> str:
    """Lines as `  12<tab>text`, the first one numbered `first`, each cut at `width` characters."""
    return "\n".join(f"{number:>5}\t{_cut(line, width)}" for number, line in enumerate(lines, first))


def _cut(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    return f"{line[:width]} [line cut: {width:,} of its {len(line):,} characters shown]"
