"""The tool that searches documentation on this machine."""

import asyncio
import difflib
import sqlite3
from collections.abc import Sequence

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.docs_index import Found, bring_up_to_date, find, named_first, opened
from codeflow.tools.docs_sources import REPOSITORY, Source, sources
from codeflow.tools.tool import Arguments, Mistake, tool
from codeflow.tools.workspace import Workspace

_INDEX_SECONDS = 10.0
_MOST_HITS = 8
_LONGEST_BODY = 700


def _summary(arguments: Arguments) -> str:
    return " in ".join(str(arguments[name]) for name in ("query", "package") if arguments.get(name))


@tool(effect=Effect.READ, summary=_summary)
async def docs_search(ws: Workspace, query: str, package: str = "") -> ToolResult:
    """Search documentation offline: installed Python packages, in their versions here; Python; this repository's Markdown.

    Args:
        query: Names or words; add synonyms.
        package: Only this package; also "python" (standard library), "repository".
    """
    if not query.strip():
        raise Mistake("The query is empty.")
    known = await sources(ws)
    chosen = _of_package(known, package) if package else known
    try:
        return await asyncio.to_thread(_answer, ws, query, chosen)
    except sqlite3.Error as error:
        raise Mistake(f"The index in {ws.cache} cannot be used ({error}); use search_files.") from error


def _of_package(known: Sequence[Source], package: str) -> list[Source]:
    names = {_normal(source.name): source.name for source in known}
    chosen = [source for source in known if _normal(source.name) == _normal(package)]
    if not chosen:
        near = [names[name] for name in difflib.get_close_matches(_normal(package), names, n=3)]
        hint = f" There is {' and '.join(near)}." if near else " Search without package, or with web_search."
        raise Mistake(f"{package} is not installed for this project.{hint}")
    return chosen


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


def _answer(ws: Workspace, query: str, chosen: list[Source]) -> ToolResult:
    with opened(ws.cache) as database:
        ready, waiting = bring_up_to_date(database, named_first(chosen, query), seconds=_INDEX_SECONDS)
        hits = find(database, query, ready, _MOST_HITS)
    parts = [_described(hit) for hit in hits] or ["Nothing found; use other words."]
    if waiting:
        parts.append(
            f"[{len(waiting)} of {len(chosen)} sources are not indexed yet, such as {waiting[0].name}; "
            "ask again or name the package]"
        )
    parts.append("[not what you need? try web_search or stackoverflow_search]")
    return ToolResult(content="\n\n".join(parts), display=f"{len(hits)} hits")


def _described(hit: Found) -> str:
    body = hit.entry.body
    cut = body if len(body) <= _LONGEST_BODY else f"{body[:_LONGEST_BODY].rstrip()}…"
    source = hit.source
    origin = "this repository" if source.name == REPOSITORY else f"{source.name} {source.version}"
    return f"{hit.entry.title}\n[{origin}, {hit.entry.place}]\n{cut}"
