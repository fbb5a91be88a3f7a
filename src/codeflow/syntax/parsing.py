"""Parses text within bounds of time and size, whatever the text is."""

import threading
import time
from typing import TYPE_CHECKING

from codeflow.syntax.language import Language

if TYPE_CHECKING:
    import tree_sitter

MAX_BYTES = 1_000_000
TIMEOUT_S = 1.0
_CHUNK_BYTES = 65_536
_MOST_BROKEN_NODES = 100_000
_MOST_PARTS_OF_AN_ERROR = 10_000

_local = threading.local()


class Unparsable(Exception):  # noqa: N818 - a property of the text, which the caller tells or passes over
    """A text of which no tree can be had; the message says why."""


def parse(language: Language, source: bytes) -> "tree_sitter.Tree":
    """The tree of a source.

    Raises:
        Unparsable: for one that is too large or too slow to parse, or broken so badly that nothing can be told of it,
            and where the grammar is not installed.
    """
    if not language.installed:
        raise Unparsable(f"the grammar for {language.name} is not installed")
    if len(source) > MAX_BYTES:
        raise Unparsable(f"it is larger than {MAX_BYTES:,} bytes")
    # bash's scanner takes quadratic time on null bytes, and cannot be stopped
    source = source.replace(b"\0", b" ")
    parser = _parser(language)
    deadline = time.thread_time() + TIMEOUT_S  # of work: a busy machine changes no result
    try:
        tree = parser.parse(
            lambda offset, _: source[offset : offset + _CHUNK_BYTES],
            progress_callback=lambda _offset, _error: time.thread_time() > deadline,
        )
    except ValueError as error:  # how tree-sitter says that the callback stopped it
        parser.reset()
        raise Unparsable(f"parsing it takes longer than {TIMEOUT_S:g} s") from error
    if _hopeless(tree.root_node):
        raise Unparsable("it is broken, or nested, so badly that the parser cannot tell its parts")
    return tree


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
