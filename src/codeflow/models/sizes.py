"""How many tokens a message may take, before a model has counted it: rough, and without a tokenizer's megabytes."""

import json
from collections.abc import Sequence
from typing import Any

_CHARS_PER_TOKEN = 4
_JSON_CHARS_PER_TOKEN = 2
_IMAGE_TOKENS = 1_600
_DOCUMENT_BYTES_PER_TOKEN = 10


def message_tokens(message: Any) -> int:
    """Of a message in Converse's shape, pictures and documents included."""
    return sum(map(_block_tokens, message["content"]))


def frame_tokens(tool_specs: Sequence[Any] | None, system: str | None) -> int:
    """Of what a request holds besides messages."""
    return sum(map(_json_tokens, tool_specs or ())) + _text_tokens(system or "")


class GrowingSize:
    """The size of a conversation to which messages are added: only the new ones are measured.

    A conversation is known again by the contents of its first and its last known message, the very objects: Strands
    makes new messages around them. Whoever changes anything between has to `forget`.
    """

    def __init__(self) -> None:
        self._contents: list[Any] = []
        self._tokens = 0

    def forget(self) -> None:
        self._contents, self._tokens = [], 0

    def of(self, messages: Sequence[Any]) -> int:
        """Tokens of the messages."""
        count = len(self._contents)
        ends = (0, count - 1) if count else ()
        if len(messages) < count or any(messages[end]["content"] is not self._contents[end] for end in ends):
            self.forget()
            count = 0
        new = messages[count:]
        self._tokens += sum(map(message_tokens, new))
        self._contents.extend(message["content"] for message in new)
        return self._tokens


def _block_tokens(block: Any) -> int:
    match block:
        case {"text": str(text)}:
            return _text_tokens(text)
        case {"toolUse": {"name": name, "input": given}}:
            return _text_tokens(name) + _json_tokens(given)
        case {"toolResult": {"content": items}}:
            return sum(map(_block_tokens, items))
        case {"json": value}:
            return _json_tokens(value)
        case {"reasoningContent": {"reasoningText": {"text": str(text)}}}:
            return _text_tokens(text)
        case {"image": _}:
            return _IMAGE_TOKENS
        case {"document": {"source": {"bytes": data}}}:
            return max(_IMAGE_TOKENS, len(data) // _DOCUMENT_BYTES_PER_TOKEN)
        case _:
            return 0


def _text_tokens(text: str) -> int:
    return -(-len(text) // _CHARS_PER_TOKEN)


def _json_tokens(value: Any) -> int:
    return -(-len(json.dumps(value)) // _JSON_CHARS_PER_TOKEN)
