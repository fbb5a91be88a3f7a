"""The tools that search text and file names, on ripgrep."""

import shutil
import sysconfig
from collections.abc import Callable, Mapping
from itertools import groupby

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.output import plain
from codeflow.tools.process import Outcome, execute
from codeflow.tools.tool import Arguments, Mistake, one_line, tool
from codeflow.tools.workspace import Workspace

_TIMEOUT_S = 30.0
_COLLECTED_CHARS = 2_000_000
_LONGEST_LINE = 300
_MOST_LINES = 300
_MOST_FILES = 200
_LISTED_CHARS = 20_000_000
_BINARY = "binary file matches"
_SEPARATOR = "\u241f"
_EVERYWHERE = ("--no-config", "--color=never", "--sort=path", "--hidden", "--no-require-git", "--glob=!.git")
_LINES = (
    "--no-heading",
    "--crlf",
    "--with-filename",
    "--line-number",
    f"--max-columns={_LONGEST_LINE}",
    "--max-columns-preview",
    f"--field-match-separator={_SEPARATOR}",
)


def _summary(arguments: Arguments) -> str:
    where = [str(arguments[name]) for name in ("path", "glob") if arguments.get(name) not in (None, ".")]
    return " in ".join([str(arguments.get("pattern") or ""), *where])


@tool(effect=Effect.READ, summary=_summary)
async def search_files(
    ws: Workspace,
    pattern: str,
    path: str = ".",
    glob: str | None = None,
    max_results: int = 100,
    *,
    skip: int = 0,
) -> ToolResult:
    """Search file contents with a regular expression (ripgrep's). What git ignores is left out.

    Args:
        pattern: Matched line by line; `(?i)` ignores case.
        path: File or folder.
        glob: Only such paths: *.py, src/**/*.ts.
        max_results: Up to 300.
        skip: Matches to pass over.
    """
    narrow = [f"--glob={glob}"] if glob else []
    command = [*_LINES, *narrow, f"--regexp={pattern}"]
    raw = bytearray()
    outcome = await _ripgrep(ws, path, command, most_chars=_COLLECTED_CHARS, also=raw.extend)
    lines = raw[:_COLLECTED_CHARS].decode("utf-8", "replace").split("\n")
    hits = [line.split(_SEPARATOR, 2) for line in lines if line.count(_SEPARATOR) > 1]
    binary = [line for line in lines if _SEPARATOR not in line and _BINARY in line]
    if not hits and outcome.timed_out:
        raise Mistake(f"Nothing found in {_TIMEOUT_S:g} s; narrow the search with path or glob.")
    if not hits and outcome.exit_code != 1 and not binary:
        raise Mistake(f"The search failed:\n{outcome.output.strip()}\nA literal ( [ . * needs a backslash.")
    if hits and glob:  # to ripgrep, a glob outranks what git ignores
        visible = set(await visible_files(ws, path))
        hits = [hit for hit in hits if hit[0] in visible]
    if not hits:
        return ToolResult(content="\n".join(["No matches.", *binary]), display="no matches")
    complete = not outcome.timed_out and outcome.total_chars < _COLLECTED_CHARS
    return _answer(hits, binary, max(0, skip), min(max(1, max_results), _MOST_LINES), complete=complete)


def _answer(hits: list[list[str]], binary: list[str], skip: int, most: int, *, complete: bool) -> ToolResult:
    total = f"{len(hits):,}" if complete else f"more than {len(hits):,}"
    shown = hits[skip : skip + most]
    if not shown:
        raise Mistake(f"There are {total} matching lines; skip {skip} is beyond them.")
    parts = []
    for path, lines in groupby(shown, key=lambda hit: hit[0].removeprefix("./")):
        parts.append("\n".join([path, *(f"{number:>5}\t{_shown(text)}" for _, number, text in lines)]))
    reached = skip + len(shown)
    if reached < len(hits):
        parts.append(
            f"[{len(shown)} of {total} matching lines; go on with skip={reached}, or narrow with path, glob or pattern]"
        )
    elif not complete:
        parts.append(f"[{len(shown)} of {total} matching lines; narrow with path, glob or pattern]")
    if binary and reached == len(hits):
        parts.append("\n".join(binary))
    return ToolResult(content="\n\n".join(parts), display=f"{total} lines")


def _shown(text: str) -> str:
    """The line without terminal escapes; a carriage return within it must not hide what stands before."""
    return plain(text.removesuffix("\r").replace("\r", "\\r").encode())


@tool(effect=Effect.READ, summary=_summary)
async def glob(ws: Workspace, pattern: str, path: str = ".", skip: int = 0) -> ToolResult:
    """List files by their path. What git ignores is left out.

    Args:
        pattern: *.py (at any depth), src/**/test_*.ts (from the workspace).
        path: Folder to look in.
        skip: Files to pass over.
    """
    matching = set(await visible_files(ws, path, f"--glob={pattern}"))
    names = [name for name in await visible_files(ws, path) if name in matching]
    first = max(0, skip)
    shown = names[first : first + _MOST_FILES]
    if not shown:
        problem = f"; there are {len(names)} in all" if names else f" {pattern}"
        return ToolResult(content=f"No files match{problem}.", display="no files")
    lines = [one_line(name.removeprefix("./")) for name in shown]
    if first + len(shown) < len(names):
        lines.append(
            f"[files {first + 1}-{first + len(shown)} of {len(names):,}; go on with skip={first + len(shown)}]"
        )
    return ToolResult(content="\n".join(lines), display=f"{len(names):,} files")


async def visible_files(ws: Workspace, path: str, *narrow: str) -> list[str]:
    """The files that nothing ignores, sorted, as ripgrep writes them."""
    outcome = await _ripgrep(ws, path, ["--files", *narrow], most_chars=_LISTED_CHARS)
    if outcome.timed_out or outcome.exit_code not in (0, 1):
        problem = "took too long" if outcome.timed_out else f"failed:\n{outcome.output.strip()}"
        raise Mistake(f"Listing files {problem}; correct or narrow path and pattern.")
    return outcome.output.splitlines()


async def _ripgrep(
    ws: Workspace,
    path: str,
    command: list[str],
    *,
    most_chars: int,
    also: Callable[[bytes], None] | None = None,
) -> Outcome:
    """`also` gets the output as it is, while the outcome's is as a terminal would show it."""
    program = find_ripgrep(ws.reading_env)
    if program is None:
        raise Mistake("ripgrep (rg) is not installed; use run_command with grep -rn instead.")
    where = ws.resolve(path)
    if not where.exists():
        raise Mistake(f"{path} does not exist; list_directory shows what does.")
    return await execute(
        [program, *_EVERYWHERE, *command, "--", ws.relative(where)],
        cwd=ws.root,
        env=ws.reading_env,
        timeout_s=_TIMEOUT_S,
        output_limit_chars=most_chars,
        also=also,
    )


def find_ripgrep(env: Mapping[str, str]) -> str | None:
    """Path of rg: from PATH, else the one that came with codeflow."""
    return shutil.which("rg", path=env.get("PATH")) or shutil.which("rg", path=sysconfig.get_path("scripts"))
