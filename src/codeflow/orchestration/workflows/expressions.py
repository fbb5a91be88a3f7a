"""Expressions over what a run knows, as JMESPath, and texts with such expressions in them."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

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
    return frozenset(_roots(parsed(expression).parsed))


def _roots(tree: Mapping[str, Any]) -> Iterator[str]:
    kind, children = tree["type"], tree["children"]
    if kind == "field":
        yield tree["value"]
    elif kind in _AT_THE_SAME_VALUE:
        for child in children:
            yield from _roots(child)
    elif children:
        yield from _roots(children[0])


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
