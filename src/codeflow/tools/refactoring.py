"""Tools that change code by its meaning: a language server proposes the edits, and they are written here."""

import asyncio
import keyword
from dataclasses import replace

from codeflow.core.values import Effect, ToolResult
from codeflow.syntax.problems import problems as syntax_errors
from codeflow.tools.editing import committed
from codeflow.tools.edits.changeset import Changeset
from codeflow.tools.lsp.positions import apply_edits
from codeflow.tools.lsp.values import Edits, NoAnswer
from codeflow.tools.overriding import refuse_override
from codeflow.tools.renaming import (
    Renaming,
    broken_patterns,
    left_over,
    proposed,
    refuse_foreign,
    refuse_relatives,
    refuse_taken,
    with_exports,
)
from codeflow.tools.symbols import ask_about, last_name, paths, source_files, source_globs, written
from codeflow.tools.tool import Arguments, Mistake, tool
from codeflow.tools.workspace import Workspace

_MOST_ACTIONS = 40


def _renaming(arguments: Arguments) -> str:
    return " -> ".join(str(arguments[name]) for name in ("symbol", "new_name") if name in arguments)


def _place(arguments: Arguments) -> str:
    return ":".join(str(arguments[name]) for name in ("path", "line") if name in arguments)


@tool(effect=Effect.WRITE, summary=_renaming)
async def rename_symbol(
    ws: Workspace, symbol: str, new_name: str, path: str = "", line: int = 0
) -> ToolResult:
    """Rename a function, class or variable and every use of it, in all files or in none.

    Args:
        symbol: Its name, such as total or Order.total.
        new_name: The new name alone.
        path: A file that mentions it, when the name alone is ambiguous.
        line: A line of that file where it stands.
    """
    if last_name(new_name) != new_name:
        raise Mistake(f"{new_name!r} is not a single name.")
    if new_name[0].isdigit() or keyword.iskeyword(new_name):
        raise Mistake(f"{new_name!r} cannot be a name.")
    old = last_name(symbol)
    if new_name == old:
        raise Mistake(f"{symbol} has that name already.")
    mentions = paths(await written(ws, old, source_globs(ws)))
    try:
        renaming, differing = await ask_about(
            ws, symbol, path, line, lambda server, at: proposed(server, at, old, new_name, mentions)
        )
    except NoAnswer as reason:
        raise NoAnswer(f"{reason}\nWithout one, use find_references and edit_file.") from reason
    _refuse_incomplete(ws, symbol, renaming)
    files = frozenset(await source_files(ws))
    refuse_foreign(ws, renaming, differing, files)
    unknown: list[str] = []
    if _is_python(renaming):
        await asyncio.to_thread(refuse_relatives, ws, renaming, files, mentions)
        unknown = [note for at in renaming.definitions for note in await refuse_override(ws, old, at, files)]
    refuse_taken(ws, renaming, differing)
    result = await _applied(ws, with_exports(renaming), f"Renamed {symbol} to {new_name}", shown=False)
    notes = await asyncio.to_thread(broken_patterns, ws, mentions, old) if _is_python(renaming) else []
    notes += unknown + left_over(ws, await written(ws, old), old)
    return replace(result, content="\n".join([result.content, *notes]))


def _is_python(renaming: Renaming) -> bool:
    return renaming.at.path.suffix in {".py", ".pyi"}


def _refuse_incomplete(ws: Workspace, symbol: str, renaming: Renaming) -> None:
    if not renaming.edits:
        raise Mistake(f"{symbol} cannot be renamed there. Give path and line of its definition.")
    untouched = next((at.path for at in renaming.definitions if at.path not in renaming.edits), None)
    if untouched and untouched.is_relative_to(ws.root):
        raise Mistake(
            f"The language server would leave the definition in {ws.relative(untouched)} as it is, so nothing was "
            f"renamed. Use find_references and multi_edit."
        )
    if untouched:
        raise Mistake(
            f"{symbol} is defined in {untouched}, which is not this project's; nothing was renamed."
        )


@tool(effect=Effect.WRITE, summary=_place)
async def code_actions(ws: Workspace, path: str, line: int, apply: int = 0) -> ToolResult:
    """List the fixes and refactorings that the language server offers for a line, or apply one of them.

    Args:
        path: The file.
        line: The line, from 1.
        apply: Number of the action in the list to apply; 0 only lists.
    """
    real, _, text = ws.read(path)
    if not 1 <= line <= len(text.lines):
        raise Mistake(f"{path} has {len(text.lines)} lines; there is no line {line}.")
    offered = await ws.servers.ask(real, lambda server: server.code_actions(real, line - 1))
    if not 0 <= apply <= len(offered):
        raise Mistake(f"There are {len(offered)} actions; apply is a number from 1, or 0 to list them.")
    if apply:
        action = offered[apply - 1]
        return await _applied(ws, action.edits, f"Applied: {action.title}", shown=True)
    rows = [f"{number}. {action.title}" for number, action in enumerate(offered[:_MOST_ACTIONS], 1)]
    return ToolResult(
        content="\n".join(rows) or f"The language server offers nothing for line {line}.",
        display=f"{len(offered)} actions",
    )


async def _applied(ws: Workspace, edits: Edits, what: str, *, shown: bool) -> ToolResult:
    """Writes all files, or none when one of them cannot be written; says what is wrong now and was not before.

    `shown`: whether the differences are part of the answer.
    """
    changes = Changeset(ws, syntax_errors)
    for path, made in edits.items():
        changes.replace(str(path), apply_edits(changes.content(str(path)).content, made))
    result = await committed(ws, changes, "changed.", shown=shown)
    return replace(
        result, content=f"{what}.\n{result.content}", display=f"{len(result.changed)} files changed"
    )
