"""Notices an agent that makes the same call again and again and learns nothing from it."""

import json
import re
from collections import deque
from collections.abc import Mapping
from typing import Any

WARNED_AFTER = 4
STOPPED_AFTER = 10
_REMEMBERED = 24
_DURATION = re.compile(r"\b\d+(\.\d+)? m?s\b")
_WAITING = frozenset({"read_output"})
"""Tools that are asked again on purpose, until something has happened."""


class Repetition:
    """The latest calls of one agent with their results."""

    def __init__(self) -> None:
        self._calls: deque[int] = deque(maxlen=_REMEMBERED)

    def note(self, tool: str, arguments: Mapping[str, Any], result: str) -> int:
        """How often this call has had this result among the latest ones, this time included."""
        if tool in _WAITING:
            return 1
        asked = json.dumps(arguments, sort_keys=True, default=str)
        call = hash((tool, asked, _DURATION.sub("", result)))
        self._calls.append(call)
        return self._calls.count(call)
