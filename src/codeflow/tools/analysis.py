"""Tools that read code as code: outlines, complexity, and the map of the repository."""

import asyncio
import csv
import sys
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
from codeflow.tools.process import execute
from codeflow.tools.search import find_ripgrep
from codeflow.tools.text import Text
from codeflow.tools.tool import Mistake, argument, tool
from codeflow.tools.workspace import Workspace

_MOST_DEFINITIONS = 400
_MOST_FUNCTIONS = 100
_MOST_FILES_MEASURED = 2_000
_LARGEST_FILE_MEASURED = 500_000
_LARGEST_MAP_TOKENS = 8_000
_TIMEOUT_S = 60.0
_COLLECTED_CHARS = 20_000_000


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
    paths = await _files(ws, ws.root)
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


@tool(effect=Effect.READ, summary=argument("path"))
async def analyze_complexity(ws: Workspace, path: str = ".", max_results: int = 20) -> ToolResult:
    """List functions by cyclomatic complexity, the worst first, with their lines of code and parameters.

    Args:
        path: File or folder.
        max_results: Most functions to show, up to 100.
    """
    where = ws.resolve(path)
    if not where.exists():
        raise Mistake(f"{path} does not exist; list_directory shows what does.")
    found = await _files(ws, where)
    files = [name for name in found if _is_measurable(ws.root / name)]
    if not files:
        raise Mistake(f"{path} holds no source file that can be measured.")
    measured = files[:_MOST_FILES_MEASURED]
    functions = sorted(await _measure(ws, measured), key=lambda row: (-int(row[1]), row[6], int(row[9])))
    shown = functions[: min(max(max_results, 1), _MOST_FUNCTIONS)]
    lines = ["complexity  lines  parameters  function"]
    for lines_of_code, complexity, _, parameters, _, _, file, name, _, first, last in shown:
        place = f"{printable(file.removeprefix('./'))}:{first}-{last} {printable(name)}"
        lines.append(f"{complexity:>10}  {lines_of_code:>5}  {parameters:>10}  {place}")
    if len(shown) < len(functions):
        lines.append(f"[{len(shown)} of {len(functions):,} functions; narrow with path]")
    if len(measured) < len(files):
        lines.append(f"[only the first {len(measured):,} of {len(files):,} files; name a smaller folder]")
    return ToolResult(content="\n".join(lines), display=f"{len(functions)} functions")


def _is_measurable(file: Path) -> bool:
    """Whether lizard knows the language; it reads any other as if it were C."""
    from lizard_languages import get_reader_for  # type: ignore[import-untyped]  # it has no types

    if get_reader_for(file.name) is None:
        return False
    return file.is_file() and not file.is_symlink() and file.stat().st_size <= _LARGEST_FILE_MEASURED


async def _measure(ws: Workspace, files: Sequence[str]) -> list[list[str]]:
    """Rows of lizard: lines of code, complexity, tokens, parameters, length, place, file, name, long name, first, last.

    It runs in a process of its own: some inputs keep it busy for minutes.
    """
    outcome = await execute(
        [sys.executable, "-I", "-m", "lizard", "--csv", *(f"./{file}" for file in files)],
        cwd=ws.root,
        env=ws.reading_env,
        timeout_s=_TIMEOUT_S,
        output_limit_chars=_COLLECTED_CHARS,
    )
    if outcome.timed_out:
        raise Mistake(f"The measurement took more than {_TIMEOUT_S:g} s; name a smaller folder or one file.")
    if outcome.exit_code not in {0, 1}:
        raise Mistake(f"The measurement failed:\n{outcome.output[-1000:]}\nName a single file.")
    return [row for row in csv.reader(outcome.output.splitlines()) if len(row) == 11]  # noqa: PLR2004 - as listed


async def _files(ws: Workspace, where: Path) -> list[str]:
    """Files below a folder that git does not ignore, sorted; a file itself."""
    program = find_ripgrep(ws.reading_env)
    if program is None:
        raise Mistake(
            "ripgrep (rg) is not installed, which lists the files. Use list_directory and read_file."
        )
    options = "--no-config --files --hidden --no-require-git --no-messages --sort=path --glob=!.git"
    outcome = await execute(
        [program, *options.split(), "--", ws.relative(where)],
        cwd=ws.root,
        env=ws.reading_env,
        timeout_s=_TIMEOUT_S,
        output_limit_chars=_COLLECTED_CHARS,
    )
    return [line.removeprefix("./") for line in outcome.output.splitlines()]
