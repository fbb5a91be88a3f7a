"""The tool by which an agent tells others of its run something."""

from codeflow.core.errors import CodeflowError
from codeflow.core.messages import Purpose
from codeflow.core.values import Effect, ToolResult
from codeflow.tools.tool import Arguments, Mistake, tool
from codeflow.tools.workspace import Workspace

MAX_CHARS = 2_000


def _summary(arguments: Arguments) -> str:
    to, content = arguments.get("to"), arguments.get("content")
    return f"to {to}: {content}" if to and content else ""


@tool(effect=Effect.READ, summary=_summary)
async def send_message(ws: Workspace, to: str, kind: Purpose, content: str) -> ToolResult:
    """Tell another agent of this run what it needs to know and your answer does not say. It reads it when its next turn begins; do not wait for an answer.

    Args:
        to: An agent, a node, or all.
        kind: What it is.
        content: Facts with file:line, at most 2,000 characters.
    """
    if ws.post is None or ws.agent is None:
        raise Mistake("Nobody else is at work here; say it in your answer.")
    text = ws.redactor.redact(content.strip())
    if not text:
        raise Mistake("The message is empty; say what the others need to know.")
    if len(text) > MAX_CHARS:
        raise Mistake(
            f"The message has {len(text):,} characters, where {MAX_CHARS:,} are allowed; say it shorter, and name files instead of quoting them."
        )
    try:
        sent = ws.post.send(sender=ws.agent, to=to.strip(), purpose=kind, content=text)
    except CodeflowError as error:
        raise Mistake(f"Not sent: {error}.") from error
    said = f"sent to {sent.to} as {sent.message_id}"
    return ToolResult(
        content=f"{said[0].upper()}{said[1:]}; read when the next turn there begins.", display=said
    )
