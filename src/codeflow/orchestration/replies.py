"""JSON out of a model's answer, wherever the model put it."""

import json
from typing import Any


def last_object(text: str) -> dict[str, Any] | None:
    """The last complete top-level JSON object in a text, or None; fences and prose around it do not matter."""
    decoder = json.JSONDecoder()
    found: dict[str, Any] | None = None
    position = text.find("{")
    while position != -1:
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):  # ValueError: also a number too long to convert
            end = position + 1
        else:
            found = value if isinstance(value, dict) else found
        position = text.find("{", end)
    return found
