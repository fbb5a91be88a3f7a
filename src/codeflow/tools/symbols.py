"""Finds the place that a model means by a name: text search proposes, the language server decides."""

import os
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from codeflow.tools import search
from codeflow.tools.lsp.positions import split_lines, utf16_length
from codeflow.tools.lsp.values import NoAnswer, Position, Symbol
from codeflow.tools.output import plain
from codeflow.tools.process import execute
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

if TYPE_CHECKING:
    from codeflow.tools.lsp.server import Server  # imports lsprotocol, which takes a fifth of a second

T = TypeVar("T")

_TIMEOUT_S = 20.0
_COLLECTED_CHARS = 2_000_000
_LONGEST_LINE = 1_000
_MOST_FILES_ASKED = 20
_MOST_FILES_NAMED = 10
_MOST_CHOICES = 12
_NEAR_LINES = 3
_COMMENT = re.compile(r"\s*(#|//|/\*|\*|--|\"\"\"|''')")
_KEYWORD = (
    r"\b(?:def|class|func|fn|function|interface|type|struct|enum|union|trait|const|static|let|var|val|record|module|mod"
    r"|namespace|package|macro_rules!|#define)\s+(?:\([^)]*\)\s*)?"
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A line in which a word stands; `line` from 0, `column` in characters."""

    path: Path
    line: int
    column: int
    text: str

    @property
    def position(self) -> Position:
        return Position(self.line, utf16_length(self.text[: self.column]))


@dataclass(frozen=True, slots=True)
class Address:
    """Where a name stands, so that a server can be asked about it."""

    path: Path
    position: Position


def last_name(symbol: str) -> str:
    """The name itself of `Class.method`, `module::function` or `Class#method`."""
    name = re.split(r"\.|::|#", symbol.strip().removesuffix("()"))[-1]
    if not re.fullmatch(r"[\w$]+", name):
        raise Mistake(f"{symbol!r} is not a name. Give one name, such as total or Order.total.")
    return name


def defines(name: str, text: str) -> bool:
    """Whether a line of code looks as if it introduced the name, in any of the usual languages."""
    word = rf"(?<![\w$.]){re.escape(name)}(?![\w$])"
    return bool(
        re.search(_KEYWORD + word, text)
        or re.match(rf"\s*(?:[\w<>\[\],*&]+\s+)*[*&]?{word}\s*(?:\([^;]*(?:\{{|$)|:?=[^=]|:\s)", text)
    )


def source_globs(ws: Workspace) -> list[str]:
    """What the names of files look like that a language server may know."""
    return [f"*{suffix}" for language in ws.servers.languages.values() for suffix in language.extensions]


async def source_files(ws: Workspace) -> list[Path]:
    """The files that a language server may know, without those that git ignores, by path."""
    output = await _ripgrep(ws, "--files", "--null", *(f"--glob={glob}" for glob in source_globs(ws)))
    return [ws.root / os.fsdecode(name).removeprefix("./") for name in output.split(b"\0")[:-1]]


async def written(ws: Workspace, name: str, globs: Sequence[str] = ()) -> list[Hit]:
    """Every line of the workspace in which a word stands, in files that git does not ignore, by path."""
    raw = await _ripgrep(
        ws,
        *["--null", "--no-heading", "--with-filename", "--line-number", "--fixed-strings", "--word-regexp"],
        f"--max-columns={_LONGEST_LINE}",
        f"--field-match-separator={search.SEPARATOR}",
        *(f"--glob={glob}" for glob in globs),
        "--",
        name,
        ".",
    )
    found = search.read_hits(raw)[0]
    lines = ((ws.root / hit.path, int(hit.number) - 1, _shown(hit.text)) for hit in found)
    return list(_hits(name, lines))


def _shown(text: str) -> str:
    return plain(text.removesuffix("\r").encode("utf-8", "surrogateescape"))


def also_written(ws: Workspace, hits: Iterable[Hit], known: Iterable[Path]) -> list[str]:
    """A line that names the files, besides the known ones, in which the word stands: a partial answer shows as one."""
    others = sorted({hit.path for hit in hits}.difference(known))
    if not others:
        return []
    more = f" and {len(others) - _MOST_FILES_NAMED} more files" if len(others) > _MOST_FILES_NAMED else ""
    return [
        f"[the word also stands in {_some(ws, others)}{more}, where the language server sees no use of this one]"
    ]


def paths(hits: Iterable[Hit]) -> list[Path]:
    """The files of the hits, each once."""
    return list(dict.fromkeys(hit.path for hit in hits))


async def ask_about(
    ws: Workspace,
    symbol: str,
    path: str,
    line: int,
    question: "Callable[[Server, Address], Awaitable[T]]",
) -> T:
    """What a language server says about a name; raises like `locate`."""
    at = await locate(ws, symbol, path, line)
    return await ws.servers.ask(at.path, lambda server: question(server, at))


async def _ripgrep(ws: Workspace, *arguments: str) -> bytes:
    program = search.find_ripgrep(ws.reading_env)
    if program is None:
        raise Mistake("ripgrep (rg) is not installed; give path and line of the name.")
    raw = bytearray()
    await execute(
        [program, "--no-config", "--color=never", "--sort=path", "--no-require-git", *arguments],
        cwd=ws.root,
        env=ws.reading_env,
        timeout_s=_TIMEOUT_S,
        output_limit_chars=_COLLECTED_CHARS,
        also=lambda data: raw.extend(data[: _COLLECTED_CHARS - len(raw)]),
    )
    return bytes(raw)


def _hits(name: str, lines: Iterable[tuple[Path, int, str]]) -> Iterable[Hit]:
    word = re.compile(rf"(?<![\w$]){re.escape(name)}(?![\w$])")
    for path, number, text in lines:
        if match := word.search(text):
            yield Hit(path, number, match.start(), text)


async def symbols_of(ws: Workspace, file: Path) -> list[Symbol]:
    """What a file defines, in order; NoAnswer when no server knows its language."""
    return await ws.servers.ask(file, lambda server: server.document_symbols(file))


async def locate(ws: Workspace, symbol: str, path: str, line: int) -> Address:
    """The place of a name: on a line, else its definition in a file, else its one definition in the workspace.

    Raises:
        Mistake: when it stands nowhere, or is defined at several places; the text lists them.
        NoAnswer: when no server knows the language.
    """
    name = last_name(symbol)
    if path:
        real, _, text = ws.read(path)
        hits = list(
            _hits(name, ((real, number, row) for number, row in enumerate(split_lines(text.content))))
        )
    else:
        hits = await written(ws, name, source_globs(ws))
    if not hits:
        raise Mistake(
            f"{name} does not stand in {path or 'any source file'}; search_files finds similar names."
        )
    if path and line:
        near = min(hits, key=lambda hit: abs(hit.line + 1 - line))
        if abs(near.line + 1 - line) > _NEAR_LINES:
            at = ", ".join(str(hit.line + 1) for hit in hits[:_MOST_CHOICES])
            raise Mistake(f"{name} does not stand at line {line} of {path}, but at: {at}.")
        return Address(near.path, near.position)
    return await _definition(ws, symbol, hits)


async def _definition(ws: Workspace, symbol: str, hits: list[Hit]) -> Address:
    names = _names(symbol)
    likely = [hit for hit in hits if defines(names[-1], hit.text)]
    files = list(dict.fromkeys(hit.path for hit in likely))
    if len(names) > 1:
        files = await _also_defining(ws, names[-2], files)
    if len(files) > _MOST_FILES_ASKED:
        raise Mistake(
            f"{symbol} is defined in {len(files)} files, such as {_some(ws, files)}; say path and line."
        )
    if not files:  # the definition does not look like one
        files = list(dict.fromkeys(hit.path for hit in hits))[:_MOST_FILES_ASKED]
    known = await _symbols_of_all(ws, files)
    found = {(at.at.path, at.name): at for at in known if _names(at.name)[-len(names) :] == names}
    if len(found) > 1 and not await _are_one(ws, list(found.values())):
        places = list(found.values())[:_MOST_CHOICES]
        rows = [f"{ws.relative(at.at.path)}:{at.at.start.line + 1} {at.kind} {at.name}" for at in places]
        raise Mistake(
            "\n".join(
                [f"{symbol} is defined at {len(found)} places; say path and line of the one meant:", *rows]
            )
        )
    for only in found.values():
        return Address(only.at.path, only.at.start)
    if len(names) > 1:
        raise Mistake(f"No definition of {symbol} was found; say path and line of one of its uses.")
    code = [hit for hit in likely or hits if not _COMMENT.match(hit.text)]
    first = (code or hits)[0]
    return Address(first.path, first.position)


async def _are_one(ws: Workspace, symbols: Sequence[Symbol]) -> bool:
    """Whether all are the first one, declared here and defined there, as in C's headers and sources."""
    first = symbols[0].at
    files = [symbol.at.path for symbol in symbols]
    uses = await ws.servers.ask(first.path, lambda server: server.references(first.path, first.start, files))
    return {(symbol.at.path, symbol.at.start) for symbol in symbols} <= {
        (use.path, use.start) for use in uses.locations
    }


async def _also_defining(ws: Workspace, container: str, files: list[Path]) -> list[Path]:
    """Those of the files that seem to define the container too."""
    hits = await written(ws, container, source_globs(ws))
    return [file for file in files if any(h.path == file and defines(container, h.text) for h in hits)]


async def _symbols_of_all(ws: Workspace, files: Iterable[Path]) -> list[Symbol]:
    """What the files define, as far as their languages have servers; NoAnswer when none has."""
    found: list[Symbol] = []
    answered, reason = False, NoAnswer("No language server was asked.")
    for file in files:
        try:
            found += await symbols_of(ws, file)
            answered = True
        except NoAnswer as error:
            reason = error
    if not answered:
        raise reason
    return found


def _names(symbol: str) -> list[str]:
    """The names in `Class.method`, `Class#method`, `module::function` or Go's `(*Type).Method`, outermost first."""
    return re.findall(r"[\w$]+", symbol)


def _some(ws: Workspace, files: Sequence[Path]) -> str:
    return ", ".join(ws.relative(path) for path in files[:_MOST_FILES_NAMED])
