"""What a model gets of a tool's result: no credentials, nothing hidden, others' words marked as data."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from codeflow.core.invisible import spelled_out
from codeflow.core.messages import SEND_MESSAGE
from codeflow.core.redaction import PLACEHOLDER
from codeflow.core.values import LOOKING, Effect, ToolResult
from codeflow.tools.tool import Mistake, Tool
from codeflow.tools.untrusted import as_data
from codeflow.tools.workspace import Workspace

_OWN_WORDS = frozenset({Effect.WRITE, Effect.NOTE})
"""What such tools answer was written by codeflow, about what the model itself wrote."""

_COLLEAGUES = frozenset({"consult"})
"""What such tools answer was said by a model of the run, to whom the words of others were marked as data."""

_NOT_OTHERS = _COLLEAGUES | {SEND_MESSAGE}


def cleaned(result: ToolResult, redact: Callable[[str], str]) -> ToolResult:
    """The result without credentials and hidden characters."""
    return replace(
        result,
        content=spelled_out(redact(result.content)),
        display=redact(result.display),
        attachments=tuple(replace(one, name=redact(one.name)) for one in result.attachments),
    )


def marked(result: ToolResult, tool: Tool, summary: str) -> ToolResult:
    """The result with its content marked as data, where it may hold the words of others, and whose."""
    if tool.effect in _OWN_WORDS or tool.name in _NOT_OTHERS or not result.content:
        return result
    source = result.source or f"{tool.name} {summary}".rstrip()
    return replace(result, content=as_data(result.content, source))


def stand_in(tool: Tool, arguments: Mapping[str, Any], ws: Workspace) -> str | None:
    """Why a call that would change something may not be made with a placeholder of ours in it; None when it may.

    The text behind it is not known to the model, so an edit would put the placeholder into the file. A file that
    holds the very words, such as our own tests, may be edited.
    """
    if tool.effect in {*LOOKING, Effect.NOTE}:
        return None
    marks = {mark[0] for text in _texts(arguments) for mark in PLACEHOLDER.finditer(text)}
    if not marks or all(any(mark in text for text in _files(tool, arguments, ws)) for mark in marks):
        return None
    return (
        f"{min(marks)} stands for text that you were not shown, so it cannot be part of a change or a command. "
        "Change what stands around it with a smaller old_text, or leave that line to the user"
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _files(tool: Tool, arguments: Mapping[str, Any], ws: Workspace) -> list[str]:
    found: list[str] = []
    for path in tool.names(arguments):
        try:
            found.append(ws.read(path)[2].content)
        except (Mistake, OSError):
            continue
    return found
