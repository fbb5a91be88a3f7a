"""The tool that lists functions by cyclomatic complexity, and says what it could not measure and why."""

import asyncio
import csv
import io
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.text import printable
from codeflow.core.values import Effect, ToolResult
from codeflow.syntax import complexity
from codeflow.syntax.languages import language_of
from codeflow.syntax.parsing import MAX_BYTES, Unparsable
from codeflow.syntax.problems import problems
from codeflow.tools.analysis import listed_files
from codeflow.tools.output import capped
from codeflow.tools.process import execute
from codeflow.tools.text import decode
from codeflow.tools.tool import Mistake, argument, tool
from codeflow.tools.workspace import Workspace

_MOST_FUNCTIONS = 100
_MOST_FILES_MEASURED = 2_000
_LARGEST_FILE_MEASURED = 500_000
_MOST_NAMED = 5
_TIMEOUT_S = 60.0
_COLLECTED_CHARS = 20_000_000
_FIRST_LINE_BYTES = 200

Function = complexity.Function
Measured = tuple[str, Function]
"""A file and a function of it."""


@dataclass(frozen=True, slots=True)
class _Sorted:
    """The files of a run by what measures them, and those that nothing measures by the reason."""

    by_syntax: list[str]
    by_lizard: list[str]
    left_out: dict[str, list[str]]


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
    files = await asyncio.to_thread(_sort, ws.root, await listed_files(ws, where))
    if not files.by_syntax and not files.by_lizard:
        raise Mistake(
            "\n".join([f"{path} holds no source file that can be measured.", *_notes(files.left_out)])
        )
    by_lizard, by_syntax = files.by_lizard[:_MOST_FILES_MEASURED], files.by_syntax[:_MOST_FILES_MEASURED]
    found = [
        *await _by_lizard(ws, by_lizard),
        *await asyncio.to_thread(_by_syntax, ws.root, by_syntax, files.left_out),
    ]
    await asyncio.to_thread(_note_broken, ws.root, by_lizard, found, files.left_out)
    found.sort(key=lambda row: (-row[1].complexity, row[0], row[1].line))
    shown = found[: min(max(max_results, 1), _MOST_FUNCTIONS)]
    lines = ["complexity  lines  parameters  function", *(_row(file, function) for file, function in shown)]
    if len(shown) < len(found):
        lines.append(f"[{len(shown)} of {len(found):,} functions; narrow with path]")
    measured, all_files = len(by_lizard) + len(by_syntax), len(files.by_lizard) + len(files.by_syntax)
    if measured < all_files:
        lines.append(f"[only the first {measured:,} of {all_files:,} files; name a smaller folder]")
    lines += _notes(files.left_out)
    return ToolResult(content="\n".join(lines), display=f"{len(found)} functions")


def _row(file: str, function: Function) -> str:
    place = f"{printable(file)}:{function.line}-{function.end_line} {printable(function.name)}"
    return f"{function.complexity:>10}  {function.code_lines:>5}  {function.parameters:>10}  {place}"


def _notes(left_out: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for reason, names in left_out.items():
        listed = ", ".join(capped([printable(name) for name in names], _MOST_NAMED, "more"))
        yield f"[{reason}: {listed}]"


def _sort(root: Path, names: Iterable[str]) -> _Sorted:
    """Only code counts; documents and data are nobody's loss."""
    from lizard_languages import get_reader_for  # type: ignore[import-untyped]  # it has no types

    files = _Sorted([], [], defaultdict(list))
    for name in names:
        file = root / name
        if not file.is_file() or file.is_symlink():
            continue
        language = language_of(name, _first_line(file))
        by_syntax = language is not None and language.name in complexity.MEASURED
        by_lizard = get_reader_for(file.name) is not None
        if file.stat().st_size > (MAX_BYTES if by_syntax else _LARGEST_FILE_MEASURED):
            reason = "not measured, as they are too large"
        elif by_syntax or by_lizard:  # lizard would read any other as if it were C
            (files.by_syntax if by_syntax else files.by_lizard).append(name)
            continue
        elif language is None:
            continue
        elif get_reader_for(f"x{language.endings[0]}"):
            reason = f"not measured, as their names do not end as {language.name}'s do"
        else:
            reason = f"not measured, as that is not possible for {language.name}"
        if by_lizard or (language and language.is_code):
            files.left_out[reason].append(name)
    return files


def _first_line(file: Path) -> str:
    """What may tell the language of a file without a suffix."""
    if file.suffix:
        return ""
    with file.open("rb") as opened:
        return opened.read(_FIRST_LINE_BYTES).decode("utf-8", "replace")


def _by_syntax(root: Path, names: Iterable[str], left_out: dict[str, list[str]]) -> list[Measured]:
    found: list[Measured] = []
    deadline = time.monotonic() + _TIMEOUT_S
    for name in names:
        if time.monotonic() > deadline:
            raise _too_slow()
        text = decode((root / name).read_bytes())
        language = language_of(name, text.content) if text else None
        if text is None or language is None:
            left_out["not measured, as they are no text"].append(name)
            continue
        try:
            functions, whole = complexity.functions(language, text.content)
        except Unparsable as reason:
            left_out[f"not measured: {reason}"].append(name)
            continue
        found += [(name, function) for function in functions]
        if not whole:
            left_out["with syntax errors, so that functions may be missing"].append(name)
    return found


def _note_broken(
    root: Path, names: Iterable[str], found: Iterable[Measured], left_out: dict[str, list[str]]
) -> None:
    """Lizard passes over a file that it cannot read as over one without functions."""
    with_functions = {file for file, _ in found}
    for name in names:
        text = decode((root / name).read_bytes()) if name not in with_functions else None
        if text and problems(name, text.content):
            left_out["with syntax errors, so that functions may be missing"].append(name)


async def _by_lizard(ws: Workspace, names: Sequence[str]) -> list[Measured]:
    """Lizard runs in a process of its own: some inputs keep it busy for minutes."""
    if not names:
        return []
    raw = bytearray()
    outcome = await execute(
        [sys.executable, "-I", "-m", "lizard", "--csv", *(f"./{name}" for name in names)],
        cwd=ws.root,
        env=ws.reading_env,
        timeout_s=_TIMEOUT_S,
        output_limit_chars=_COLLECTED_CHARS,
        also=lambda data: raw.extend(data[: _COLLECTED_CHARS - len(raw)]),
    )
    if outcome.timed_out:
        raise _too_slow()
    if outcome.exit_code not in {0, 1}:
        raise Mistake(f"The measurement failed:\n{outcome.output[-1000:]}\nName a single file.")
    rows = csv.reader(io.StringIO(os.fsdecode(bytes(raw)), newline=""))
    return [_of_lizard(row) for row in rows if len(row) == 11]  # noqa: PLR2004 - its columns


def _of_lizard(row: Sequence[str]) -> Measured:
    """Its columns: code lines, complexity, tokens, parameters, length, place, file, name, long name, first, last."""
    code_lines, branches, _, parameters, _, _, file, name, _, first, last = row
    function = Function(name, int(first), int(last), int(parameters), int(code_lines), int(branches))
    return file.removeprefix("./"), function


def _too_slow() -> Mistake:
    return Mistake(f"The measurement took more than {_TIMEOUT_S:g} s; name a smaller folder or one file.")
