"""Expressions over what a run knows, as JMESPath, and texts with such expressions in them."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import TYPES_MAP, Functions

from codeflow.core.names import unknown

Path = tuple[str, ...]
_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_AT_THE_SAME_VALUE = frozenset(
    {
        "and_expression",
        "or_expression",
        "not_expression",
        "comparator",
        "function_expression",
        "multi_select_list",
        "multi_select_dict",
        "key_val_pair",
    }
)
"""Expressions all of whose parts look at the same value; the others' further parts look into the first one's."""


_ALWAYS = {
    "multi_select_list": "array",
    "multi_select_dict": "object",
    "comparator": "boolean",
    "not_expression": "boolean",
}
"""Expressions that come to one type whatever they look at."""
_KINDS = frozenset(TYPES_MAP.values())


class ExpressionError(ValueError):
    """An expression that cannot be understood, or cannot be computed."""


def parsed(expression: str) -> Any:
    """The compiled expression.

    Raises:
        ExpressionError: saying why it is none.
    """
    try:
        return _compiled(expression)
    except JMESPathError as error:
        problem = str(error).splitlines()[0]
        raise ExpressionError(f"{expression.strip()!r} is no JMESPath expression: {problem}") from error


@cache
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression.strip())


def roots(expression: str) -> frozenset[str]:
    """The names that an expression begins with: of inputs, nodes and the like.

    Raises:
        ExpressionError: for what is no expression.
    """
    return frozenset(path[0] for path in paths(expression))


def paths(expression: str) -> tuple[Path, ...]:
    """Where an expression begins to look, each as the keys that lead there as far as they are written out.

    Raises:
        ExpressionError: for what is no expression.
    """
    return tuple(_paths(parsed(expression).parsed))


def _paths(tree: Mapping[str, Any]) -> Iterator[Path]:
    kind, children = tree["type"], tree["children"]
    if path := _path(tree):
        yield path
    elif kind in _AT_THE_SAME_VALUE:
        for child in children:
            yield from _paths(child)
    elif children and kind != "expref":  # `&key` looks into each item of what stands before it
        yield from _paths(children[0])


def _path(tree: Mapping[str, Any]) -> Path:
    """The keys of `a.b.c`, or of the beginning of `a.b[0].c`; none when it begins otherwise."""
    if tree["type"] == "field":
        return (tree["value"],)
    if tree["type"] != "subexpression":
        return ()
    keys: Path = _path(tree["children"][0])
    for child in tree["children"][1:] if keys else ():
        if child["type"] == "field":
            keys = (*keys, child["value"])
            continue
        head = child["children"][0] if child["type"] == "index_expression" else None
        return (*keys, head["value"]) if head and head["type"] == "field" else keys
    return keys


def comparisons(expression: str) -> tuple[tuple[Path, str], ...]:
    """Where an expression looks for a certain text, and the text: `check.status == 'red'`."""
    return tuple(_comparisons(parsed(expression).parsed))


def _comparisons(tree: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    if tree["type"] == "function_expression" and tree["value"] == "contains":
        yield from _looked_for(tree["children"])
    if tree["type"] == "comparator":
        for one, other in (tree["children"], reversed(tree["children"])):
            if other["type"] == "literal" and isinstance(other["value"], str) and (path := _path(one)):
                yield path, other["value"]
    elif tree["type"] in _AT_THE_SAME_VALUE:
        for child in tree["children"]:
            yield from _comparisons(child)


def _looked_for(arguments: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Path, str]]:
    """The texts of `contains(['red', 'green'], check.status)`."""
    match arguments:
        case [{"type": "literal", "value": list() as texts}, other] if path := _path(other):
            yield from ((path, text) for text in texts if isinstance(text, str))
        case [{"type": "multi_select_list", "children": items}, other] if path := _path(other):
            yield from ((path, item["value"]) for item in items if _is_text(item))


def _is_text(tree: Mapping[str, Any]) -> bool:
    return tree["type"] == "literal" and isinstance(tree["value"], str)


def wrong_calls(expression: str, kind_of: Callable[[Path], str]) -> tuple[str, ...]:
    """What is wrong with the functions that an expression calls, as far as it is known before a run.

    `kind_of` tells the type of what a path leads to, as JMESPath calls it, or anything else where that is not known.
    """
    return tuple(_wrong_calls(parsed(expression).parsed, kind_of))


def _wrong_calls(tree: Mapping[str, Any], kind_of: Callable[[Path], str]) -> Iterator[str]:
    looks_inside = tree["type"] not in _AT_THE_SAME_VALUE
    for number, child in enumerate(tree["children"]):
        is_inside = looks_inside and (number > 0 or tree["type"] == "expref")
        yield from _wrong_calls(child, _unknown if is_inside else kind_of)
    if tree["type"] != "function_expression":
        return
    name, given = tree["value"], tree["children"]
    if name not in Functions.FUNCTION_TABLE:
        yield unknown("function", name, Functions.FUNCTION_TABLE)
        return
    wanted = Functions.FUNCTION_TABLE[name]["signature"]
    is_variadic = bool(wanted) and wanted[-1].get("variadic", False)
    if len(given) < len(wanted) or (len(given) > len(wanted) and not is_variadic):
        least = "at least " if is_variadic else ""
        yield f"{name}() takes {least}{len(wanted)} argument{'s'[: len(wanted) != 1]}, not {len(given)}"
        return
    for number, argument in enumerate(given):
        types = wanted[min(number, len(wanted) - 1)]["types"]
        kind = _kind(argument, kind_of)
        if types and kind in _KINDS and kind not in {one.partition("-")[0] for one in types}:
            yield f"{name}() takes {' or '.join(types)}, not {_shown(argument, kind)}"


def _kind(tree: Mapping[str, Any], kind_of: Callable[[Path], str]) -> str:
    """What a part of an expression comes to, as JMESPath calls it; what lists hold is not looked at."""
    if tree["type"] == "literal":
        return str(TYPES_MAP.get(type(tree["value"]).__name__))
    if tree["type"] in _ALWAYS:
        return _ALWAYS[tree["type"]]
    return kind_of(keys) if (keys := _whole_path(tree)) else ""


def _whole_path(tree: Mapping[str, Any]) -> Path:
    """The keys of `a.b.c`; none when anything else is in it."""
    if tree["type"] == "subexpression" and any(child["type"] != "field" for child in tree["children"][1:]):
        return ()
    if tree["type"] == "subexpression" and not _whole_path(tree["children"][0]):
        return ()
    return _path(tree)


def _shown(tree: Mapping[str, Any], kind: str) -> str:
    if tree["type"] == "literal":
        return json.dumps(tree["value"], ensure_ascii=False)
    path = ".".join(_whole_path(tree))
    return f"{path}, which is of type {kind}" if path else f"what is of type {kind}"


def _unknown(_: Path) -> str:
    """What a path leads to that begins at a value which only a run shows."""
    return ""


def is_open(template: str) -> bool:
    """Whether a `{{` has no `}}`."""
    return "{{" in _PLACEHOLDER.sub("", template)


def is_computed(text: str) -> bool:
    """Whether what stands for a text is known only when it is rendered."""
    return _PLACEHOLDER.search(text) is not None


def placeholders(template: str) -> tuple[str, ...]:
    """The expressions in a text."""
    return tuple(_PLACEHOLDER.findall(template))


def value(expression: str, known: Mapping[str, Any]) -> Any:
    """What an expression comes to; None for what is not known.

    Raises:
        ExpressionError: when it cannot be computed, such as the length of a number.
    """
    try:
        return parsed(expression).search(known)
    except JMESPathError as error:
        problem = str(error).splitlines()[0]
        raise ExpressionError(f"{expression.strip()!r} cannot be computed: {problem}") from error


def holds(expression: str, known: Mapping[str, Any]) -> bool:
    """Whether a condition is true; false are null, false and what is empty, as in JMESPath."""
    found = value(expression, known)
    if isinstance(found, (str, list, dict)):
        return bool(found)
    return found is not None and found is not False


def rendered(template: str, known: Mapping[str, Any], quote: Callable[[str], str] = str) -> str:
    """The text with every expression's value in its place: texts as they are, nothing for null, else as JSON.

    Raises:
        ExpressionError: when one cannot be computed.
    """
    return _PLACEHOLDER.sub(lambda match: quote(_text(value(match[1], known))), template)


def filled(given: Any, known: Mapping[str, Any]) -> Any:
    """A tool's argument with its texts rendered; one that is a single expression keeps its value's type."""
    if isinstance(given, str):
        whole = _PLACEHOLDER.fullmatch(given.strip())
        return value(whole[1], known) if whole else rendered(given, known)
    if isinstance(given, Mapping):
        return {key: filled(item, known) for key, item in given.items()}
    return [filled(item, known) for item in given] if isinstance(given, (list, tuple)) else given


def texts(given: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text in a value, with the keys and indexes that lead to it."""
    if isinstance(given, str):
        yield place, given
    elif isinstance(given, Mapping):
        for key, item in given.items():
            yield from texts(item, (*place, str(key)))
    elif isinstance(given, (list, tuple)):
        for number, item in enumerate(given):
            yield from texts(item, (*place, number))


def _text(found: Any) -> str:
    if found is None:
        return ""
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
