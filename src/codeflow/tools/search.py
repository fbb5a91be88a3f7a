"""The tool that searches text, on ripgrep."""

import shutil
import sysconfig
from collections.abc import Mapping
from itertools import groupby

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.process import execute
from codeflow.tools.tool import Arguments, Mistake, tool
from codeflow.tools.workspace import Workspace

_TIMEOUT_S = 30.0
_COLLECTED_CHARS = 2_000_000
_LONGEST_LINE = 300
_MOST_LINES = 300
_SEPARATOR = "\u241f"


def _summary(arguments: Arguments) -> str:
    where = [str(arguments[name]) for name in ("path", "glob") if arguments.get(name) not in (None, ".")]
    return " in ".join([str(arguments.get("pattern") or ""), *where])


@tool(effect=Effect.READ, summary=_summary)
async def search_files(
    ws: Workspace, pattern: str, path: str = ".", glob: str | None = None, max_results: int = 100
) -> ToolResult:
    """Search file contents with a regular expression (ripgrep's; `(?i)` ignores case). Files that git ignores are left out.

    Args:
        pattern: Regular expression, matched line by line.
        path: File or folder to search in.
        glob: Only files whose path matches, such as *.py or src/**/*.ts.
        max_results: Most lines to show, up to 300.
    """
    program = find_ripgrep(ws.reading_env)
    if program is None:
        raise Mistake("ripgrep (rg) is not installed; use run_command with grep -rn instead.")
    where = ws.resolve(path)
    if not where.exists():
        raise Mistake(f"{path} does not exist; list_directory shows what does.")
    options = (
        "--no-config --no-heading --with-filename --line-number --color=never --sort=path --hidden "
        f"--no-require-git --max-columns={_LONGEST_LINE} --max-columns-preview"
    )
    command = [program, *options.split(), "--glob=!.git", f"--field-match-separator={_SEPARATOR}"]
    if glob:
        command.append(f"--glob={glob}")
    outcome = await execute(
        [*command, f"--regexp={pattern}", "--", ws.relative(where)],
        cwd=ws.root,
        env=ws.reading_env,
        timeout_s=_TIMEOUT_S,
        output_limit_chars=_COLLECTED_CHARS,
    )
    hits = [line for line in outcome.output.split("\n") if line.count(_SEPARATOR) > 1]
    if not hits and outcome.timed_out:
        raise Mistake(f"Nothing found in {_TIMEOUT_S:g} s; narrow the search with path or glob.")
    if not hits and outcome.exit_code != 1:
        raise Mistake(f"The search failed:\n{outcome.output.strip()}\nA literal ( [ . * needs a backslash.")
    if not hits:
        return ToolResult(content="No matches.", display="no matches")
    complete = not outcome.timed_out and outcome.total_chars < _COLLECTED_CHARS
    return _answer(hits, min(max(1, max_results), _MOST_LINES), complete=complete)


def _answer(hits: list[str], most: int, *, complete: bool) -> ToolResult:
    shown = [hit.split(_SEPARATOR, 2) for hit in hits[:most]]
    parts = []
    for path, lines in groupby(shown, key=lambda hit: hit[0].removeprefix("./")):
        parts.append("\n".join([path, *(f"{number:>5}\t{text}" for _, number, text in lines)]))
    total = f"{len(hits):,}" if complete else f"more than {len(hits):,}"
    if len(hits) > most or not complete:
        parts.append(f"[{len(shown)} of {total} matching lines; narrow with path, glob or pattern]")
    return ToolResult(content="\n\n".join(parts), display=f"{total} lines")


def find_ripgrep(env: Mapping[str, str]) -> str | None:
    """Path of rg: from PATH, else the one that came with codeflow."""
    return shutil.which("rg", path=env.get("PATH")) or shutil.which("rg", path=sysconfig.get_path("scripts"))
