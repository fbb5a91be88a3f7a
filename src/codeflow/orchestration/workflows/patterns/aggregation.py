"""What several answers add up to: the same item once, and votes counted."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MARKER = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")


@dataclass(frozen=True, slots=True)
class Shared:
    """A value, and the members that gave it, in their order."""

    value: Any
    members: tuple[str, ...]

    @property
    def known(self) -> dict[str, Any]:
        return {"value": self.value, "members": list(self.members)}


def canonical(value: object) -> str:
    """The same text for JSON values that people would call the same: case and blanks do not count."""
    if isinstance(value, str):
        return " ".join(value.split()).casefold()
    if isinstance(value, Mapping):
        return json.dumps({canonical(key): canonical(item) for key, item in value.items()}, sort_keys=True)
    if isinstance(value, list | tuple):
        return json.dumps([canonical(item) for item in value])
    return json.dumps(value)


def lines(text: str) -> list[str]:
    """The lines that say something, without list markers."""
    stripped = (_MARKER.sub("", line).strip() for line in text.splitlines())
    return [line for line in stripped if line]


def merged(groups: Mapping[str, Sequence[Any]], by: Sequence[str] = ()) -> tuple[Shared, ...]:
    """The members' items in their order, the same one once, as its first author put it.

    `by` are the fields of an item that make it the same; by default, and for items without any of them, all of it.
    """
    pairs = ((member, item) for member, items in groups.items() for item in items)
    return _grouped(pairs, by)


def counted(ballots: Mapping[str, Any]) -> tuple[Shared, ...]:
    """Each value with its voters, the most first, else in the order in which they were first named."""
    return tuple(sorted(_grouped(ballots.items(), ()), key=lambda one: -len(one.members)))


def is_tie(counts: Sequence[Shared]) -> bool:
    """Whether no value has more votes than every other."""
    return len(counts) > 1 and len(counts[0].members) == len(counts[1].members)


def _grouped(pairs: Iterable[tuple[str, Any]], by: Sequence[str]) -> tuple[Shared, ...]:
    values: dict[str, Any] = {}
    members: dict[str, dict[str, None]] = {}
    for member, value in pairs:
        key = _key(value, by)
        values.setdefault(key, value)
        members.setdefault(key, {})[member] = None
    return tuple(Shared(value, tuple(members[key])) for key, value in values.items())


def _key(value: Any, by: Sequence[str]) -> str:
    if by and isinstance(value, Mapping) and any(field in value for field in by):
        return canonical([value.get(field) for field in by])
    return canonical(value)
