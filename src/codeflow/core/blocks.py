"""Converse content blocks as JSON can hold them: bytes, such as pictures or encrypted reasoning, as base64."""

import base64
from typing import Any

_BYTES = "$base64"


def to_plain(value: Any) -> Any:
    """The value with bytes as {"$base64": text}."""
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def without_reasoning(message: Any) -> Any:
    """The message without thoughts: their signatures hold for the conversation they were made in only."""
    content = [block for block in message["content"] if "reasoningContent" not in block]
    return message if len(content) == len(message["content"]) else {**message, "content": content}


def from_plain(value: Any) -> Any:
    """What `to_plain` was given."""
    if isinstance(value, dict):
        if set(value) == {_BYTES} and isinstance(value[_BYTES], str):
            return base64.b64decode(value[_BYTES])
        return {key: from_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [from_plain(item) for item in value]
    return value
