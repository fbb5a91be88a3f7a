"""Tools that change files. Each reads, checks and writes without awaiting, so parallel calls cannot interleave."""

import re
from pathlib import Path

from codeflow.core.values import Effect, ToolResult
from codeflow.tools import matching
from codeflow.tools.matching import Replacement
from codeflow.tools.text import Text, numbered
from codeflow.tools.tool import Mistake, argument, tool
from codeflow.tools.workspace import Workspace

_LONGEST_ECHO = 30
_ELISION = re.compile(
    r"^[ \t]*(?:#|//|/\*|<!--|--|;|%|\{/\*)?[ \t]*(?:\.\.\.|…)[ \t]*\(?(?:the )?"
    r"(?:rest|remain\w*|existing|unchanged|same|previous|other|more|your) .*$",
    re.IGNORECASE | re.MULTILINE,
)


@tool(effect=Effect.WRITE, summary=argument("path"))
async def write_file(ws: Workspace, path: str, content: str) -> ToolResult:
    """Create a file, or replace one that you have read completely. Missing folders are made.

    Args:
        path: File, relative to the workspace.
        content: The whole new content.
    """
    real = ws.writable(path)
    new = content.replace("\r\n", "\n")
    if not real.exists():
        _save(ws, real, Text(content), seen=True)
        return _written(ws, real, "created")
    _, data, old = ws.read(path)
    if problem := ws.unseen(real, data, len(old.lines)):
        raise Mistake(f"{problem} Read the whole file first, or use edit_file.")
    _refuse_elision(old.content, new)
    text = Text(new.replace("\n", old.newline), old.encoding, old.bom)
    _save(ws, real, text, seen=True)
    return _written(ws, real, "replaced")


@tool(effect=Effect.WRITE, summary=argument("path"))
async def edit_file(
    ws: Workspace, path: str, old_text: str, new_text: str, replace_all: bool = False
) -> ToolResult:
    """Replace a piece of a file. `old_text` must be copied exactly and occur once; add lines around it if needed.

    Args:
        path: File, relative to the workspace.
        old_text: What stands in the file now, with its indentation, without line numbers.
        new_text: What shall stand there instead.
        replace_all: Replace every occurrence.
    """
    real = ws.writable(path)
    _, data, text = ws.read(path)
    old, new = (piece.replace("\r\n", "\n") for piece in (old_text, new_text))
    if not old:
        raise Mistake("old_text is empty. Copy the text to replace; to create a file use write_file.")
    if old == new:
        raise Mistake("old_text and new_text are the same, so nothing would change.")
    _refuse_elision(old, new)
    content = text.content.replace("\r\n", "\n")
    changes = _places(content, old, new, replace_all=replace_all)
    edited = Text(matching.substitute(text.content, changes, text.newline), text.encoding, text.bom)
    knew_all = ws.unseen(real, data, len(text.lines)) is None
    _save(ws, real, edited, seen=knew_all)
    return ToolResult(
        content=_report(content, edited, changes),
        display=_tally(content, changes),
        changed=(ws.relative(real),),
    )


def _places(content: str, old: str, new: str, *, replace_all: bool) -> list[Replacement]:
    """Where to replace: one place, or all that do not overlap."""
    found = matching.exact(content, old, new) or matching.blank_insensitive(content, old, new)
    if not found:
        raise Mistake(_not_found(content, old, new))
    if len(found) == 1:
        return found
    if not replace_all:
        at = ", ".join(str(_line_of(content, change.start)) for change in found[:20])
        raise Mistake(
            f"old_text occurs {len(found)} times, at lines {at}. Add surrounding lines to mean one, or set replace_all."
        )
    separate: list[Replacement] = []
    for change in found:
        if not separate or change.start >= separate[-1].end:
            separate.append(change)
    return separate


def _not_found(content: str, old: str, new: str) -> str:
    if new.strip() and new in content:
        return f"old_text is not in the file, but new_text is, at line {_line_of(content, content.index(new))}; is it done already?"
    lines = content.split("\n")
    region = matching.nearest(lines, old.split("\n"))
    if region is None:
        return "old_text is not in the file, nor anything close to it. Read the file again."
    shown = numbered(lines[region.start : region.stop], region.start + 1)
    return f"old_text is not in the file. The nearest lines are:\n{shown}\nCopy them exactly, without the numbers."


def _report(before: str, edited: Text, changes: list[Replacement]) -> str:
    if len(changes) > 1:
        at = ", ".join(str(_line_of(before, change.start)) for change in changes[:20])
        return f"Replaced {len(changes)} places; they began at lines {at}."
    change = changes[0]
    first = _line_of(before, change.start)
    last = first + change.new.count("\n")
    lines = edited.lines[max(0, first - 3) : min(last + 2, first - 3 + _LONGEST_ECHO)]
    return f"Edited. The lines are now:\n{numbered(lines, max(1, first - 2))}"


def _tally(before: str, changes: list[Replacement]) -> str:
    added = sum(len(change.new.splitlines()) for change in changes)
    removed = sum(len(before[change.start : change.end].splitlines()) for change in changes)
    return f"+{added} -{removed}"


def _line_of(content: str, offset: int) -> int:
    return content.count("\n", 0, offset) + 1


def _refuse_elision(old: str, new: str) -> None:
    for marker in _ELISION.finditer(new):
        if marker[0].strip() not in old:
            raise Mistake(
                f"{marker[0].strip()!r} would delete what it stands for. Write the text out in full."
            )


def _written(ws: Workspace, real: Path, verb: str) -> ToolResult:
    name = ws.relative(real)
    return ToolResult(content=f"{name} {verb}.", display=verb, changed=(name,))


def _save(ws: Workspace, real: Path, text: Text, *, seen: bool) -> None:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        wrong = error.object[error.start : error.end]
        raise Mistake(f"{wrong!r} cannot be written in the file's encoding, {text.encoding}.") from error
    ws.write(real, data)
    if seen:
        ws.saw(real, data, range(1, len(text.lines) + 1))
