"""Tools that change code by its meaning: a language server proposes the edits, and they are written here."""

import keyword
from dataclasses import replace

from codeflow.core.values import Effect, ToolResult
from codeflow.syntax.problems import problems as syntax_errors
from codeflow.tools.edits.changeset import Changeset
from codeflow.tools.lsp.positions import apply_edits
from codeflow.tools.lsp.values import Edits, NoAnswer
from codeflow.tools.symbols import also_written, last_name, locate
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
    try:
        at = await locate(ws, symbol, path, line)
        definitions = await ws.servers.ask(at.path, lambda server: server.definition(at.path, at.position))
        edits = await ws.servers.ask(at.path, lambda server: server.rename(at.path, at.position, new_name))
    except NoAnswer as reason:
        raise NoAnswer(f"{reason}\nWithout one, use find_references and edit_file.") from reason
    if not edits:
        raise Mistake(f"{symbol} cannot be renamed there. Give path and line of its definition.")
    if untouched := [location.path for location in definitions if location.path not in edits]:
        raise Mistake(
            f"{symbol} is defined in {untouched[0]}, which is not this project's; nothing was renamed."
        )
    result = _applied(ws, edits, f"Renamed {symbol} to {new_name}")
    rest = await also_written(ws, last_name(symbol), ())
    return replace(result, content="\n".join([result.content, *rest]))


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
        return _applied(ws, offered[apply - 1].edits, f"Applied: {offered[apply - 1].title}")
    rows = [f"{number}. {action.title}" for number, action in enumerate(offered[:_MOST_ACTIONS], 1)]
    return ToolResult(
        content="\n".join(rows) or f"The language server offers nothing for line {line}.",
        display=f"{len(offered)} actions",
    )


def _applied(ws: Workspace, edits: Edits, what: str) -> ToolResult:
    """Writes all files, or none when one of them cannot be written."""
    changes = Changeset(ws, syntax_errors)
    for path, made in edits.items():
        changes.replace(str(path), apply_edits(changes.content(str(path)).content, made))
    changes.commit()
    names = tuple(changes.draft(str(path)).name for path in edits)
    counts = [f"{name}: {len(made)} edits" for name, made in zip(names, edits.values(), strict=True)]
    return ToolResult(
        content="\n".join([f"{what}.", *counts]), display=f"{len(names)} files changed", changed=names
    )
