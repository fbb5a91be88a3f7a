"""The tool that asks a stronger model for advice."""

import asyncio
from collections.abc import Sequence

from codeflow.core.consulting import Excerpt
from codeflow.core.errors import BudgetExceededError, CodeflowError, CredentialsError
from codeflow.core.values import Effect, ToolResult
from codeflow.tools.tool import Arguments, Mistake, argument, tool
from codeflow.tools.workspace import Workspace


def _files(arguments: Arguments) -> Sequence[str]:
    files = arguments.get("files")
    return [str(path) for path in files] if isinstance(files, list) else []


@tool(effect=Effect.READ, summary=argument("question"), names=_files)
async def consult(ws: Workspace, question: str, files: list[str] | None = None) -> ToolResult:
    """Ask a stronger model when you are stuck or a decision is hard to take back; few questions a run. It sees task, plan, diff and failing output.

    Args:
        question: What you know, what you tried, what you need.
        files: Those it must see.
    """
    if ws.consultant is None:
        raise Mistake("Nobody can be asked here; decide yourself.")
    if not question.strip():
        raise Mistake("The question is empty; say what you need to know.")
    excerpts = [await asyncio.to_thread(_excerpt, ws, path) for path in files or ()]
    try:
        answer = await ws.consultant.ask(question, excerpts)
    except (BudgetExceededError, CredentialsError):
        raise
    except CodeflowError as error:
        raise Mistake(f"No answer: {error}. Go on without it.") from error
    return ToolResult(content=answer, display=f"{len(answer.split())} words")


def _excerpt(ws: Workspace, path: str) -> Excerpt:
    real, _, text = ws.read(path)
    return Excerpt(path=ws.relative(real), text="\n".join(ws.redactor.redact_lines(text.lines)))
