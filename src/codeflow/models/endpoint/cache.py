"""Prompt caching as Bedrock bills it, simulated: which part of a prompt was read, written, or is new.

Tokens are estimated as characters / 4, the same for every model.
"""

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from codeflow.core.values import Usage

CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class _Boundary:
    """The end of one block: a hash of everything up to it, and how many tokens that is."""

    digest: bytes
    tokens: int
    ttl: str | None
    """Of the cache point that follows; None when none does."""


class PromptCache:
    """The prefixes each model has been asked to keep; shared by all sessions, as an account's cache is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, set[bytes]] = defaultdict(set)

    def bill(self, model_id: str, request: dict[str, Any], *, min_tokens: int) -> Usage:
        """Input side of the usage of a request, whose cached prefixes are known from now on."""
        boundaries = list(_boundaries(request))
        points = [b for b in boundaries if b.ttl is not None and b.tokens >= min_tokens]
        total = boundaries[-1].tokens if boundaries else 0
        if not points:
            return Usage(input_tokens=total)
        with self._lock:
            known = self._known[model_id]
            cacheable = [b.tokens for b in boundaries if b.tokens <= points[-1].tokens and b.digest in known]
            known.update(point.digest for point in points)
        read = max(cacheable, default=0)
        last_1h = max((b.tokens for b in points if b.ttl == "1h"), default=0)
        written_1h = max(last_1h - read, 0)
        return Usage(
            input_tokens=total - points[-1].tokens,
            cache_read_tokens=read,
            cache_write_tokens=points[-1].tokens - read - written_1h,
            cache_write_1h_tokens=written_1h,
        )


def estimated_tokens(request: dict[str, Any]) -> int:
    return max((boundary.tokens for boundary in _boundaries(request)), default=0)


def _boundaries(request: dict[str, Any]) -> Iterator[_Boundary]:
    running = hashlib.sha256()
    chars = 0
    for text, ttl in _blocks_with_points(request):
        running.update(f"{len(text)}:{text}".encode("utf-8", "surrogatepass"))
        chars += len(text)
        yield _Boundary(running.digest(), chars // CHARS_PER_TOKEN, ttl)


def _blocks_with_points(request: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Every block's text in caching order, with the ttl of the cache point right after it."""
    pending: str | None = None
    for block in _blocks(request):
        if "cachePoint" not in block:
            if pending is not None:
                yield pending, None
            pending = json.dumps(block, sort_keys=True, ensure_ascii=False)
        elif pending is not None:
            yield pending, block["cachePoint"].get("ttl", "5m")
            pending = None
    if pending is not None:
        yield pending, None


def _blocks(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from request.get("toolConfig", {}).get("tools", [])
    yield from request.get("system", [])
    for message in request.get("messages", []):
        for index, block in enumerate(message["content"]):
            yield block if index else {"role": message["role"], **block}
