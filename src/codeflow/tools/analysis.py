"""Tools that read code as code: outlines, and the map of the repository."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from codeflow.core.places import cache_home
from codeflow.core.text import printable
from codeflow.core.values import Effect, ToolResult
from codeflow.syntax.catalogue import LANGUAGES
from codeflow.syntax.language import Language
from codeflow.syntax.languages import language_of
from codeflow.syntax.parsing import MAX_BYTES, Unparsable
from codeflow.syntax.problems import problems, unread_lines
from codeflow.syntax.tags import Definition, outline
from codeflow.tools.search import listed
from codeflow.tools.text import Text
from codeflow.tools.tool import Mistake, argument, tool
from codeflow.tools.workspace import Workspace

_MOST_DEFINITIONS = 400
_LARGEST_MAP_TOKENS = 8_000


@tool(effect=Effect.READ, summary=argument("focus"))
async def repo_map(ws: Workspace, focus: str = "", tokens: int = 1500) -> ToolResult:
    """Show the most important definitions of the repository by file, ranked by who refers to them.

    Args:
        focus: What matters: words, names or file names of the task.
        tokens: Size of the map, up to 8000.
    """
    from codeflow.syntax.repomap import repository_map  # brings sqlite3

    if tokens < 1:
        raise Mistake("tokens begins at 1; 1500 is usual.")
    paths = [path for path in await listed_files(ws, ws.root) if not ws.secret(path)]
    text = await asyncio.to_thread(
        repository_map,
        ws.root,
        paths,
        task=focus,
        tokens=min(tokens, _LARGEST_MAP_TOKENS),
        cache=cache_home(ws.env),
    )
    if not text:
        raise Mistake(
            "No definition fits: no code in a known language, or too few tokens. Use list_directory."
        )
    return ToolResult(content=text, display=f"{len(text.splitlines())} lines")


@tool(effect=Effect.READ, summary=argument("path"))
async def parse_ast(ws: Workspace, path: str, depth: int = 3) -> ToolResult:
    """Outline a source file: classes, functions and other definitions with their line ranges, and syntax errors.

    Args:
        path: File, relative to the workspace.
        depth: Levels of nesting to show.
    """
    real, _, text = ws.read(path)
    language = _language(path, text)
    try:
        definitions = await asyncio.to_thread(outline, real.name, text.content)
        unread = await asyncio.to_thread(unread_lines, real.name, text.content)
    except Unparsable as reason:
        errors = await asyncio.to_thread(problems, real.name, text.content)
        why = "; ".join([str(reason), *errors])
        raise Mistake(
            f"{path} could not be parsed as {language.name}: {why}. Use search_files, then read_file with start_line."
        ) from reason
    errors = await asyncio.to_thread(problems, real.name, text.content)
    lines = [outline_line(item) for item in definitions if item.depth < max(depth, 1)]
    notes = _notes(lines, len(definitions) - len(lines), errors)
    if unread:
        notes.append(
            f"[the {language.name} grammar could not read lines {', '.join(unread)}; definitions may be missing there]"
        )
    if not language.queries:
        notes.append(f"[a generic outline of {language.name}; it may leave out definitions]")
    return ToolResult(
        content="\n".join([*(lines[:_MOST_DEFINITIONS] or ["No definitions."]), *notes]),
        display=f"{len(definitions)} definitions",
    )


def _language(path: str, text: Text) -> Language:
    """The language of a file; a Mistake when no grammar for it is at hand."""
    language = language_of(path, text.content)
    if language is None:
        raise Mistake(
            f"No grammar for {path}: its name tells none of the {len(LANGUAGES)} languages known. "
            "Use read_file or search_files."
        )
    if not language.installed:
        raise Mistake(
            f"The grammar for {language.name} is not installed; the user can add it with pip install "
            "'codeflow[grammars]'. Use read_file or search_files."
        )
    if len(text.content) > MAX_BYTES:
        raise Mistake(f"{path} is too large to parse. Use search_files, then read_file with start_line.")
    return language


def outline_line(item: Definition) -> str:
    """A definition with its lines, indented by what stands around it."""
    where = f"{item.line}-{item.end_line}" if item.end_line > item.line else f"{item.line}"
    return f"{'  ' * item.depth}{where} {item.kind}: {printable(item.signature)}"


def _notes(lines: Sequence[str], deeper: int, errors: Sequence[str]) -> list[str]:
    notes = [f"[syntax error, {error}]" for error in errors]
    if len(lines) > _MOST_DEFINITIONS:
        notes.append(f"[{len(lines) - _MOST_DEFINITIONS:,} more; pass a smaller depth, or use search_files]")
    if deeper:
        notes.append(f"[{deeper:,} nested deeper; pass a larger depth]")
    return notes


async def listed_files(ws: Workspace, where: Path) -> list[str]:
    """Files below a folder that git does not ignore, sorted; a file itself."""
    _, names = await listed(ws, ws.relative(where))
    return names
