"""What a language server's rename of a Python class's member does not see to: relatives that have it, and patterns."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from codeflow.tools.lsp.positions import split_lines
from codeflow.tools.text import decode

_LARGEST_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Member:
    """A class's own method or field; the line counts from 1."""

    owner: str
    name: str
    path: Path
    line: int


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


def parsed(path: Path) -> ast.Module:
    """A file's syntax tree; an empty one when it cannot be parsed."""
    if path.suffix not in {".py", ".pyi"} or path.stat().st_size > _LARGEST_BYTES:
        return ast.Module([], [])
    text = decode(path.read_bytes())
    try:
        return ast.parse(text.content if text else "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def relatives(
    files: Iterable[Path], mentions: Iterable[Path], name: str, path: Path, line: int
) -> list[Member]:
    """The same member in classes above and below the one that has it there; none when nothing else has it.

    `files` are all of the project, `mentions` those in which the name stands. Classes are told apart by their names alone.
    """
    members = [member for file in mentions for member in _members(file, name)]
    ours = next((member for member in members if (member.path, member.line) == (path, line)), None)
    if ours is None or len(members) == 1:
        return []
    bases = _bases(files)
    above = _reachable(ours.owner, bases)
    return [
        member
        for member in members
        if member != ours and (member.owner in above or ours.owner in _reachable(member.owner, bases))
    ]


def keywords(files: Iterable[Path], name: str) -> list[Keyword]:
    """The class patterns of the files that take a member of this name."""
    return [
        Keyword(file, line, split_lines(decoded.content)[line - 1].strip())
        for file in files
        for line in _pattern_lines(parsed(file), name)
        if (decoded := decode(file.read_bytes()))
    ]


def _pattern_lines(tree: ast.Module, name: str) -> list[int]:
    found = (
        pattern.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.MatchClass)
        for attribute, pattern in zip(node.kwd_attrs, node.kwd_patterns, strict=True)
        if attribute == name
    )
    return sorted(set(found))


def _classes(path: Path) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef))


def _members(path: Path, name: str) -> Iterator[Member]:
    for node in _classes(path):
        yield from (
            Member(node.name, name, path, statement.lineno)
            for statement in node.body
            if binds(statement, name)
        )


def _bases(files: Iterable[Path]) -> Mapping[str, set[str]]:
    """Class -> the classes that it derives from."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in files:
        for node in _classes(file):
            found[node.name].update(filter(None, map(_last_name, node.bases)))
    return found


def _last_name(base: ast.expr) -> str:
    match base:
        case ast.Name():
            return base.id
        case ast.Attribute():
            return base.attr
        case ast.Subscript():
            return _last_name(base.value)
    return ""


def _reachable(name: str, bases: Mapping[str, set[str]]) -> set[str]:
    """The classes above one, and itself."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        if (current := waiting.pop()) not in found:
            found.add(current)
            waiting += bases.get(current, ())
    return found
