"""Cyclomatic complexity of functions in JavaScript, TypeScript and PHP, by tree-sitter."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeflow.syntax.language import Language
from codeflow.syntax.parsing import parse

if TYPE_CHECKING:
    import tree_sitter

MEASURED = {"javascript", "typescript", "tsx", "php"}
"""The languages by name."""

_FUNCTIONS = {
    "function_declaration",
    "generator_function_declaration",
    "function_expression",
    "generator_function",
    "arrow_function",
    "method_definition",
    "function_definition",
    "method_declaration",
    "anonymous_function",
}
_CLASSES = {
    "class_declaration",
    "abstract_class_declaration",
    "class",
    "interface_declaration",
    "trait_declaration",
    "enum_declaration",
}
_DECISIONS = {
    "if_statement",
    "for_statement",
    "for_in_statement",
    "while_statement",
    "do_statement",
    "switch_case",
    "catch_clause",
    "ternary_expression",
    "conditional_expression",
    "else_if_clause",
    "foreach_statement",
    "case_statement",
    "match_conditional_expression",
}
_SHORT_CIRCUITS = {"&&", "||", "??", "&&=", "||=", "??=", "and", "or"}
_HOLDERS = {
    "variable_declarator": "name",
    "pair": "key",
    "assignment_expression": "left",
    "field_definition": "property",
    "public_field_definition": "name",
}
"""What gives a function expression its name, and the field in which it stands."""
_ANONYMOUS = "(anonymous)"


@dataclass(slots=True)
class Function:
    """Lines count from 1; `code_lines` are those that hold more than blanks and comments."""

    name: str
    line: int
    end_line: int
    parameters: int
    code_lines: int = 0
    complexity: int = 1


def functions(language: Language, text: str) -> tuple[list[Function], bool]:
    """The functions of a source, and whether all of it could be read. A callback without a name counts to what it is in.

    Raises:
        Unparsable: when no tree can be had.
    """
    root = parse(language, text.encode("utf-8", "replace")).root_node
    found: list[Function] = []
    rows: set[int] = set()
    waiting: list[tuple[tree_sitter.Node, Function | None, str]] = [(root, None, "")]
    while waiting:
        node, around, owner = waiting.pop()
        if node.type in _CLASSES:
            owner = _text(node.child_by_field_name("name"))
        if node.type in _FUNCTIONS and (function := _function(node, owner, named=around is not None)):
            found.append(function)
            around, owner = function, ""
        if around and _decides(node):
            around.complexity += 1
        if node.child_count == 0 and "comment" not in node.type:
            rows.update(range(node.start_point.row + 1, node.end_point.row + 2))
        waiting.extend((child, around, owner) for child in node.children)
    in_order = sorted(rows)
    for function in found:
        function.code_lines = bisect_right(in_order, function.end_line) - bisect_left(in_order, function.line)
    return found, not root.has_error


def _function(node: "tree_sitter.Node", owner: str, *, named: bool) -> Function | None:
    """The function that a node is; None for one without a body, or without a name where only `named` ones count."""
    if node.child_by_field_name("body") is None:
        return None
    name, start = _text(node.child_by_field_name("name")), node
    parent = node.parent
    if not name and parent and parent.type in _HOLDERS:
        name, start = _text(parent.child_by_field_name(_HOLDERS[parent.type])), parent
    if not name and named:
        return None
    accessor = next((f"{child.type} " for child in node.children if child.type in ("get", "set")), "")
    qualified = f"{accessor}{owner}.{name}" if owner and name else f"{accessor}{name or _ANONYMOUS}"
    return Function(qualified, start.start_point.row + 1, node.end_point.row + 1, _parameters(node))


def _parameters(node: "tree_sitter.Node") -> int:
    if node.child_by_field_name("parameter"):
        return 1
    listed = node.child_by_field_name("parameters")
    return sum(1 for child in listed.named_children if child.type != "comment") if listed else 0


def _decides(node: "tree_sitter.Node") -> bool:
    if node.type in _DECISIONS:
        return True
    if node.type not in ("binary_expression", "augmented_assignment_expression"):
        return False
    operator = node.child_by_field_name("operator")
    return operator is not None and operator.type.lower() in _SHORT_CIRCUITS


def _text(node: "tree_sitter.Node | None") -> str:
    return " ".join((node.text or b"").decode("utf-8", "replace").split()) if node else ""
