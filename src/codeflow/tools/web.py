"""Tools that read the internet. What they bring is data, never instructions."""

import asyncio
import re
from urllib.parse import urlsplit

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.stackoverflow import find_questions
from codeflow.tools.tool import Mistake, argument, tool
from codeflow.tools.untrusted import page_text
from codeflow.tools.web_client import Page, fetch
from codeflow.tools.web_providers import search
from codeflow.tools.workspace import Workspace

_MOST_RESULTS = 10
_TEXT_TYPES = re.compile(r"text/.*|application/(.*\+)?(json|xml|yaml|toml|javascript|x-sh|x-python)|")
_HTML_TYPES = {"text/html", "application/xhtml+xml"}


@tool(effect=Effect.NETWORK, summary=argument("url"))
async def fetch_page(ws: Workspace, url: str, start: int = 0) -> ToolResult:
    """Read a public web page as Markdown text.

    Args:
        url: An http or https address.
        start: Character to go on from.
    """
    if not re.match("https?://", url, re.IGNORECASE):
        raise Mistake(f"{url} is not an http or https address; read files with read_file.")
    page = await fetch(url, allow_private=ws.research.allow_private)
    text = await asyncio.to_thread(_page_text, page)
    if start and not 0 < start < len(text):
        raise Mistake(f"The page has {len(text):,} characters; start {start} is beyond its end.")
    end = min(len(text), start + ws.settings.output_limit_chars)
    content = page_text(text[start:end]) or "(no text)"
    if end < len(text):
        content += f"\n[characters {start:,}-{end:,} of {len(text):,}; go on with start={end}]"
    elif not page.complete:
        content += "\n[the page goes on, but it is too large to read further]"
    host = urlsplit(page.url).netloc
    return ToolResult(content=content, display=f"{len(text):,} characters from {host}", source=page.url)


@tool(effect=Effect.NETWORK, summary=argument("query"))
async def web_search(ws: Workspace, query: str, count: int = 5) -> ToolResult:
    """Search the web: titles, addresses and excerpts. Read a hit with fetch_page.

    Args:
        query: What to look for.
        count: Up to 10.
    """
    hits = await search(ws.research, _asked(query), min(max(1, count), _MOST_RESULTS))
    if not hits:
        return ToolResult(content="No results; use other words.", display="no results")
    listed = "\n\n".join(f"{hit.title}\n{hit.url}\n{hit.excerpt}" for hit in hits)
    source = f"{ws.research.provider} search"
    return ToolResult(content=page_text(listed), display=f"{len(hits)} results", source=source)


@tool(effect=Effect.NETWORK, summary=argument("query"))
async def stackoverflow_search(ws: Workspace, query: str, count: int = 3) -> ToolResult:
    """Search Stack Overflow for questions, each with its best answer.

    Args:
        query: An error message or a question in a few words.
        count: Up to 10.
    """
    endpoint = ws.research.endpoints.get("stackexchange", "")
    if not endpoint:
        raise Mistake("Stack Overflow is switched off (research.endpoints.stackexchange); use docs_search.")
    found = await find_questions(endpoint, _asked(query), min(max(1, count), _MOST_RESULTS))
    if not found.questions:
        content = "No questions found; use fewer or other words."
    else:
        content = page_text("\n\n".join(found.questions))
    if found.wait_s:
        content += f"\n[Stack Overflow asks not to be asked again for {found.wait_s} s]"
    source = "Stack Overflow, CC BY-SA"
    return ToolResult(content=content, display=f"{len(found.questions)} questions", source=source)


def _asked(query: str) -> str:
    if not query.strip():
        raise Mistake("The query is empty.")
    return query.strip()


def _page_text(page: Page) -> str:
    if page.media_type in _HTML_TYPES:
        from codeflow.tools.html import html_text

        return html_text(page.body, page.encoding)
    if not _TEXT_TYPES.fullmatch(page.media_type):
        raise Mistake(f"{page.url} is {page.media_type}, not text; look for a page that describes it.")
    try:
        return page.body.decode(page.encoding, "replace")
    except LookupError:
        return page.body.decode(errors="replace")
