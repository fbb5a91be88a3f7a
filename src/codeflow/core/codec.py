"""Events to JSON and back; pydantic is imported here only, so that `--help` never pays for it."""

from functools import cache
from typing import Annotated, Any, cast

from pydantic import Field, TypeAdapter

from codeflow.core.events import Event


@cache
def _adapter() -> TypeAdapter[Event]:
    return TypeAdapter(Annotated[Event, Field(discriminator="kind")])


def to_json(event: Event) -> dict[str, Any]:
    """JSON-ready form of an event; `kind` names its type, money is a decimal string."""
    return cast("dict[str, Any]", _adapter().dump_python(event, mode="json"))


def from_json(data: dict[str, Any]) -> Event:
    """The event that `to_json` wrote.

    Raises:
        pydantic.ValidationError: for an unknown kind or a field of the wrong type.
    """
    return _adapter().validate_python(data)
