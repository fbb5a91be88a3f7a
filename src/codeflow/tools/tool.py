"""What a tool is: a plain async function that a model may call, its effect, and one line for people."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

from codeflow.core.values import Effect, ToolResult

Arguments = Mapping[str, Any]
ToolFunction = Callable[..., Awaitable[ToolResult]]
Describe = Callable[[Arguments], str]

_SUMMARY_CHARS = 200


class Mistake(Exception):  # noqa: N818 - the model's mistake is an answer to it, not a fault of ours
    """The model asked for something that cannot be done; the text tells it what to do instead."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as the other rooms see it; `function`'s signature and docstring describe it to the model."""

    name: str
    function: ToolFunction
    effect: Effect
    summary: Describe
    """One line for people, from the call's arguments, which need not be valid."""
    names: Callable[[Arguments], Sequence[str]]
    """The paths that a call names, as far as its arguments tell."""


def _path(arguments: Arguments) -> Sequence[str]:
    return [str(arguments["path"])] if arguments.get("path") else []


def tool(
    *, effect: Effect, summary: Describe, names: Callable[[Arguments], Sequence[str]] = _path
) -> Callable[[ToolFunction], Tool]:
    """Turns an async function into a Tool whose mistakes become error results."""

    def decorate(function: ToolFunction) -> Tool:
        @wraps(function)
        async def guarded(*args: Any, **kwargs: Any) -> ToolResult:
            try:
                result = await function(*args, **kwargs)
            except Mistake as mistake:
                result = failure(str(mistake))
            except OSError as error:
                result = failure(f"The operating system refused: {error}.")
            return replace(result, content=_sendable(result.content), display=one_line(result.display))

        return Tool(function.__name__, guarded, effect, lambda arguments: one_line(summary(arguments)), names)

    return decorate


def _sendable(text: str) -> str:
    """The text without lone surrogates, which stand for bytes of a file name that is not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def failure(content: str) -> ToolResult:
    """An error result whose first line is shown to people."""
    return ToolResult(content=content, display=content.partition("\n")[0], is_error=True)


def one_line(text: str) -> str:
    """The text without line breaks and control characters, short enough for a terminal."""
    line = re.sub(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+", " ", _sendable(text)).strip()
    return line if len(line) <= _SUMMARY_CHARS else line[: _SUMMARY_CHARS - 1] + "…"


def argument(name: str) -> Describe:
    """Describes a call by one of its arguments."""
    return lambda arguments: str(arguments.get(name) or "")
