"""Where a conversation may be cut, and what it looks like afterwards: always one that a model accepts."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from codeflow.agents.context.conversation import (
    Called,
    Message,
    calls,
    turn_starts,
)
from codeflow.core.blocks import without_reasoning

LARGE_CHARS = 1_000
"""A tool result below this is not worth a line that says where it went."""
_SHORTENED_CHARS = 2_000
"""What stays of a result that has to be cut although it is new."""

Size = Callable[[Message], int]
"""Tokens of a message, estimated."""
Stub = Callable[[Called], str]
"""The line that stands for a result that was taken out."""


def newest(messages: Sequence[Message], room: int, size: Size) -> int:
    """Where the newest turns begin that fit into `room` tokens; the last turn always counts as fitting."""
    start = len(messages)
    for begin in reversed(turn_starts(messages)):
        room -= sum(map(size, messages[begin:start]))
        if room < 0 and start < len(messages):
            break
        start = begin
    return start


def trimmed(messages: Sequence[Message], before: int, spared: Collection[str], stub: Stub) -> list[Message]:
    """The conversation with a line in place of every large result before index `before`, except the spared calls."""
    lines = {
        called.id: stub(called)
        for called in calls(messages[:before])
        if len(called.text) > LARGE_CHARS and called.id not in spared
    }
    lean = [_replaced(message, lines) for message in messages[:before]]
    return [without_reasoning(message) for message in (*lean, *messages[before:])]


def replaced_by(messages: Sequence[Message], start: int, task: Message) -> list[Message]:
    """`task`, then the turns from index `start` on, which has to be the beginning of a turn."""
    return [task, *map(without_reasoning, messages[start:])]


def shortened(messages: Sequence[Message], room: int, size: Size, stub: Stub) -> list[Message]:
    """The conversation with its largest results cut down, one after the other, until it fits into `room` tokens."""
    result = list(messages)
    largest = sorted(calls(messages), key=lambda called: len(called.text), reverse=True)
    for called in largest:
        if sum(map(size, result)) <= room or len(called.text) <= 2 * _SHORTENED_CHARS:
            break
        texts = {called.id: f"{clipped(called.text, _SHORTENED_CHARS)}\n{stub(called)}"}
        result = [_replaced(message, texts) for message in result]
    return result


def clipped(text: str, limit_chars: int) -> str:
    """The beginning and the end of a text that is longer than the limit."""
    if len(text) <= limit_chars:
        return text
    half = limit_chars // 2
    return (
        f"{text[:half]}\n[... {len(text) - 2 * half:,} characters left out ...]\n{text[len(text) - half :]}"
    )


def _replaced(message: Message, texts: Mapping[str, str]) -> Message:
    """The message with these texts as the whole results of the calls that they name."""
    if not any(_result_id(block) in texts for block in message["content"]):
        return message
    return {**message, "content": [_with_text(block, texts) for block in message["content"]]}


def _result_id(block: Any) -> str:
    return block["toolResult"]["toolUseId"] if "toolResult" in block else ""


def _with_text(block: Any, texts: Mapping[str, str]) -> Any:
    text = texts.get(_result_id(block))
    return block if text is None else {"toolResult": {**block["toolResult"], "content": [{"text": text}]}}
