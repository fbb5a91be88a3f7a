"""An outline of languages for which we have no query: the named nodes that their grammars call definitions."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tree_sitter

_KINDS = (
    "class|struct|enum|union|interface|trait|protocol|module|namespace|package|object|record|message|service|rpc"
    "|function|func|fun|fn|method|subroutine|procedure|constructor|macro|contract|library|event|modifier|program|type"
    "|value|table|view|rule|model|task|entity|architecture|signature|exception|instance|template"
)
_DECLARED = re.compile(rf"(?:.*_)?({_KINDS})_(?:definition|declaration|decl|def|item|binding|implementation)")
_BARE = re.compile(_KINDS)
_NAME = re.compile(r".*(?:identifier|name|ident|atom|symbol|word|constant)|id")
_MOST_NODES = 200_000
_NEAR = 3
"""Levels below a definition at which its name may stand."""


def generic_definitions(
    root: "tree_sitter.Node",
) -> list[tuple[int, Mapping[str, Sequence["tree_sitter.Node"]]]]:
    """In the form of a query's matches, in the order of the text."""
    found: list[tuple[int, Mapping[str, Sequence[tree_sitter.Node]]]] = []
    waiting = [root]
    for _ in range(_MOST_NODES):
        if not waiting:
            break
        node = waiting.pop()
        waiting.extend(reversed(node.named_children))
        if (kind := _kind(node)) and (name := _name(node)):
            found.append((0, {f"definition.{kind}": [node], "name": [name]}))
    return found


def _kind(node: "tree_sitter.Node") -> str:
    """What kind of definition a node is; empty for one that is none."""
    if node.named_child_count == 0 or node.is_error:
        return ""
    if match := _DECLARED.fullmatch(node.type):
        return match[1]
    return node.type if _BARE.fullmatch(node.type) and _named(node) else ""


def _named(node: "tree_sitter.Node") -> "tree_sitter.Node | None":
    """What the grammar itself calls the name; it may stand in an opening statement."""
    if name := node.child_by_field_name("name"):
        return name
    for child in node.named_children:
        if child.type == f"{node.type}_name":
            return child
        if child.type == f"{node.type}_statement":
            return child.child_by_field_name("name") or next(_names(child, 0), None)
    return None


def _name(node: "tree_sitter.Node") -> "tree_sitter.Node | None":
    """The field `name`, else the first child that looks like one, a few levels down."""
    if named := _named(node):
        return named
    return next(_names(node, _NEAR), None)


def _names(node: "tree_sitter.Node", levels: int) -> Iterator["tree_sitter.Node"]:
    for child in node.named_children:
        if child.named_child_count == 0 and _NAME.fullmatch(child.type):
            yield child
    for child in node.named_children if levels else ():
        yield from _names(child, levels - 1)
