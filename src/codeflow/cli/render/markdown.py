"""Markdown for a terminal: whole texts, and texts that come in pieces, shown block by block and never redrawn."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown
from rich.segment import Segment, Segments
from rich.syntax import Syntax
from rich.text import Text
from typing_extensions import override

from codeflow.cli.render.clean import clean
from codeflow.cli.render.console import is_rich

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^`\n]*)$")
_ITEM = re.compile(r"\s*([-*+]|\d+[.)])\s")
_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
_PARSER.disable("reference")
"""What stands in angle brackets is text, and so is where a link leads: a terminal would not show either."""
_CODE_THEME = "ansi_dark"
"""The terminal's own sixteen colours, without a background, which dark and light ones can show."""
_CODE_LINES = 40
"""Of a block of code that goes on; so much of it is shown before its end."""


class _LeftHeading(Heading):
    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = {}
    """Rich centres the first level."""


class _Code(CodeBlock):
    """Indented, with no more room around it than a paragraph has; a file's name in place of a language stands above."""

    info = ""

    @classmethod
    @override
    def create(cls, markdown: Markdown, token: Token) -> "_Code":
        made = cls(token.info.partition(" ")[0] or "text", markdown.code_theme)
        made.info = token.info
        return made

    @override
    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if re.search(r"[\s./]", self.info.strip()):
            yield Text(self.info.strip(), style="dim")
        code = str(self.text).rstrip()
        yield Syntax(code, self.lexer_name, theme=self.theme, word_wrap=True, padding=(0, 2))


class _Page(Markdown):
    elements: ClassVar = Markdown.elements | {
        "heading_open": _LeftHeading,
        "fence": _Code,
        "code_block": _Code,
    }

    def __init__(self, text: str) -> None:
        super().__init__("", code_theme=_CODE_THEME, hyperlinks=False)
        self.parsed = _PARSER.parse(text)


def show_markdown(console: Console, text: str) -> None:
    """A text as it is meant, where the console can show it, else as it was written.

    Addresses stand beside their links, since a link that looks like something else would be believed.
    """
    if is_rich(console):
        lines = console.render_lines(_Page(clean(text)), pad=False)
        console.print(Segments(_without_padding(lines)), end="")
    else:
        console.print(Text(clean(text).strip()), soft_wrap=True)


def _without_padding(lines: Iterable[list[Segment]]) -> Iterator[Segment]:
    """Lines as long as what they say, for whoever copies them or makes the window narrower."""
    for line in lines:
        while line and not line[-1].text.strip():
            line.pop()
        if line:
            line[-1] = Segment(line[-1].text.rstrip(), line[-1].style)
        yield from line
        yield Segment.line()


class Blocks:
    """Cuts a text that comes in pieces into blocks that can be shown on their own: whole paragraphs, lists, tables,
    and stretches of code.
    """

    def __init__(self) -> None:
        self._rest = ""
        self._block: list[str] = []
        self._fence = ""
        """The line that opened the code, while it goes on."""

    def feed(self, piece: str) -> Iterator[str]:
        """The blocks that are complete now."""
        *lines, self._rest = (self._rest + piece).split("\n")
        for line in lines:
            yield from self._line(line)

    def finish(self) -> Iterator[str]:
        """What is left at the end."""
        if self._rest:
            yield from self._line(self._rest)
            self._rest = ""
        yield from self._cut()

    def _line(self, line: str) -> Iterator[str]:
        if self._fence:
            yield from self._code(line)
        elif _FENCE.match(line):
            yield from self._cut()
            self._fence = line
            self._block = [line]
        else:
            if line.strip() and self._is_over(line):
                yield from self._cut()
            self._block.append(line)
            if not line.strip() and not _ITEM.match(self._block[0]):
                yield from self._cut()

    def _code(self, line: str) -> Iterator[str]:
        self._block.append(line)
        if _closes(line, self._fence):
            yield from self._cut()
            self._fence = ""
        elif len(self._block) > _CODE_LINES:
            self._block.append(_marks(self._fence))
            yield from self._cut()
            self._block = [self._fence]

    def _is_over(self, line: str) -> bool:
        """After a blank line a list goes on with what is indented and so belongs to an item."""
        return bool(self._block and not self._block[-1].strip() and not line[0].isspace())

    def _cut(self) -> Iterator[str]:
        block, self._block = "\n".join(self._block), []
        if block.strip() and block != self._fence:
            yield block


def _marks(fence: str) -> str:
    return fence.strip()[: len(fence.strip()) - len(fence.strip().lstrip("`~"))]


def _closes(line: str, fence: str) -> bool:
    found = _FENCE.match(line)
    return bool(found and not found[2].strip() and found[1].startswith(_marks(fence)))


class Stream:
    """Shows what an agent says while it says it."""

    def __init__(self, console: Console, redact: Callable[[str], str]) -> None:
        self._console = console
        self._redact = redact
        self._blocks = Blocks()
        self.text = ""
        """What has been said since the beginning."""

    def feed(self, piece: str) -> None:
        self.text += piece
        self._show(self._blocks.feed(piece))

    def finish(self) -> None:
        self._show(self._blocks.finish())

    def _show(self, blocks: Iterator[str]) -> None:
        for block in blocks:
            show_markdown(self._console, self._redact(block))
            self._console.print()
