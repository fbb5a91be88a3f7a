"""Models' Markdown, code and differences as parts of a page. Nothing in them becomes markup of its own."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from typing_extensions import override

from codeflow.cli.render.clean import clean
from codeflow.cli.render.html import Html, element, inner

_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_DIFFERENCE = re.compile(r"^(?:diff --git |@@ |--- .*\n\+\+\+ |[-+] *\d+\t)", re.MULTILINE)
_LINES = (
    (re.compile(r"diff |index |\+\+\+ |--- "), "file"),
    (re.compile(r"@@ "), "place"),
    (re.compile(r"\+"), "add"),
    (re.compile(r"-"), "cut"),
)

STYLE = """
.file, .place { color: var(--soft); } .add, .cut { display: inline-block; min-width: 100%; }
.add { background: var(--add); } .cut { background: var(--cut); }
blockquote { margin: .5rem 0; padding-left: .75rem; border-left: 3px solid var(--line); color: var(--soft); }
.prose > :first-child { margin-top: 0; } .prose h1, .prose h2, .prose h3 { font-size: 1.05rem; margin: 1rem 0 .25rem; }
"""


def prose(markdown: str) -> Html:
    """Markdown as it is meant to be read: HTML in it is text, pictures are not fetched, links lead to the web only."""
    return element("div", Html(_reader().render(clean(markdown).strip())), class_="prose")


def code(text: str) -> Html:
    """Text as it is, coloured where it is a difference."""
    shown = clean(text).rstrip("\n")
    return element("pre", difference(shown) if _DIFFERENCE.search(shown) else shown)


def difference(text: str) -> Html:
    """The lines of a unified diff, or of what editing tools answer, each marked as what it is."""
    lines = (_line(line) for line in text.splitlines())
    return Html("\n".join(lines))


def _line(line: str) -> Html:
    kind = next((kind for pattern, kind in _LINES if pattern.match(line)), None)
    return inner(line) if kind is None else element("span", line, class_=kind)


class _Reader(MarkdownIt):
    @override
    def validateLink(self, url: str) -> bool:
        return _LINK.match(url) is not None


@cache
def _reader() -> MarkdownIt:
    reader = _Reader("commonmark", {"html": False, "highlight": _highlighted})
    reader.enable(["table", "strikethrough"]).disable(["image", "html_block", "html_inline"])
    reader.add_render_rule("link_open", _link)
    return reader


def _highlighted(text: str, language: str, _attributes: str) -> str:
    """What stands in a block of code; the library escapes it where this is ""."""
    return difference(text) if language in {"diff", "patch"} else ""


def _link(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    tokens[index].attrSet("rel", "noreferrer noopener")
    return str(self.renderToken(tokens, index, options, env))
