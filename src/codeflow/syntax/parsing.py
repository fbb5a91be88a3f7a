"""Parses text within bounds of time and size, whatever the text is."""

import threading
import time
from typing import TYPE_CHECKING

from codeflow.syntax.languages import Language

if TYPE_CHECKING:
    import tree_sitter

MAX_BYTES = 1_000_000
TIMEOUT_S = 1.0
_CHUNK_BYTES = 65_536
_MOST_BROKEN_NODES = 100_000
_MOST_PARTS_OF_AN_ERROR = 10_000

_local = threading.local()


def parse(language: Language, source: bytes) -> "tree_sitter.Tree | None":
    """The tree; None for a source that is too large, or broken so badly that nothing can be told of it."""
    if len(source) > MAX_BYTES:
        return None
    # bash's scanner takes quadratic time on null bytes, and cannot be stopped
    source = source.replace(b"\0", b" ")
    parser = _parser(language)
    deadline = time.monotonic() + TIMEOUT_S
    try:
        tree = parser.parse(
            lambda offset, _: source[offset : offset + _CHUNK_BYTES],
            progress_callback=lambda _offset, _error: time.monotonic() > deadline,
        )
    except ValueError:  # how tree-sitter says that the callback stopped it
        parser.reset()
        return None
    return None if _hopeless(tree.root_node) else tree


def _parser(language: Language) -> "tree_sitter.Parser":
    """Parsers are not thread-safe: each thread has its own."""
    import tree_sitter

    parsers: dict[str, tree_sitter.Parser] = _local.__dict__.setdefault("parsers", {})
    if language.name not in parsers:
        parsers[language.name] = tree_sitter.Parser(language.grammar())
    return parsers[language.name]


def _hopeless(root: "tree_sitter.Node") -> bool:
    """Whether walking the tree would take quadratic time, as it does with the many children of an error."""
    broken = [root] if root.has_error else []
    for _ in range(_MOST_BROKEN_NODES):
        if not broken:
            return False
        node = broken.pop()
        if node.is_error and node.child_count > _MOST_PARTS_OF_AN_ERROR:
            return True
        broken.extend(child for child in node.children if child.has_error)
    return True
