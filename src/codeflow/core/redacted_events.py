"""Events without credentials, as the session log, the renderers and every other consumer get them."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, cast

from codeflow.core.events import Event, ModelCalled, TextDelta
from codeflow.core.session_events import FilesCarried

_BYTES = "$base64"
_REASONING = "reasoningContent"


def redacted(event: Event, redact: Callable[[str], str]) -> Event:
    """The event with every text redacted; the same one when there was nothing to take out.

    Streamed text is what the model says, who was shown no credential. Carried files are bytes that are put in place.
    A thought is signed as it is: one that cannot stay so is left out.
    """
    if isinstance(event, TextDelta | FilesCarried):
        return event
    if isinstance(event, ModelCalled):
        event = replace(event, reply=tuple(_without_changed_thoughts(event.reply, redact)))
    return cast("Event", redacted_value(event, redact))


def _without_changed_thoughts(
    reply: tuple[dict[str, Any], ...], redact: Callable[[str], str]
) -> list[dict[str, Any]]:
    return [block for block in reply if _REASONING not in block or redacted_value(block, redact) is block]


def redacted_value(value: Any, redact: Callable[[str], str]) -> Any:
    """The value with its texts redacted; the very same where nothing changed."""
    if type(value) is str:
        return redact(value)
    if isinstance(value, dict):
        if _BYTES in value:
            return value
        cleaned = {key: redacted_value(item, redact) for key, item in value.items()}
        return value if all(cleaned[key] is value[key] for key in value) else cleaned
    if isinstance(value, tuple | list):
        items = [redacted_value(item, redact) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else type(value)(items)
    if is_dataclass(value) and not isinstance(value, type):
        changes = {
            field.name: new
            for field in fields(value)
            if field.init and (new := redacted_value(old := getattr(value, field.name), redact)) is not old
        }
        return replace(value, **changes) if changes else value
    return value
