"""YAML files that people write: read with the line of every value, so that a problem can be shown where it stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from codeflow.core.errors import UsageError

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A parsed file; `name` stands for it in messages."""

    name: str
    data: Any
    _root: yaml.Node | None

    def line(self, place: Sequence[str | int]) -> int:
        """The line, from 1, on which a value begins: that of its key, or of the nearest one above that is there."""
        node, line = self._root, 1
        for part in place:
            found = _child(node, part)
            if found is None:
                break
            line, node = found
        return line

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
            raise self.problem(place, _said(problem), hint) from error

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
        return YamlFile(str(path), yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{path}:{line}: not valid YAML: {error.problem}", hint=hint) from error
    except (
        yaml.YAMLError,
        ValueError,
        RecursionError,
    ) as error:  # a date that does not exist is a ValueError
        raise UsageError(f"{path}: not valid YAML: {' '.join(str(error).split())}", hint=hint) from error


def _said(problem: Mapping[str, Any]) -> str:
    if problem["type"] == "extra_forbidden":
        return "unknown key"
    return str(problem["msg"]).removeprefix("Value error, ")


def _child(node: yaml.Node | None, part: str | int) -> tuple[int, yaml.Node] | None:
    """The line and the node of a key's or an index's value."""
    if isinstance(node, yaml.MappingNode):
        return next(
            ((key.start_mark.line + 1, value) for key, value in node.value if key.value == str(part)), None
        )
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    return None
