"""HTML as Markdown: what a reader of the page would read."""

import re

from bs4 import BeautifulSoup, Tag
from markdownify import MarkdownConverter

_UNREAD = ("script", "style", "noscript", "template", "svg", "iframe", "form", "nav", "footer")
_BLANK_LINES = re.compile(r"\n\s*\n\s*\n+")


def html_text(html: str | bytes, encoding: str | None = None) -> str:
    """The main part of a page, its title first; addresses of pictures are left out."""
    soup = BeautifulSoup(html, "html.parser", from_encoding=encoding if isinstance(html, bytes) else None)
    for element in soup.find_all(_UNREAD):
        element.decompose()
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    body = soup.find("main") or soup.find("article") or soup.body or soup
    text = _BLANK_LINES.sub("\n\n", _markdown(body)).strip()
    return f"{title}\n\n{text}" if title and not text.startswith(f"# {title}") else text


def _markdown(element: Tag) -> str:
    try:
        return str(MarkdownConverter(heading_style="ATX", strip=["img"]).convert_soup(element))
    except RecursionError:  # tags nested a thousand deep
        return element.get_text("\n", strip=True)
