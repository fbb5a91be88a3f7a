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


def prompt_tokens(messages: Sequence[Any], tool_specs: Sequence[Any] | None, system: str | None) -> int:
    """Of a whole request."""
    specs = sum(map(_json_tokens, tool_specs or ()))
    return sum(map(message_tokens, messages)) + specs + _text_tokens(system or "")


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
