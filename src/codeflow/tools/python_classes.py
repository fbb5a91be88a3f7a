"""What a language server's rename of a Python class's member does not see to: relatives that have it, and patterns.

Classes are told apart by their names alone.
"""

import ast
import re
import warnings
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from codeflow.tools.lsp.positions import split_lines
from codeflow.tools.text import decode

_LARGEST_BYTES = 2_000_000
_CLASS = re.compile(r"^[ \t]*class[ \t]+(\w+)[^(:\n]*\(([^)]*)\)", re.MULTILINE)
_DOTTED = re.compile(r"[\w.]+")


@dataclass(frozen=True, slots=True)
class Member:
    """A class's own method or field; the line counts from 1."""

    owner: str
    name: str
    path: Path
    line: int


@dataclass(frozen=True, slots=True)
class Base:
    """What a class derives from, as `class Owner(expression)` says it; the line counts from 1, decorators included."""

    owner: str
    expression: str
    path: Path
    line: int
    indent: str


@dataclass(frozen=True, slots=True)
class Keyword:
    """A class pattern that takes a member by its name, as in `case Point(x=0)`; the line counts from 1."""

    path: Path
    line: int
    text: str


def binds(node: ast.stmt, name: str) -> bool:
    """Whether a statement gives the module or class in which it stands this name."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return node.name == name
        case ast.Import() | ast.ImportFrom():
            return any((alias.asname or alias.name) == name for alias in node.names)
        case ast.Assign():
            return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
        case ast.AnnAssign():
            return isinstance(node.target, ast.Name) and node.target.id == name
    return False


def _text(file: Path) -> str:
    """A file of Python's; empty for any other, and for one that cannot be read."""
    if file.suffix not in {".py", ".pyi"} or not file.is_file() or file.stat().st_size > _LARGEST_BYTES:
        return ""
    text = decode(file.read_bytes())
    return text.content if text else ""


def _parsed(text: str) -> ast.Module:
    """Its syntax tree; an empty one when it has none."""
    try:
        with warnings.catch_warnings(action="ignore", category=SyntaxWarning):  # of the project's own code
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def relatives(
    files: Iterable[Path], mentions: Iterable[Path], name: str, path: Path, line: int
) -> list[Member]:
    """The same member in classes above and below the one that has it there; none when nothing else has it.

    `files` are all of the project, `mentions` those in which the name stands.
    """
    members = [member for file in mentions for member in _members(file, name)]
    ours = next((member for member in members if (member.path, member.line) == (path, line)), None)
    if ours is None or len(members) == 1:
        return []
    derived = _derived(files)
    above = _above(ours.owner, derived)
    return [
        member
        for member in members
        if member != ours and (member.owner in above or ours.owner in _above(member.owner, derived))
    ]


def bases(files: Collection[Path], name: str, path: Path, line: int) -> list[Base]:
    """What the class that has this member there derives from, and what its bases in the project derive from in turn.

    A class without bases has `object`. Nothing when the place is not a class's member.
    """
    ours = [node for node in _classes(_text(path)) if line in _lines_of(node, name)]
    if not ours:
        return []
    above = _above(ours[0].name, _derived(files))
    owners = "|".join(map(re.escape, above))
    found = [(path, ours[0])]
    for file in files:
        text = _text(file)
        if re.search(rf"\bclass\s+(?:{owners})\b", text):
            found += [(file, node) for node in _classes(text) if node.name in above]
    return [
        Base(node.name, expression, file, _first_line(node), " " * node.col_offset)
        for file, node in dict.fromkeys(found)
        for expression in _expressions(node)
    ]


def is_import(path: Path, line: int) -> bool:
    """Whether an import stands on a line of a file of Python's."""
    return any(
        isinstance(node, ast.Import | ast.ImportFrom) and node.lineno <= line <= (node.end_lineno or 0)
        for node in ast.walk(_parsed(_text(path)))
    )


def _classes(text: str) -> list[ast.ClassDef]:
    return [node for node in ast.walk(_parsed(text)) if isinstance(node, ast.ClassDef)]


def _first_line(node: ast.ClassDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _expressions(node: ast.ClassDef) -> list[str]:
    """The bases without their type arguments."""
    named = (base.value if isinstance(base, ast.Subscript) else base for base in node.bases)
    return [ast.unparse(base) for base in named if isinstance(base, ast.Name | ast.Attribute)] or ["object"]


def keywords(files: Iterable[Path], name: str) -> list[Keyword]:
    """The class patterns of the files that take a member of this name."""
    return [found for file in files for found in _keywords(file, name)]


def _keywords(file: Path, name: str) -> list[Keyword]:
    text = _text(file)
    if not re.search(r"^\s*case\b", text, re.MULTILINE) or not re.search(rf"\b{name}\s*=", text):
        return []  # most files, which need not be parsed
    lines = split_lines(text)
    return [Keyword(file, line, lines[line - 1].strip()) for line in _pattern_lines(_parsed(text), name)]


def _pattern_lines(tree: ast.Module, name: str) -> list[int]:
    found = (
        pattern.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.MatchClass)
        for attribute, pattern in zip(node.kwd_attrs, node.kwd_patterns, strict=True)
        if attribute == name
    )
    return sorted(set(found))


def _members(path: Path, name: str) -> Iterator[Member]:
    text = _text(path)
    if "class" not in text:
        return
    for node in _classes(text):
        yield from (Member(node.name, name, path, line) for line in _lines_of(node, name))


def _lines_of(node: ast.ClassDef, name: str) -> list[int]:
    """Where a class has a member of this name."""
    return [statement.lineno for statement in node.body if binds(statement, name)]


def _derived(files: Iterable[Path]) -> Mapping[str, set[str]]:
    """Class -> the names in its parentheses, by text: parsing a whole project takes long, and more names do no harm."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in files:
        for owner, bases in _CLASS.findall(_text(file)):
            found[owner].update(name.rpartition(".")[2] for name in _DOTTED.findall(bases))
    return found


def _above(name: str, derived: Mapping[str, set[str]]) -> set[str]:
    """The classes that one derives from, at any distance."""
    found: set[str] = set()
    waiting = [*derived.get(name, ())]
    while waiting:
        if (current := waiting.pop()) not in found:
            found.add(current)
            waiting += derived.get(current, ())
    return found
