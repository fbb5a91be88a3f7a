"""The tools that keep what a run found out for later runs, and find it again."""

from typing import Literal

from codeflow.core.errors import CodeflowError
from codeflow.core.notes import Draft, Note, Notes, Remembered, Scope
from codeflow.core.values import Effect, ToolResult
from codeflow.tools.tool import Arguments, Mistake, argument, tool
from codeflow.tools.workspace import Workspace

MAX_TTL_DAYS = 3650

_OUTCOMES = {"new": "noted", "confirmed": "was noted already, confirmed", "replaced": "replaced"}


def _summary(arguments: Arguments) -> str:
    text = str(arguments.get("text") or "")
    return f"{arguments.get('scope') or Scope.PROJECT}: {text}" if text else ""


@tool(effect=Effect.NOTE, summary=_summary)
async def remember(
    ws: Workspace,
    text: str,
    evidence: str,
    *,
    scope: Literal["session", "project", "user"] = "project",
    files: list[str] | None = None,
    ttl_days: int = 0,
    replaces: str = "",
) -> ToolResult:
    """Note for later runs what cost you time and will hold: a command that works, a convention, a pitfall. Not progress, not what the code says, no secrets.

    Args:
        text: One fact, in a sentence or two.
        evidence: The command or call that showed it.
        scope: user: all projects (asked).
        files: Files it depends on.
        ttl_days: Days it holds; 0: as set.
        replaces: Id of the note it corrects.
    """
    if not 0 <= ttl_days <= MAX_TTL_DAYS:
        raise Mistake(f"ttl_days is {ttl_days}; give 1 to {MAX_TTL_DAYS}, or 0 for the usual time.")
    draft = Draft(
        text=text,
        scope=Scope(scope),
        author=ws.agent,
        files=[str(ws.resolve(path)) for path in files or ()],
        evidence=evidence,
        ttl_days=ttl_days or None,
        replaces=replaces,
    )
    done = await _kept(_notes(ws), draft)
    until = "" if done.note.expires is None else f" until {done.note.expires:%Y-%m-%d}"
    said = f"{_OUTCOMES[done.outcome]} as {done.note.id}{until}"
    return ToolResult(content=f"{said[0].upper()}{said[1:]}.{_hint(done.similar)}", display=said)


@tool(effect=Effect.READ, summary=argument("query"))
async def recall(ws: Workspace, query: str = "") -> ToolResult:
    """Find notes of earlier runs, with their sources.

    Args:
        query: Words to look for; empty: all.
    """
    text, count = await _notes(ws).recall(query)
    return ToolResult(content=text, display=f"{count} notes")


def _notes(ws: Workspace) -> Notes:
    if ws.notes is None:
        raise Mistake("Memory is turned off here (memory.enabled); go on without it.")
    return ws.notes


async def _kept(notes: Notes, draft: Draft) -> Remembered:
    try:
        return await notes.remember(draft)
    except CodeflowError as error:
        raise Mistake(f"Not noted: {error}. {error.hint}") from error


def _hint(similar: Note | None) -> str:
    if similar is None:
        return ""
    return (
        f" Note {similar.id} is similar: {similar.text} If yours is right instead, call remember again with "
        f"replaces={similar.id}."
    )
