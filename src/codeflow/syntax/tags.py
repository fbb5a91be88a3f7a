"""Definitions and references of a source text, by tree-sitter."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from codeflow.syntax.languages import Language, language_of
from codeflow.syntax.parsing import parse

if TYPE_CHECKING:
    import tree_sitter

_LONGEST_SIGNATURE = 160
_MOST_DEFINITIONS = 5_000
_DEEPEST = 500
"""Nodes below are not searched: tree-sitter 0.26 dies of a stack overflow on nesting a hundred thousand deep."""
_SCOPE = "scope"
_DEFINITION = "definition."

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
    """What a file defines, in its order; nothing for a language without a grammar, or text beyond the bounds."""
    return tags(path, text).definitions


def tags(path: str, text: str) -> Tags:
    """Like `outline`, with the references in the order of their lines."""
    language = language_of(path, text)
    source = text.encode("utf-8", "replace")
    tree = parse(language, source) if language else None
    if language is None or tree is None:
        return Tags()
    matches = _matches(language, tree)
    found: dict[int, _Found] = {}
    references: dict[int, Reference] = {}
    for _, captures in sorted(matches, key=lambda match: match[0]):
        if "name" in captures:
            found.setdefault(captures["name"][0].start_byte, _found(source, captures))
        else:
            references.update(_references(source, captures))
    in_order = sorted(found.values(), key=lambda item: (item.start, -item.end))
    return Tags(
        tuple(_qualified(in_order[:_MOST_DEFINITIONS])),
        tuple(references[start] for start in sorted(references.keys() - found.keys())),
    )


def _matches(language: Language, tree: "tree_sitter.Tree") -> list[tuple[int, _Captures]]:
    """The number of the pattern, and what it captured."""
    import tree_sitter

    cursor = tree_sitter.QueryCursor(language.query())
    cursor.set_max_start_depth(_DEEPEST)
    return cast("list[tuple[int, _Captures]]", cursor.matches(tree.root_node))


def _text(source: bytes, node: "tree_sitter.Node") -> str:
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _references(source: bytes, captures: _Captures) -> Iterator[tuple[int, Reference]]:
    for capture, nodes in captures.items():
        for node in nodes:
            yield (
                node.start_byte,
                Reference(_text(source, node), node.start_point.row + 1, capture == "member"),
            )


def _found(source: bytes, captures: _Captures) -> _Found:
    capture = next(name for name in captures if name.startswith(_DEFINITION))
    node, name = captures[capture][0], captures["name"][0]
    owner, _, last = _text(source, name).replace("::", ".").rpartition(".")
    if "owner" in captures:
        owner = _text(source, captures["owner"][0])
    return _Found(
        kind=capture.removeprefix(_DEFINITION),
        name=last.partition("<")[0],
        owner=owner,
        signature=_signature(source, node, captures.get("body", [node.child_by_field_name("body")])[0]),
        start=node.start_byte,
        end=node.end_byte,
        line=node.start_point.row + 1,
        end_line=node.end_point.row + (node.end_point.column > 0),
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
    around: list[tuple[int, str]] = []  # (where it ends, its qualified name)
    for item in in_order:
        while around and around[-1][0] <= item.start:
            around.pop()
        outer = around[-1][1] if around else ""
        qualified = ".".join(filter(None, (outer, item.owner, item.name)))
        around.append((item.end, qualified))
        if item.kind != _SCOPE:
            yield Definition(item.kind, item.name, qualified, item.line, item.end_line, item.signature)
