"""Whether a member of a Python class overrides one of a library's, which a language server would rename without a word."""

import asyncio
from collections.abc import Collection, Sequence
from itertools import groupby
from pathlib import Path

from codeflow.tools.lsp.positions import split_lines, utf16_length
from codeflow.tools.lsp.values import Location, Position
from codeflow.tools.output import capped
from codeflow.tools.python_classes import Base, bases, is_import
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

_MOST_NAMED = 10


async def refuse_override(
    ws: Workspace, name: str, definition: Location, files: Collection[Path]
) -> list[str]:
    """A Mistake when a class that is not among the project's files has the member too.

    The notes returned name the bases that the server does not know, which may have it as well.
    """
    line = definition.start.line + 1
    found = await asyncio.to_thread(bases, files, name, definition.path, line)
    unknown: list[str] = []
    for _, derived in groupby(found, key=lambda base: (base.path, base.line)):
        group = list(derived)
        for base, (base_at, member_at) in zip(group, await _looked_up(ws, group, name), strict=True):
            library = next((at for at in member_at if at.path not in files), None)
            if library:
                raise Mistake(
                    f"Nothing was renamed: {base.owner} derives from {base.expression}, which has {name} too "
                    f"({library.path.name}:{library.start.line + 1}) and is not this project's. What calls it there goes by "
                    "the name, so it has to stay; for another name, add one that calls it."
                )
            if await asyncio.to_thread(_is_unknown, base_at):
                unknown.append(f"{ws.relative(base.path)}:{base.line}: {base.owner}({base.expression})")
    if not unknown:
        return []
    headline = f"The language server does not know these bases; if one of them has {name}, undo this rename:"
    return [headline, *capped(unknown, _MOST_NAMED, "more")]


def _is_unknown(base: Sequence[Location]) -> bool:
    """Whether a base's definition was sought in vain: a server may take the import for it then."""
    return all(is_import(at.path, at.start.line + 1) for at in base)


async def _looked_up(
    ws: Workspace, group: Sequence[Base], name: str
) -> list[tuple[list[Location], list[Location]]]:
    """Where each base of one class is defined, and where its member is: asked of a text with `Base.name` above the class."""
    from codeflow.tools.lsp.documents import source  # imports lsprotocol, which takes a fifth of a second

    path, row = group[0].path, group[0].line - 1
    lines = split_lines(source(path))
    lines[row:row] = [f"{base.indent}{base.expression}.{name}" for base in group]
    positions: list[Position] = []
    for number, base in enumerate(group, row):
        qualifier, dot, _ = base.expression.rpartition(".")
        before = utf16_length(f"{base.indent}{qualifier}{dot}")
        after = utf16_length(f"{base.indent}{base.expression}.")
        positions += [Position(number, before), Position(number, after)]
    text = "\n".join(lines)
    answers = await ws.servers.ask(path, lambda server: server.definitions_if(text, path, positions))
    return list(zip(answers[::2], answers[1::2], strict=True))
