"""Definitions and references of a source text, by tree-sitter."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from codeflow.syntax.generic import generic_definitions
from codeflow.syntax.language import Language
from codeflow.syntax.languages import language_of
from codeflow.syntax.parsing import Unparsable, parse

if TYPE_CHECKING:
    import tree_sitter

_LONGEST_SIGNATURE = 160
_MOST_DEFINITIONS = 5_000
_DEEPEST = 500
"""Nodes below are not searched: tree-sitter 0.26 dies of a stack overflow on nesting a hundred thousand deep."""
_ONLY_OUTLINED = "impl"
"""The kind of what defines no name of its own, but holds definitions."""
_DEFINITION = "definition."
_USES = {"reference", "member"}

_Captures: TypeAlias = Mapping[str, Sequence["tree_sitter.Node"]]


@dataclass(frozen=True, slots=True)
class Definition:
    """Lines count from 1. `qualified` joins the names of what it stands in with dots."""

    kind: str
    name: str
    qualified: str
    line: int
    end_line: int
    signature: str
    depth: int = 0
    """How many names stand around it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A use of a name: a call, an import, a base class, a type. `member`: reached through an object or module."""

    name: str
    line: int
    member: bool


@dataclass(frozen=True, slots=True)
class Tags:
    definitions: tuple[Definition, ...] = ()
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    """A definition before the names around it are known."""

    kind: str
    name: str
    owner: str
    signature: str
    start: int
    end: int
    line: int
    end_line: int


def outline(path: str, text: str) -> tuple[Definition, ...]:
    """What a file defines, in its order, and the `impl` of Rust around it; nothing for a language that has no grammar.

    Raises:
        Unparsable: when the text cannot be parsed.
    """
    language = language_of(path, text)
    return _tags(language, text).definitions if language else ()


def tags(path: str, text: str) -> Tags:
    """What a file defines by name, and the references in the order of their lines; nothing for text that cannot be parsed."""
    language = language_of(path, text)
    try:
        found = _tags(language, text) if language else Tags()
    except Unparsable:
        return Tags()
    return Tags(tuple(item for item in found.definitions if item.kind != _ONLY_OUTLINED), found.references)


def _tags(language: Language, text: str) -> Tags:
    source = text.encode("utf-8", "replace")
    tree = parse(language, source)
    query = language.query()
    matches = _matches(query, tree) if query else generic_definitions(tree.root_node)
    found: dict[int, _Found] = {}
    references: dict[int, Reference] = {}
    for _, captures in sorted(matches, key=lambda match: match[0]):
        if "name" in captures:
            found.setdefault(
                captures["name"][0].start_byte, _found(source, captures, dotted=language.is_code)
            )
        else:
            references.update(_references(source, captures))
    in_order = sorted(found.values(), key=lambda item: (item.start, -item.end))
    return Tags(
        tuple(_qualified(in_order[:_MOST_DEFINITIONS])),
        tuple(references[start] for start in sorted(references.keys() - found.keys())),
    )


def _matches(query: "tree_sitter.Query", tree: "tree_sitter.Tree") -> list[tuple[int, _Captures]]:
    """The number of the pattern, and what it captured."""
    import tree_sitter

    cursor = tree_sitter.QueryCursor(query)
    cursor.set_max_start_depth(_DEEPEST)
    return cast("list[tuple[int, _Captures]]", cursor.matches(tree.root_node))


def _text(source: bytes, node: "tree_sitter.Node") -> str:
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _references(source: bytes, captures: _Captures) -> Iterator[tuple[int, Reference]]:
    for capture, nodes in captures.items():
        for node in nodes if capture in _USES else ():
            yield (
                node.start_byte,
                Reference(_text(source, node), node.start_point.row + 1, capture == "member"),
            )


def _found(source: bytes, captures: _Captures, *, dotted: bool) -> _Found:
    """`dotted`: whether a dot in a name parts it from its owner, as in code; elsewhere it is a character like others."""
    capture = next(name for name in captures if name.startswith(_DEFINITION))
    node, name = captures[capture][0], captures["name"][0]
    end = captures.get("end", [node])[0]
    owner, last = "", " ".join(_text(source, name).split()).strip("\"'")
    if dotted:
        owner, _, last = last.replace("::", ".").rpartition(".")
        last = last.partition("<")[0]
    if "owner" in captures:
        owner = _text(source, captures["owner"][0])
    return _Found(
        kind=capture.removeprefix(_DEFINITION),
        name=last,
        owner=owner,
        signature=_signature(source, node, captures.get("body", [node.child_by_field_name("body")])[0]),
        start=node.start_byte,
        end=end.end_byte,
        line=node.start_point.row + 1,
        end_line=end.end_point.row + (end.end_point.column > 0),
    )


def _signature(source: bytes, node: "tree_sitter.Node", body: "tree_sitter.Node | None") -> str:
    """The text before the body, or a comment that leads to it; the first line of what has none."""
    end = min(body.start_byte if body else node.end_byte, node.start_byte + 4 * _LONGEST_SIGNATURE)
    if body:
        comments = [child.start_byte for child in node.children if "comment" in child.type]
        end = min([end, *comments])
    text = source[node.start_byte : end].decode("utf-8", "replace")
    text = re.sub(r"\s+", " ", text if body else text.partition("\n")[0]).strip()
    text = text.removesuffix("=>").rstrip(" {:;=")
    text = re.sub(r"([(\[]) | (?=[)\]])|,(?= ?\))", r"\1", text)
    return text if len(text) <= _LONGEST_SIGNATURE else text[: _LONGEST_SIGNATURE - 1] + "…"


def _qualified(in_order: Sequence[_Found]) -> Iterator[Definition]:
    around: list[tuple[int, str, int]] = []  # (where it ends, its qualified name, its depth)
    for item in in_order:
        while around and around[-1][0] <= item.start:
            around.pop()
        _, outer, above = around[-1] if around else (0, "", -1)
        qualified = ".".join(filter(None, (outer, item.owner, item.name)))
        depth = above + 1 + (item.owner.count(".") + 1 if item.owner else 0)
        around.append((item.end, qualified, depth))
        yield Definition(item.kind, item.name, qualified, item.line, item.end_line, item.signature, depth)
