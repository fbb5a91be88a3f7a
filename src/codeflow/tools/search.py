"""The tools that search text and file names, on ripgrep."""

import asyncio
import os
import re
import shutil
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from codeflow.core.text import printable
from codeflow.core.values import Effect, ToolResult
from codeflow.tools.output import capped, plain
from codeflow.tools.process import Outcome, execute
from codeflow.tools.text import is_utf_32
from codeflow.tools.tool import Arguments, Mistake, tool
from codeflow.tools.workspace import Workspace, special_kind

_TIMEOUT_S = 30.0
_COLLECTED_CHARS = 2_000_000
_LONGEST_LINE = 300
_AROUND_MATCH = 120
_MOST_LINES = 300
_MOST_FILES = 200
_MOST_FILES_NAMED = 20
_LISTED_CHARS = 20_000_000
SEPARATOR = "\u241f"
"""What stands between a line's number and its text."""
_BINARY = re.compile(r"(.+): binary file matches \(found .* byte around offset \d+\)\r?")
_CUT = re.compile(r" \[\.\.\. (?:omitted end of long line|\d+ more match(?:es)?)\]$")
_EVERYWHERE = ("--no-config", "--color=never", "--hidden", "--no-require-git", "--glob=!.git")
_LINES = (
    "--sort=path",
    "--no-heading",
    "--crlf",
    "--with-filename",
    "--line-number",
    "--null",
    f"--field-match-separator={SEPARATOR}",
)
_WHOLE_LINES = ("--binary", f"--max-columns={_LONGEST_LINE}", "--max-columns-preview")


@dataclass(frozen=True, slots=True)
class Hit:
    """A matching line of a file; `number` from 1, as ripgrep writes it."""

    path: str
    number: str
    text: str

    @property
    def is_cut(self) -> bool:
        return bool(_CUT.search(self.text.rstrip("\r")))


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
    if glob and ws.resolve(path).is_file():
        await _refuse_other_file(ws, path, glob)
        narrow = []
    command = [*_LINES, *_WHOLE_LINES, *narrow, f"--regexp={pattern}"]
    (outcome, raw), visible = await asyncio.gather(
        _ripgrep(ws, [path], command, most=_COLLECTED_CHARS), _narrowed(ws, path, narrow)
    )
    hits, binary = read_hits(raw)
    if not hits and outcome.timed_out:
        raise Mistake(f"Nothing found in {_TIMEOUT_S:g} s; narrow the search with path or glob.")
    if "multiline flag" in outcome.output and not hits:
        raise Mistake(
            "The pattern has a line break, and lines are matched one by one; search for one line of it."
        )
    if not hits and outcome.exit_code != 1 and not binary:
        raise Mistake(f"The search failed:\n{outcome.output.strip()}\nA literal ( [ . * needs a backslash.")
    if narrow:  # to ripgrep, a glob outranks what git ignores
        seen = set(visible)
        hits, binary = [hit for hit in hits if hit.path in seen], [name for name in binary if name in seen]
    hits, binary, unsearched = await asyncio.to_thread(_without_secrets, ws, visible, hits, binary)
    left_out = [
        *unsearched,
        *_binary_notes(binary),
        *await asyncio.to_thread(_unread_notes, ws.root, visible),
    ]
    if not hits:
        return ToolResult(
            content="\n".join(["No matches in text.", *left_out] if left_out else ["No matches."]),
            display="no matches",
        )
    first = max(0, skip)
    most = min(max(1, max_results), _MOST_LINES)
    page = await _around_matches(ws, pattern, hits[first : first + most])
    complete = not outcome.timed_out and outcome.total_chars < _COLLECTED_CHARS
    return _answer(page, first, len(hits), left_out, complete=complete)


def read_hits(raw: bytes) -> tuple[list[Hit], list[str]]:
    """The matching lines that ripgrep printed with `--null` and SEPARATOR, and the names of binary files that match.

    A name may have line breaks.
    """
    hits: list[Hit] = []
    binary: list[str] = []
    begun: list[str] = []
    for line in raw.decode("utf-8", "surrogateescape").split("\n"):
        path, ends_path, rest = line.partition("\0")
        if ends_path:
            number, _, text = rest.partition(SEPARATOR)
            hits.append(Hit(_bare("\n".join([*begun, path])), number, text))
        elif found := _BINARY.fullmatch(line):
            binary.append(_bare("\n".join([*begun, found[1]])))
        elif not line.startswith("rg: "):
            begun.append(line)
            continue
        begun = []
    return hits, binary


async def _narrowed(ws: Workspace, path: str, narrow: Sequence[str]) -> list[str]:
    """The files that are searched, as far as they can be listed."""
    _, names = await listed(ws, path)
    if not narrow:
        return names
    matching = set((await listed(ws, path, *narrow))[1])
    return [name for name in names if name in matching]


async def _refuse_other_file(ws: Workspace, path: str, glob: str) -> None:
    """A Mistake when a file is none that the glob means, which ripgrep does not ask of a file that it is given."""
    real = ws.resolve(path)
    beside = ("--no-ignore", "--max-depth=1", f"--glob={glob}")
    if ws.relative(real) not in await visible_files(ws, str(real.parent), *beside):
        raise Mistake(f"{path} is a file, and the glob {glob} leaves it out. Leave out one of the two.")


def _binary_notes(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    listed = capped([printable(name) for name in names], _MOST_FILES_NAMED, "more")
    all_of_them = ", ".join(listed)
    return [
        f"[matches in binary files (a NUL byte makes one), which run_command with grep -a shows: {all_of_them}]"
    ]


def _unread_notes(root: Path, names: Sequence[str]) -> list[str]:
    """What ripgrep cannot read, though read_file can."""
    unread = [printable(name) for name in names if is_utf_32(_head(f"{root}/{name}"))]
    if not unread:
        return []
    listed = capped(unread, _MOST_FILES_NAMED, "more")
    return [f"[not searched, as they are in UTF-32: {', '.join(listed)}; read_file reads them]"]


def _head(file: str) -> bytes:
    """The first four bytes; none of what cannot be read. Bare calls: it is asked of every file of a search."""
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO may have taken its place
    except OSError:
        return b""
    try:
        return os.read(opened, 4)
    except OSError:
        return b""
    finally:
        os.close(opened)


def _bare(name: str) -> str:
    return name.removeprefix("./")


async def _around_matches(ws: Workspace, pattern: str, hits: Sequence[Hit]) -> list[Hit]:
    """The hits, with the first match and what stands around it where the line is too long to show."""
    files = list(dict.fromkeys(hit.path for hit in hits if hit.is_cut))
    if not files:
        return list(hits)
    window = f".{{0,{_AROUND_MATCH}}}(?:{pattern}).{{0,{_AROUND_MATCH}}}"
    command = [*_LINES, "--only-matching", f"--max-columns={_LONGEST_LINE * 2}", f"--regexp={window}"]
    _, raw = await _ripgrep(ws, files, command, most=_COLLECTED_CHARS)
    windows: dict[tuple[str, str], str] = {}
    for hit in read_hits(raw)[0]:
        windows.setdefault((hit.path, hit.number), hit.text)
    return [_windowed(hit, windows.get((hit.path, hit.number), "")) for hit in hits]


def _windowed(hit: Hit, window: str) -> Hit:
    """The hit with a piece of its line in place of the line's beginning, unless the match cannot be shown."""
    piece = window.removesuffix("\r")
    if not hit.is_cut or not piece or piece.startswith("[Omitted long"):
        return hit
    beginning = "" if hit.text.startswith(piece[: 2 * _AROUND_MATCH]) else "… "
    return Hit(hit.path, hit.number, f"{beginning}{piece} … [a part of a long line]")


def _without_secrets(
    ws: Workspace, visible: Sequence[str], hits: Sequence[Hit], binary: Sequence[str]
) -> tuple[list[Hit], list[str], list[str]]:
    """The hits without those in files that hold credentials, and a line that names such files, hit or not."""
    named = {name for name in (*visible, *(hit.path for hit in hits), *binary) if ws.secret(name)}
    guarded = {name for name in named if _is_guarded(ws, name)}
    note = f"[not searched, since they hold credentials: {', '.join(sorted(map(printable, guarded)))}]"
    return (
        [hit for hit in hits if hit.path not in guarded],
        [name for name in binary if name not in guarded],
        [note] if guarded else [],
    )


def _is_guarded(ws: Workspace, name: str) -> bool:
    try:
        return bool(ws.secret(name, (ws.root / name).read_bytes()))
    except OSError:
        return True


def _answer(
    page: Sequence[Hit], first: int, count: int, left_out: Sequence[str], *, complete: bool
) -> ToolResult:
    total = f"{count:,}" if complete else f"more than {count:,}"
    if not page:
        raise Mistake(f"There are {total} matching lines; skip {first} is beyond them.")
    parts = []
    for path, lines in groupby(page, key=lambda hit: hit.path):
        parts.append("\n".join([printable(path), *(f"{hit.number:>5}\t{_shown(hit.text)}" for hit in lines)]))
    reached = first + len(page)
    if reached < count:
        parts.append(
            f"[{len(page)} of {total} matching lines; go on with skip={reached}, or narrow with path, glob or pattern]"
        )
    elif not complete:
        parts.append(f"[{len(page)} of {total} matching lines; narrow with path, glob or pattern]")
    if left_out and reached == count:
        parts.append("\n".join(left_out))
    return ToolResult(content="\n\n".join(parts), display=f"{total} lines")


def _shown(text: str) -> str:
    """The line without terminal escapes; a carriage return within it must not hide what stands before."""
    return plain(text.removesuffix("\r").replace("\r", "\\r").encode("utf-8", "surrogateescape"))


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
        problem = f"; there are {len(names)} in all." if names else f" {pattern}.{_glob_hint(pattern)}"
        return ToolResult(content=f"No files match{problem}", display="no files")
    lines = [printable(name) for name in shown]
    if first + len(shown) < len(names):
        lines.append(
            f"[files {first + 1}-{first + len(shown)} of {len(names):,}; go on with skip={first + len(shown)}]"
        )
    return ToolResult(content="\n".join(lines), display=f"{len(names):,} files")


def _glob_hint(pattern: str) -> str:
    if pattern.startswith(("/", "../")):
        return " Patterns begin at the workspace; nothing outside it is listed."
    return (
        " To mean the characters { } [ ] themselves, put a backslash before each."
        if set(pattern) & set("{[")
        else ""
    )


async def visible_files(ws: Workspace, path: str, *narrow: str) -> list[str]:
    """The files that nothing ignores, sorted, by their paths from the workspace."""
    outcome, names = await listed(ws, path, *narrow)
    if outcome.timed_out or outcome.exit_code not in (0, 1):
        problem = "took too long" if outcome.timed_out else f"failed:\n{outcome.output.strip()}"
        raise Mistake(f"Listing files {problem}; correct or narrow path and pattern.")
    return names


async def listed(ws: Workspace, path: str, *narrow: str) -> tuple[Outcome, list[str]]:
    """How ripgrep ended, and the files that nothing ignores, sorted, as far as it could list them."""
    command = ["--sort=path", "--files", "--null", *narrow]
    outcome, raw = await _ripgrep(ws, [path], command, most=_LISTED_CHARS)
    names = raw.decode("utf-8", "surrogateescape").split("\0")
    return outcome, [_bare(name) for name in names[:-1]]


async def _ripgrep(
    ws: Workspace, paths: Sequence[str], command: list[str], *, most: int
) -> tuple[Outcome, bytes]:
    """How it ended, whose output is as a terminal would show it, and at most so many bytes of the output as it is."""
    program = find_ripgrep(ws.reading_env)
    if program is None:
        raise Mistake("ripgrep (rg) is not installed; use run_command with grep -rn instead.")
    raw = bytearray()
    outcome = await execute(
        [program, *_EVERYWHERE, *command, "--", *(_searchable(ws, path) for path in paths)],
        cwd=ws.root,
        env=ws.reading_env,
        timeout_s=_TIMEOUT_S,
        output_limit_chars=most,
        also=lambda data: raw.extend(data[: most - len(raw)]),
    )
    return outcome, bytes(raw)


def _searchable(ws: Workspace, path: str) -> str:
    """A path as ripgrep gets it; a Mistake for what is neither a file nor a folder, which it would wait for."""
    where = ws.resolve(path)
    if not where.exists():
        raise Mistake(f"{path} does not exist; list_directory shows what does.")
    if not where.is_file() and not where.is_dir():
        kind = special_kind(where.stat().st_mode)
        raise Mistake(f"{path} is {kind}, neither a regular file nor a folder; name another.")
    return ws.relative(where)


def find_ripgrep(env: Mapping[str, str]) -> str | None:
    """Path of rg: from PATH, else the one that came with codeflow."""
    return shutil.which("rg", path=env.get("PATH")) or shutil.which("rg", path=sysconfig.get_path("scripts"))
