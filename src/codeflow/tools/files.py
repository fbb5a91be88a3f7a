"""Tools that look at files and folders."""

import asyncio
import stat
from pathlib import Path

from codeflow.core.invisible import spelled_out
from codeflow.core.text import printable
from codeflow.core.values import Effect, ToolResult
from codeflow.tools.attachments import attached
from codeflow.tools.git_runner import ignored
from codeflow.tools.text import numbered
from codeflow.tools.tool import Arguments, Mistake, argument, tool
from codeflow.tools.workspace import Workspace, special_kind

_LONGEST_LINE = 2000
_LONGEST_ANSWER = 60_000
_MOST_ENTRIES = 200


def _range(arguments: Arguments) -> str:
    path, first, count = (arguments.get(name) for name in ("path", "start_line", "line_count"))
    if isinstance(first, int) and isinstance(count, int):
        return f"{path}:{first}-{first + count - 1}"
    return f"{path}:{first}-" if first not in (None, 1) else str(path or "")


@tool(effect=Effect.READ, summary=_range)
async def read_file(
    ws: Workspace, path: str, start_line: int = 1, line_count: int | None = None
) -> ToolResult:
    """Read a text file, image or PDF. Lines come as number, tab, text; the number and tab are not part of the file.

    Args:
        path: File in the workspace.
        start_line: From 1.
        line_count: By default as many as fit.
    """
    real, data = await asyncio.to_thread(ws.read_bytes, path)
    attachment = attached(ws.relative(real), data, ws.env)
    if attachment:
        what = f"{attachment.name}: {attachment.format}, {len(attachment.data):,} bytes"
        unseen = f"If you cannot see this {attachment.kind}, say so instead of guessing."
        return ToolResult(content=f"{what}. {unseen}", display=what, attachments=(attachment,))
    real, data, text = await asyncio.to_thread(ws.read, path)
    lines = text.lines
    if start_line < 1 or (line_count is not None and line_count < 1):
        raise Mistake("start_line and line_count begin at 1.")
    if not lines:
        ws.saw(real, data, ())
        return ToolResult(content=f"{ws.relative(real)} is empty.", display="empty")
    if start_line > len(lines):
        raise Mistake(f"{path} has {len(lines)} lines; start_line {start_line} is beyond its end.")
    last = min(len(lines), start_line - 1 + min(line_count or len(lines), ws.settings.read_limit_lines))
    last = _fitting(lines, start_line, last)
    shown = await asyncio.to_thread(ws.redactor.redact_lines, lines)  # a key may have begun before start_line
    ws.saw(real, data, (n for n in range(start_line, last + 1) if _is_whole(lines[n - 1], shown[n - 1])))
    parts = [numbered(shown[start_line - 1 : last], start_line, width=_LONGEST_LINE)]
    if text.peculiarities:
        editing = "too uncertain to be edited" if text.others else "kept when you edit"
        parts.insert(0, f"[{', '.join(text.peculiarities)}; {editing}]")
    if last < len(lines):
        parts.append(f"[lines {start_line}-{last} of {len(lines)}; go on with start_line={last + 1}]")
    return ToolResult(content="\n".join(parts), display=f"lines {start_line}-{last} of {len(lines)}")


def _is_whole(line: str, shown: str) -> bool:
    """Whether the model gets a line as it is, so that it may write it again."""
    return len(line) <= _LONGEST_LINE and line == shown == spelled_out(line)


def _fitting(lines: list[str], first: int, last: int) -> int:
    """The last line of a range that still fits into one answer; at least the first."""
    room = _LONGEST_ANSWER
    for number in range(first, last + 1):
        room -= min(len(lines[number - 1]), _LONGEST_LINE)
        if room < 0:
            return max(first, number - 1)
    return last


@tool(effect=Effect.READ, summary=argument("path"))
async def list_directory(ws: Workspace, path: str = ".") -> ToolResult:
    """List a folder: subfolders end in a slash, files show their size. What git ignores is left out.

    Args:
        path: Folder, relative to the workspace.
    """
    folder = ws.resolve(path)
    if not folder.is_dir():
        raise Mistake(f"{path} is not a folder; use read_file, or list the folder that holds it.")
    found = await asyncio.to_thread(lambda: sorted(e for e in folder.iterdir() if e.name != ".git"))
    hidden = await ignored(ws, folder, [entry.name for entry in found])
    entries = [entry for entry in found if entry.name not in hidden]
    lines = [_describe(entry) for entry in entries[:_MOST_ENTRIES]]
    if len(entries) > _MOST_ENTRIES:
        lines.append(f"[{len(entries) - _MOST_ENTRIES:,} more entries; narrow with glob]")
    if hidden:
        lines.append(f"[{len(hidden)} ignored by git left out]")
    return ToolResult(content="\n".join(lines) or "(empty folder)", display=f"{len(entries)} entries")


def _describe(entry: Path) -> str:
    status = entry.lstat()
    name = printable(entry.name)
    if stat.S_ISLNK(status.st_mode):
        return f"{name} -> {printable(str(entry.readlink()))}"
    if stat.S_ISDIR(status.st_mode):
        return f"{name}/"
    if not stat.S_ISREG(status.st_mode):
        return f"{name}  {special_kind(status.st_mode)}"
    return f"{name}  {status.st_size:,} bytes"
