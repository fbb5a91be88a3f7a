"""What people call a Python test, a name or FILE:LINE, as the id by which pytest knows it. No test is run or imported."""

import ast
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeflow.tools.output import capped
from codeflow.tools.project_files import small_text
from codeflow.tools.tool import Mistake

_PLACE = re.compile(r"(?P<file>.+\.py):(?P<line>\d+)")
_CALLED = re.compile(r"(?P<name>[^\W\d]\w*(?:(?:\.|::)[^\W\d]\w*)*)(?P<parameters>\[.*\])?")
_TEST_FILE = re.compile(r"test_.*\.py|.*_test\.py")
_NO_TESTS_OF_OURS = {"node_modules", "site-packages", "__pycache__", "venv"}
_MOST_NAMED = 20
_Block = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class _Found:
    """A class or test function; `names` are those of its classes and its own."""

    file: str
    names: tuple[str, ...]
    first: int
    last: int
    is_class: bool

    @property
    def id(self) -> str:
        return "::".join([self.file, *self.names])

    @property
    def dotted(self) -> tuple[str, ...]:
        return (*_module(self.file), *self.names)


def to_ids(target: str, root: Path) -> list[str]:
    """The ids of the tests that a target means; the target itself when it is an id already, or nothing known.

    Raises:
        Mistake: for a line of a file that is in no test.
    """
    if (place := _PLACE.fullmatch(target)) and (root / place["file"]).is_file():
        return [_at_line(root, place["file"], int(place["line"]))]
    called = _CALLED.fullmatch(target)
    if not called or (root / target).exists():
        return [target]
    names = tuple(re.split(r"\.|::", called["name"]))
    files = list(_test_files(root, names))
    found = [one for file in files for one in _found(root, file)]
    ids = [one.id for one in found if _ends(one.dotted, names)] or [
        f"{one.id}::{names[-1]}" for one in found if one.is_class and _ends(one.dotted, names[:-1])
    ]
    ids = ids or [file for file in files if _ends(_module(file), names)]
    return [f"{one}{called['parameters'] or ''}" for one in ids] or [target]


def _ends(names: Sequence[str], wanted: Sequence[str]) -> bool:
    return bool(wanted) and tuple(names[-len(wanted) :]) == tuple(wanted)


def _module(file: str) -> tuple[str, ...]:
    return tuple(file.removesuffix(".py").split("/"))


def _at_line(root: Path, file: str, line: int) -> str:
    found = _found(root, file)
    around = [one for one in found if one.first <= line <= one.last]
    if around:
        return max(around, key=lambda one: one.first).id
    tests = [f"{one.names[-1]} ({one.first}-{one.last})" for one in found]
    listed = ", ".join(capped(tests, _MOST_NAMED, "more")) or "none"
    raise Mistake(
        f"Line {line} of {file} is in no test or class. Those of the file, with their lines: {listed}."
    )


def _test_files(root: Path, names: Sequence[str]) -> Iterator[str]:
    """The test files, by their paths from the root, that have the last of the names in their text or as their own."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name[0] != "." and name not in _NO_TESTS_OF_OURS)
        for name in sorted(filter(_TEST_FILE.fullmatch, files)):
            file = Path(folder, name)
            text = small_text(file)
            if names[-1] in text or names[-1] == file.stem or (len(names) > 1 and names[-2] in text):
                yield file.relative_to(root).as_posix()


def _found(root: Path, file: str) -> list[_Found]:
    """The test functions of a file and the classes, in its order; none when it cannot be parsed."""
    try:
        with warnings.catch_warnings(action="ignore"):  # a stranger's invalid escapes
            tree = ast.parse(small_text(root / file))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    return list(_below(tree, file, ()))


def _below(parent: ast.Module | ast.ClassDef, file: str, classes: tuple[str, ...]) -> Iterator[_Found]:
    for node in parent.body:
        if not isinstance(node, _Block):
            continue
        names = (*classes, node.name)
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        last = node.end_lineno or node.lineno
        if isinstance(node, ast.ClassDef):
            yield _Found(file, names, first, last, is_class=True)
            yield from _below(node, file, names)
        elif node.name.startswith("test"):
            yield _Found(file, names, first, last, is_class=False)
