"""Syntax errors of a text, for a check right after an edit."""

import json
import re
import time
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING

from codeflow.syntax.language import Language
from codeflow.syntax.languages import language_of
from codeflow.syntax.parsing import MAX_BYTES, TIMEOUT_S, Unparsable, parse

if TYPE_CHECKING:
    import tree_sitter

MOST_PROBLEMS = 20
_LONGEST_EXCERPT = 60


def problems(path: str, text: str) -> list[str]:
    """`line N: what is wrong`, at most 20; nothing for an unknown language or a text beyond the bounds.

    Nor for a language whose grammar stumbles over correct code: a false alarm is worse than none.
    """
    if len(text) > MAX_BYTES:
        return []
    match PurePath(path).suffix.lower():
        case ".json":
            return _json(text)
        case ".toml":
            return _toml(text)
        case ".yaml" | ".yml":
            return _yaml(text)
    language = language_of(path, text)
    if language is None or language.errors == "unsure":
        return []
    if language.name == "python":
        return _python(text, language)
    try:
        return _tree_problems(text, language)
    except Unparsable:
        return []


def unread_lines(path: str, text: str) -> list[str]:
    """`N` or `N-M`, at most 20: lines that a grammar that is not sure of itself could not read."""
    language = language_of(path, text)
    if language is None or language.errors != "unsure":
        return []
    nodes = _broken(parse(language, text.encode("utf-8", "replace")).root_node)
    lines = [(node.start_point.row + 1, node.end_point.row + 1) for node in nodes]
    return list(dict.fromkeys(f"{first}-{last}" if last > first else f"{first}" for first, last in lines))


def _json(text: str) -> list[str]:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return [f"line {error.lineno}: {error.msg}"]
    except RecursionError:
        return ["line 1: nested too deeply"]
    return []


def _toml(text: str) -> list[str]:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        message = str(error)[: line.start()] if line else str(error).removesuffix(" (at end of document)")
        return [f"line {line[1] if line else text.count(chr(10)) + 1}: {message}"]
    except RecursionError:
        return ["line 1: nested too deeply"]
    return []


def _yaml(text: str) -> list[str]:
    """Read as events only: tags make no objects, aliases are not expanded. Nesting takes quadratic time: it is cut off."""
    import yaml

    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    deadline = time.monotonic() + TIMEOUT_S
    try:
        for _ in yaml.parse(text.encode("utf-8", "replace"), Loader=loader):
            if time.monotonic() > deadline:
                break
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return [f"line {line}: {error.problem}"]
    except yaml.YAMLError as error:
        return [f"line 1: {' '.join(str(error).split())}"]
    return []


def _python(text: str, language: Language) -> list[str]:
    """The grammar forgives wrong indentation, and Python's own parser does not know later versions: both are asked."""
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(text, "text", "exec", dont_inherit=True)  # twice as fast as ast.parse; nothing is run
    except SyntaxError as error:
        certain = isinstance(error, IndentationError) or "\0" in text or _is_broken(text, language)
        return [f"line {error.lineno or 1}: {error.msg}"] if certain else []
    except (RecursionError, MemoryError):
        return ["line 1: nested too deeply"]
    except ValueError as error:
        return [f"line 1: {error}"]
    return []


def _is_broken(text: str, language: Language) -> bool:
    try:
        return bool(_tree_problems(text, language))
    except Unparsable:
        return True


def _tree_problems(text: str, language: Language) -> list[str]:
    source = text.encode("utf-8", "replace")
    found = {
        node.start_point.row + 1: _described(node, source)
        for node in _broken(parse(language, source).root_node)
    }
    doubt = ", or a macro that the parser cannot expand" if language.errors == "macros" else ""
    return [f"line {line}: {what}{doubt}" for line, what in found.items()]


def _broken(root: "tree_sitter.Node") -> Iterator["tree_sitter.Node"]:
    """The first errors and missing pieces, in the order of the text; of errors inside an error the innermost."""
    waiting = [root] if root.has_error else []
    left = MOST_PROBLEMS
    while waiting and left:
        node = waiting.pop()
        inner = [child for child in node.children if child.has_error]
        waiting.extend(reversed(inner))
        if not inner:
            left -= 1
            yield node


def _described(node: "tree_sitter.Node", source: bytes) -> str:
    if node.is_missing:
        return f"{node.type!r} is missing"
    if node.end_point.row > node.start_point.row:
        return f"no valid syntax from here to line {node.end_point.row + 1}"
    return f"unexpected {source[node.start_byte : node.end_byte][:_LONGEST_EXCERPT].decode('utf-8', 'replace')!r}"
