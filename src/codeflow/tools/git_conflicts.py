"""Merge conflicts: where they are, and what each side says."""

import asyncio
import re
from dataclasses import dataclass

from codeflow.core.values import Effect, ToolResult
from codeflow.tools.git_operations import under_way
from codeflow.tools.git_runner import LITERAL, inert_environment, raw, read
from codeflow.tools.left import left_file
from codeflow.tools.text import decode, numbered
from codeflow.tools.tool import argument, tool
from codeflow.tools.workspace import Workspace

_LARGEST_BYTES = 10_000_000
_LONGEST_SIDE = 60
_OURS = re.compile(r"<{7}( |$)")
_BASE = re.compile(r"\|{7}( |$)")
_MIDDLE = re.compile(r"={7}$")
_THEIRS = re.compile(r">{7}( |$)")
_STATES = {
    "DD": "deleted by both sides",
    "AU": "added by us only",
    "UD": "changed by us, deleted by them",
    "UA": "added by them only",
    "DU": "deleted by us, changed by them",
    "AA": "added by both sides",
    "UU": "changed by both sides",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """One region between conflict markers; `first` and `last` are the lines of the outer markers, from 1."""

    first: int
    last: int
    names: tuple[str, str]
    """What stands behind the outer markers: usually a branch or commit of each side."""
    ours: tuple[str, ...]
    base: tuple[str, ...] | None
    theirs: tuple[str, ...]


def conflicts(lines: list[str]) -> list[Conflict]:
    """The complete conflict regions of a file; markers that do not form one are text."""
    found: list[Conflict] = []
    position = 0
    while position < len(lines):
        conflict = _region(lines, position) if _OURS.match(lines[position]) else None
        if conflict:
            found.append(conflict)
        position = conflict.last if conflict else position + 1
    return found


def _region(lines: list[str], start: int) -> Conflict | None:
    """The region that a marker of our side opens, or None when its other markers do not follow."""
    base = middle = None
    for position in range(start + 1, len(lines)):
        line = lines[position]
        if _OURS.match(line):
            return None
        if middle is None and base is None and _BASE.match(line):
            base = position
        elif middle is None and _MIDDLE.match(line):
            middle = position
        elif middle is not None and _THEIRS.match(line):
            return Conflict(
                first=start + 1,
                last=position + 1,
                names=(lines[start][8:], line[8:]),
                ours=tuple(lines[start + 1 : base or middle]),
                base=None if base is None else tuple(lines[base + 1 : middle]),
                theirs=tuple(lines[middle + 1 : position]),
            )
    return None


@tool(effect=Effect.READ, summary=argument("path"))
async def git_conflicts(ws: Workspace, path: str = "") -> ToolResult:
    """Show the unresolved merge conflicts with both sides. Resolve one by editing the file and committing it.

    Args:
        path: Only this file or folder.
    """
    wanted = ws.relative(ws.entry(path))
    await read(ws, "rev-parse", "--show-toplevel")  # a Mistake where there are no files
    states = {name: state for state, name in await changed_files(ws, wanted) if state in _STATES}
    if not states:
        return ToolResult(content="No unresolved conflicts.", display="no conflicts")
    parts: list[str] = []
    room = ws.settings.output_limit_chars
    for number, (name, state) in enumerate(states.items()):
        part = f"{name}: {_STATES[state]}\n{await asyncio.to_thread(_described, ws, name)}"
        room -= len(part)
        if parts and room < 0:
            parts.append(f"[not shown, name one as path: {', '.join(list(states)[number:])}]")
            break
        parts.append(part)
    if operation := await under_way(ws):
        parts.append(f"[{operation.name} is under way. {operation.next_step}]")
    return ToolResult(content="\n\n".join(parts), display=f"{len(states)} files in conflict")


async def changed_files(ws: Workspace, *paths: str) -> list[tuple[str, str]]:
    """Porcelain state and workspace-relative name of what differs from HEAD below the paths, untracked files too."""
    options = ("--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=dirty")
    above = (
        (await raw(ws, "rev-parse", "--show-prefix", cwd=ws.root))
        .decode(errors="surrogateescape")
        .strip("\n")
    )
    env = await inert_environment(ws)
    output = await raw(ws, LITERAL, "status", *options, "--", *paths, cwd=ws.root, env=env)
    entries = output.decode(errors="surrogateescape").split("\0")
    return [(entry[:2], entry[3:].removeprefix(above)) for entry in entries if entry]


def conflicts_in(ws: Workspace, name: str) -> list[Conflict]:
    """The conflict regions of a file of the workspace; none in what is no text file."""
    real = ws.entry(name)
    if real.is_symlink() or not real.is_file() or real.stat().st_size > _LARGEST_BYTES:
        return []
    text = decode(real.read_bytes())
    return conflicts(text.lines) if text else []


def _described(ws: Workspace, name: str) -> str:
    if kind := ws.secret(name, left_file(ws.root, name)):
        return f"({name} is {kind} and is not shown)"
    regions = conflicts_in(ws, name)
    if not regions:
        return "(no conflict markers: keep, rewrite or delete the file, then commit it)"
    return "\n".join(_region_text(region) for region in regions)


def _region_text(region: Conflict) -> str:
    ours, theirs = region.names
    first_of_ours = region.first + 1
    parts = [f"lines {region.first}-{region.last}", f"ours ({ours}):", _side(region.ours, first_of_ours)]
    if region.base is not None:
        parts += ["before both:", _side(region.base, first_of_ours + len(region.ours) + 1)]
    return "\n".join([*parts, f"theirs ({theirs}):", _side(region.theirs, region.last - len(region.theirs))])


def _side(lines: tuple[str, ...], first: int) -> str:
    if not lines:
        return "(nothing)"
    shown = numbered(lines[:_LONGEST_SIDE], first, width=300)
    left_out = len(lines) - _LONGEST_SIDE
    return shown if left_out <= 0 else f"{shown}\n[{left_out} more lines; use read_file]"
