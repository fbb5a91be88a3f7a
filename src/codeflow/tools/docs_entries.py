"""What of a document or a Python module is worth finding: sections, and documented names with signatures."""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

_LONGEST_BODY = 2_000
_LONGEST_SIGNATURE = 600
_HEADING = re.compile(r"^#{1,6} +(.+?)[ #]*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something that a search can find; `title` is a heading, or a dotted name with its signature.

    `name` is what it is called where it is defined: the heading, or Class.method without the module.
    """

    name: str
    title: str
    body: str
    place: str
    """file:line, relative to the source."""


def markdown_entries(text: str, file: str) -> Iterator[Entry]:
    """The sections of a Markdown text, a heading to the next; what stands before the first is the file's own."""
    title, first, fenced = file, 1, False
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        fenced ^= bool(_FENCE.match(line))
        heading = None if fenced else _HEADING.match(line)
        if heading:
            yield from _section(title, lines[first - 1 : number - 1], f"{file}:{first}")
            title, first = heading[1], number
    yield from _section(title, lines[first - 1 :], f"{file}:{first}")


def _section(title: str, lines: list[str], place: str) -> Iterator[Entry]:
    body = "\n".join(lines[1:] if lines and _HEADING.match(lines[0]) else lines).strip()
    if body:
        yield Entry(name=title, title=title, body=body[:_LONGEST_BODY], place=place)


def python_entries(text: str, file: str) -> Iterator[Entry]:
    """The module, classes and functions of a source file that are public and documented; the file is not run."""
    try:
        with warnings.catch_warnings(action="ignore"):  # a stranger's invalid escapes
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    yield from _documented(tree, module.rpartition(".")[2], module, f"{file}:1")
    yield from _members(tree, module, "", file)


def _members(parent: ast.Module | ast.ClassDef, module: str, prefix: str, file: str) -> Iterator[Entry]:
    for node in parent.body:
        if not isinstance(node, _Function | ast.ClassDef) or _is_private(node.name):
            continue
        name = f"{prefix}{node.name}"
        full = f"{module}.{name}"
        title = full + _signature(node) if isinstance(node, _Function) else f"class {full}"
        yield from _documented(node, name, title, f"{file}:{node.lineno}")
        if isinstance(node, ast.ClassDef):
            yield from _members(node, module, f"{name}.", file)


def _documented(
    node: _Function | ast.ClassDef | ast.Module, name: str, title: str, place: str
) -> Iterator[Entry]:
    docstring = ast.get_docstring(node)
    if docstring:
        yield Entry(name=name, title=title, body=docstring[:_LONGEST_BODY], place=place)


def _signature(node: _Function) -> str:
    """Without what Annotated adds to types, which can be pages of text."""
    bare = _WithoutAnnotated()
    returns = f" -> {ast.unparse(bare.visit(node.returns))}" if node.returns else ""
    signature = f"({ast.unparse(bare.visit(node.args))}){returns}"
    return signature if len(signature) <= _LONGEST_SIGNATURE else f"{signature[:_LONGEST_SIGNATURE]}…"


class _WithoutAnnotated(ast.NodeTransformer):
    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        is_annotated = ast.unparse(node.value).rpartition(".")[2] == "Annotated"
        if is_annotated and isinstance(node.slice, ast.Tuple) and node.slice.elts:
            return node.slice.elts[0]
        return node


def _is_private(name: str) -> bool:
    return name.startswith("_") and name != "__init__"
