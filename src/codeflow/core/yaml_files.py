"""YAML files that people write: read with the line of every value, so that a problem can be shown where it stands."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from codeflow.core.errors import UsageError

T = TypeVar("T", bound=BaseModel)
_TEXT = "tag:yaml.org,2002:str"
_SHOULD = re.compile(r"^(?:Input|Dictionary|Tuple|List|String) should (\w+)")
_TABLE, _LIST = "has to be a table, with keys and values", "has to be a list, such as [a, b]"
_WORDS = {
    "extra_forbidden": "unknown key",
    "missing": "is missing",
    "model_type": _TABLE,
    "dict_type": _TABLE,
    "mapping_type": _TABLE,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "string_type": "has to be text; put it into quotes",
    "string_too_short": "is empty",
    "bool_type": "has to be true or false",
    "int_from_float": "has to be a whole number",
}
"""What pydantic's kinds of problems are called for people who write YAML."""


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A parsed file; `name` stands for it in messages."""

    name: str
    data: Any
    _root: yaml.Node | None

    def line(self, place: Sequence[str | int]) -> int:
        """The line, from 1, on which a value begins: that of its key, or of the nearest one above that is there."""
        return self._found(place)[0]

    def model(self, kind: type[T], hint: str) -> T:
        """The file's content as a model.

        Raises:
            UsageError: naming the line of the first value that does not fit.
        """
        try:
            return kind.model_validate(self.data)
        except ValidationError as error:
            problem = error.errors()[0]
            place = [part for part in problem["loc"] if not isinstance(part, str) or "[" not in part]
            if problem["loc"][-1:] == ("[key]",) and not isinstance(problem["input"], str):
                place[-1] = self._odd_key(place[:-1])
                text = (
                    f"YAML reads this key as {json.dumps(problem['input'], default=str)}; put it into quotes"
                )
            else:
                text = _said(problem)
            raise self.problem(place, text, hint) from error

    def _found(self, place: Sequence[str | int]) -> tuple[int, yaml.Node | None]:
        """The line of a value, and the value, or those of the nearest one above."""
        line, node = 1, self._root
        for part in place:
            found = _child(node, part)
            if found is None:
                break
            line, node = found
        return line, node

    def _odd_key(self, place: Sequence[str | int]) -> str:
        """The first key of a table that is no text, as it is written."""
        _, node = self._found(place)
        keys = (key for key, _ in node.value) if isinstance(node, yaml.MappingNode) else ()
        return next((str(key.value) for key in keys if key.tag != _TEXT), "")

    def problem(self, place: Sequence[str | int], text: str, hint: str) -> UsageError:
        """What is wrong with the value at a place."""
        where = ".".join(map(str, place))
        return UsageError(f"{self.name}:{self.line(place)}: {where + ': ' if where else ''}{text}", hint=hint)


def read_yaml(path: Path, hint: str) -> YamlFile:
    """The file; `hint` is what to do about one that cannot be used.

    Raises:
        UsageError: when it cannot be read or is no YAML, with the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}", hint="Check the path.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text", hint=hint) from error
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        file = YamlFile(str(path), yaml.safe_load(text), root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{path}:{line}: not valid YAML: {error.problem}", hint=hint) from error
    except (
        yaml.YAMLError,
        ValueError,
        RecursionError,
    ) as error:  # a date that does not exist is a ValueError
        raise UsageError(f"{path}: not valid YAML: {' '.join(str(error).split())}", hint=hint) from error
    if file.data is None:
        raise UsageError(f"{path}:1: there is nothing in it", hint=hint)
    if found := _twice(root):
        key, first, line = found
        raise UsageError(f"{path}:{line}: {key}: is there twice, first on line {first}: keep one", hint=hint)
    return file


def _twice(root: yaml.Node | None) -> tuple[str, int, int] | None:
    """A key that a table has twice, of which YAML's reader silently drops the first, with both lines; or None."""
    waiting: list[yaml.Node | None] = [root]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias leads to what was looked at already, or around in a circle
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += reversed(node.value)
        if isinstance(node, yaml.MappingNode):
            if found := _twice_in(node):
                return found
            waiting += [value for _, value in reversed(node.value)]
    return None


def _twice_in(table: yaml.MappingNode) -> tuple[str, int, int] | None:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in table.value:
        name, line = (key.tag, str(key.value)), key.start_mark.line + 1
        if name in lines:
            return str(key.value), lines[name], line
        lines[name] = line
    return None


def _said(problem: Mapping[str, Any]) -> str:
    """Why a value does not fit, in words for whoever wrote the file."""
    kind, given = str(problem["type"]), problem["input"]
    if _WORDS.get(kind) == _LIST and isinstance(given, str):
        return f"has to be a list: [{given}]"
    if kind == "string_type" and (given is None or isinstance(given, list | dict)):
        return "has to be text"
    if kind in _WORDS:
        return _WORDS[kind]
    said = str(problem["msg"]).removeprefix("Value error, ").replace(" after validation", "")
    return _SHOULD.sub(r"has to \1", said)


def _child(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    """The line and the node of a key's or an index's value."""
    if isinstance(node, yaml.MappingNode):
        return next(
            ((key.start_mark.line + 1, value) for key, value in node.value if key.value == str(part)), None
        )
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None
