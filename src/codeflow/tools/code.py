"""Tools that read code by its meaning, on language servers; without one, text search stands in and says so."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from codeflow.core.text import printable
from codeflow.core.values import Effect, ToolResult
from codeflow.syntax.parsing import Unparsable
from codeflow.syntax.tags import outline, tags
from codeflow.tools.analysis import outline_line
from codeflow.tools.lsp.languages import language_name
from codeflow.tools.lsp.values import Diagnostic, Location, NoAnswer, Symbol
from codeflow.tools.output import capped
from codeflow.tools.python_classes import keywords
from codeflow.tools.symbols import (
    also_written,
    ask_about,
    defines,
    last_name,
    paths,
    source_files,
    source_globs,
    symbols_of,
    written,
)
from codeflow.tools.text import Text, decode, numbered
from codeflow.tools.tool import Arguments, Mistake, argument, tool
from codeflow.tools.workspace import Workspace

_MOST_LINES = 200
_MOST_FILES = 10
_MOST_PATTERNS = 20
_MOST_LANGUAGES = 3
_MOST_OUTLINED = 500
"""Files of one language that are parsed for want of a server."""
_LONGEST_LINE = 200
_LONGEST_HOVER = 4_000
_DEFINITION_LINES = 15
_MOST_DEFINITIONS = 5
_EDIT_WAIT_S = 3.0
"""TypeScript's older server needs nearly 2 s for the problems of before and after."""
_REST = "more below; use read_file"


def _place(arguments: Arguments) -> str:
    symbol, path, line = (arguments.get(name) for name in ("symbol", "path", "line"))
    return (
        f"{symbol} in {path}:{line}"
        if path and line
        else f"{symbol} in {path}"
        if path
        else str(symbol or "")
    )


@tool(effect=Effect.READ, summary=_place)
async def find_references(ws: Workspace, symbol: str, path: str = "", line: int = 0) -> ToolResult:
    """Find every use of a function, class or variable, its definition included.

    Args:
        symbol: Its name, such as total or Order.total.
        path: A file that mentions it, when the name alone is ambiguous.
        line: A line of that file where it stands.
    """
    hits = await written(ws, last_name(symbol), source_globs(ws))
    try:
        answer = await ask_about(
            ws, symbol, path, line, lambda server, at: server.references(at.path, at.position, paths(hits))
        )
    except NoAnswer as reason:
        return await _by_text(ws, last_name(symbol), reason)
    found = answer.locations
    parts = [_listing(ws, found) if found else f"No use of {symbol} is known."]
    if not answer.complete:
        parts.append("[the language server is still reading the project; uses may be missing]")
    known = {(location.path, location.start.line + 1) for location in found}
    patterns = await asyncio.to_thread(keywords, paths(hits), last_name(symbol))
    rows = [
        f"{_name(ws, at.path)}:{at.line}: {at.text}" for at in patterns if (at.path, at.line) not in known
    ]
    if rows:
        shown = capped(rows, _MOST_PATTERNS, "more")
        parts.append(
            "\n".join(["Patterns that take the name too, which the language server does not know:", *shown])
        )
    parts += also_written(ws, hits, {location.path for location in found})
    return ToolResult(content="\n\n".join(parts), display=f"{len(found)} references")


@tool(effect=Effect.READ, summary=_place)
async def go_to_definition(ws: Workspace, symbol: str, path: str = "", line: int = 0) -> ToolResult:
    """Show where a name is defined, also in installed packages, with its first lines.

    Args:
        symbol: The name.
        path: A file that mentions it.
        line: A line of that file where it stands.
    """
    try:
        found = await ask_about(
            ws, symbol, path, line, lambda server, at: server.definition(at.path, at.position)
        )
    except NoAnswer as reason:
        return await _by_text(ws, last_name(symbol), reason, only_definitions=True)
    if not found:
        raise Mistake(
            f"No definition of {symbol} is known. Give path and line of a use, or use search_files."
        )
    pieces = [_opening(ws, location) for location in found[:_MOST_DEFINITIONS]]
    if len(found) > _MOST_DEFINITIONS:
        pieces.append(f"[{len(found) - _MOST_DEFINITIONS} more definitions; give path and line of one use]")
    return ToolResult(content="\n\n".join(pieces), display=_name(ws, found[0].path))


@tool(effect=Effect.READ, summary=_place)
async def get_type_info(ws: Workspace, symbol: str, path: str = "", line: int = 0) -> ToolResult:
    """Show the type or signature and the documentation of a name.

    Args:
        symbol: The name.
        path: A file that mentions it.
        line: A line of that file where it stands.
    """
    try:
        text = await ask_about(ws, symbol, path, line, lambda server, at: server.hover(at.path, at.position))
    except NoAnswer as reason:
        return await _by_text(ws, last_name(symbol), reason, only_definitions=True)
    if not text:
        raise Mistake(f"Nothing is known of {symbol} there. Give path and line of a use in code.")
    if len(text) > _LONGEST_HOVER:
        text = f"{text[:_LONGEST_HOVER]}\n[cut; go_to_definition shows where the whole text is]"
    return ToolResult(content=text, display=text.strip("`\n").partition("\n")[0])


@tool(effect=Effect.READ, summary=argument("path"))
async def document_symbols(ws: Workspace, path: str) -> ToolResult:
    """List the classes, functions and variables that a file defines, with their lines.

    Args:
        path: The file.
    """
    real, _, text = ws.read(path)
    try:
        found = await symbols_of(ws, real)
    except NoAnswer as reason:
        return await _by_syntax(path, text, reason)
    content = (
        "\n".join(capped([_outline(symbol) for symbol in found], _MOST_LINES, _REST))
        or f"{path} defines nothing ({len(text.lines)} lines)."
    )
    return ToolResult(content=content, display=f"{len(found)} symbols")


@tool(effect=Effect.READ, summary=argument("query"))
async def workspace_symbols(ws: Workspace, query: str) -> ToolResult:
    """Find classes, functions and variables of the whole project by part of their name.

    Args:
        query: Part of a name.
    """
    found: list[Symbol] = []
    notes: list[str] = []
    by_syntax = False
    for files in await _by_language(ws):
        try:
            found += await _named_like(ws, files[0], query)
        except NoAnswer as reason:
            named = await asyncio.to_thread(_named_by_syntax, ws, files[:_MOST_OUTLINED], query)
            by_syntax |= bool(named)
            notes += [str(reason), "By syntax alone:" if named else "Its syntax shows none either.", *named]
    ours = [symbol for symbol in found if symbol.at.path.is_relative_to(ws.root)]
    ours.sort(key=lambda symbol: (symbol.name.rpartition(".")[2] != query, symbol.at))
    lines = [
        f"{_name(ws, symbol.at.path)}:{symbol.at.start.line + 1} {symbol.kind} {symbol.name}"
        for symbol in ours
    ]
    if not lines and not by_syntax:
        lines = [f"No symbol has {query!r} in its name; search_files searches all text."]
    shown = capped(lines, _MOST_LINES, "more; ask for a longer part of the name")
    return ToolResult(content="\n".join([*shown, *notes]), display=f"{len(ours)} symbols")


async def _named_like(ws: Workspace, file: Path, query: str) -> list[Symbol]:
    """The symbols of the project that a file belongs to."""
    return await ws.servers.ask(file, lambda server: server.workspace_symbols(file, query))


@tool(effect=Effect.READ, summary=argument("path"))
async def diagnostics(ws: Workspace, path: str) -> ToolResult:
    """List the errors and warnings of a file, as its language server sees them.

    Args:
        path: The file.
    """
    real, _, _ = ws.read(path)
    try:
        found = await ws.servers.ask(real, lambda server: server.diagnostics(real))
    except NoAnswer as reason:
        raise NoAnswer(f"{reason}\nrun_linter and run_tests find problems without one.") from reason
    lines = capped([describe(problem) for problem in found], _MOST_LINES, "more below; correct these first")
    return ToolResult(
        content="\n".join(lines) or f"No problems reported in {path}.", display=f"{len(found)} problems"
    )


async def new_diagnostics(ws: Workspace, real: Path, before: str) -> list[str]:
    """Problems, a line each, that a file has now and did not have with its text of before the edit.

    Quick, and empty, unless a server for the language is running already.
    """
    return [describe(problem) for problem in await ws.servers.introduced(real, before, _EDIT_WAIT_S)]


def describe(problem: Diagnostic) -> str:
    message = " ".join(problem.message.split())
    return f"{problem.line + 1}: {problem.severity}: {message}" + (
        f" [{problem.code}]" if problem.code else ""
    )


def _listing(ws: Workspace, found: Sequence[Location]) -> str:
    """The lines where something stands, under the names of their files."""
    shown = found[:_MOST_LINES]
    parts = []
    for path, places in groupby(shown, key=lambda location: location.path):
        texts = _lines(path)
        rows = [_row(texts, number) for number in dict.fromkeys(place.start.line for place in places)]
        parts.append("\n".join([_name(ws, path), *rows]))
    if rest := found[len(shown) :]:
        files = ", ".join(
            _name(ws, path) for path in list(dict.fromkeys(place.path for place in rest))[:_MOST_FILES]
        )
        parts.append(f"[{len(rest)} more uses left out, in {files}; search_files with a path shows them]")
    return "\n\n".join(parts)


def _row(texts: Sequence[str], number: int) -> str:
    text = texts[number] if number < len(texts) else ""
    return f"{number + 1:>5}\t{text[:_LONGEST_LINE]}"


def _lines(path: Path) -> list[str]:
    text = decode(path.read_bytes())
    return text.lines if text else []


def _opening(ws: Workspace, location: Location) -> str:
    first = location.start.line
    lines = _lines(location.path)[first : first + _DEFINITION_LINES]
    return f"{_name(ws, location.path)}:{first + 1}\n{numbered(lines, first + 1, width=_LONGEST_LINE)}"


def _name(ws: Workspace, path: Path) -> str:
    return printable(ws.relative(path) if path.is_relative_to(ws.root) else str(path))


def _outline(symbol: Symbol) -> str:
    first, last = symbol.at.start.line + 1, symbol.last_line + 1
    lines = f"{first}-{last}" if last > first else str(first)
    return f"{'  ' * symbol.depth}{lines} {symbol.kind} {symbol.name.rpartition('.')[2]}"


async def _by_syntax(path: str, text: Text, reason: NoAnswer) -> ToolResult:
    """What the grammar of its language makes of a file, for want of a server."""
    try:
        found = await asyncio.to_thread(outline, path, text.content)
    except Unparsable as why:
        raise NoAnswer(f"{reason}\nNor could {path} be parsed: {why}. Use search_files.") from why
    if not found:
        raise NoAnswer(f"{reason}\nIts syntax shows no definitions either; use read_file.") from reason
    lines = capped([outline_line(item) for item in found], _MOST_LINES, _REST)
    content = "\n".join([str(reason), "By syntax alone, the file defines:", "", *lines])
    return ToolResult(content=content, display=f"{len(found)} symbols, by syntax")


async def _by_language(ws: Workspace) -> list[list[Path]]:
    """The files of each of the languages that the workspace has most files of."""
    by_language = defaultdict(list)
    for file in await source_files(ws):
        by_language[language_name(ws.servers.languages, file)].append(file)
    return sorted(by_language.values(), key=len, reverse=True)[:_MOST_LANGUAGES]


def _named_by_syntax(ws: Workspace, files: Sequence[Path], query: str) -> list[str]:
    """Definitions with the query in their name, for want of a server."""
    lines = []
    for file in files:
        with contextlib.suppress(Mistake):
            path, _, text = ws.read(ws.relative(file))
            found = tags(ws.relative(path), text.content).definitions
            lines += [
                f"{printable(ws.relative(path))}:{item.line} {item.kind} {item.qualified}"
                for item in found
                if query.lower() in item.name.lower()
            ]
    return list(capped(lines, _MOST_LINES, "more; ask for a longer part of the name"))


async def _by_text(
    ws: Workspace, name: str, reason: NoAnswer, *, only_definitions: bool = False
) -> ToolResult:
    """The lines in which the word stands, or those that look like its definition, for want of a server."""
    hits = await written(ws, name)
    if only_definitions:
        hits = [hit for hit in hits if defines(name, hit.text)]
    what = "look like definitions" if only_definitions else "hold the word"
    if not hits:
        raise NoAnswer(f"{reason}\nBy text search, no lines {what} {name!r}.")
    places = [Location(hit.path, hit.position, hit.position) for hit in hits]
    content = f"{reason}\nBy text search, these lines {what}:\n\n{_listing(ws, places)}"
    return ToolResult(content=content, display=f"{len(hits)} lines, by text search")
