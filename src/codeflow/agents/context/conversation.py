"""A conversation as values: what was asked, said, called and answered. Messages are never changed in place."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from codeflow.core.values import Effect
from codeflow.tools.registry import TOOLS

Message = Any
"""A message in Converse's shape: Strands' TypedDict, or what a session log gave back."""


class SharedMessages(list[Message]):
    """The messages of an agent; a deep copy shares them.

    Strands copies the whole history twice for every model call, which would make a turn the dearer the longer its
    session is. Nobody changes a message that was added, so the copies need not be deep.
    """

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return type(self)(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A tool call and what came of it."""

    id: str
    tool: str
    summary: str
    """What it was called with, in one line."""
    text: str
    ok: bool

    @property
    def effect(self) -> Effect | None:
        return TOOLS[self.tool].effect if self.tool in TOOLS else None

    @property
    def line(self) -> str:
        return f"{self.tool} {self.summary}".rstrip()


def turn_starts(messages: Sequence[Message]) -> list[int]:
    """Where turns begin: a turn is a model's message and what answers it."""
    return [index for index, message in enumerate(messages) if message["role"] == "assistant"]


def calls(messages: Sequence[Message]) -> Iterator[Called]:
    """Every answered tool call, in order."""
    asked: dict[str, Any] = {}
    for message in messages:
        for block in message["content"]:
            if "toolUse" in block:
                asked[block["toolUse"]["toolUseId"]] = block["toolUse"]
            elif "toolResult" in block and (use := asked.pop(block["toolResult"]["toolUseId"], None)):
                yield _called(use, block["toolResult"])


def _called(use: Any, result: Any) -> Called:
    name, given = use["name"], use["input"]
    summary = TOOLS[name].summary(given) if name in TOOLS and isinstance(given, dict) else ""
    return Called(
        id=use["toolUseId"],
        tool=name,
        summary=summary,
        text=result_text(result),
        ok=result.get("status") != "error",
    )


def result_text(result: Any) -> str:
    """The text of a tool result."""
    return "\n".join(item["text"] for item in result["content"] if "text" in item)


def said(messages: Sequence[Message], role: str) -> list[str]:
    """What a side wrote, besides calls and results."""
    texts = (texts_of(message) for message in messages if message["role"] == role)
    return [text for text in texts if text]


def texts_of(message: Message) -> str:
    return "\n".join(block["text"] for block in message["content"] if "text" in block).strip()
