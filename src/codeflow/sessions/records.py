"""The lines of a session log, and what they add up to."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from codeflow.core.codec import from_json, to_json
from codeflow.core.errors import SessionError
from codeflow.core.events import Event, ModelCalled, RunFinished, RunStarted, ToolFinished
from codeflow.core.values import Spend

UNFINISHED = "unfinished"
_VERSION = 1
_SUMMED = tuple(
    f'"kind":"{kind}"'.encode() for kind in ("run_started", "model_called", "tool_finished", "run_finished")
)


@dataclass(slots=True)
class Tally:
    """What a log adds up to, as far as it can be read; `problem` says what cannot."""

    task: str = ""
    workspace: str = ""
    status: str = UNFINISHED
    spend: Spend = field(default_factory=Spend)
    changed: set[str] = field(default_factory=set)
    problem: str | None = None

    def add(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.task = self.task or event.task
                self.workspace = event.workspace
                self.status = UNFINISHED
            case ModelCalled():
                self.spend = self.spend.add(event.cost)
            case ToolFinished():
                self.changed.update(event.changed)
            case RunFinished():
                self.status = event.result.status
                self.changed.update(change.path for change in event.result.files_changed)
            case _:
                pass


def encode(event: Event, sequence: int) -> bytes:
    """The log's line for an event."""
    line = {
        "v": _VERSION,
        "seq": sequence,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "event": to_json(event),
    }
    text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
    # models do send lone surrogates, and a line that holds one could never be read again
    return text.encode(errors="replace") + b"\n"


def read_events(path: Path) -> Iterator[Event]:
    """The events of a log. A last line that was cut off is left out.

    Raises:
        SessionError: naming the line that cannot be read.
    """
    for place, line in _lines(path):
        if line.endswith(b"\n"):
            yield decode(line, place)


def summarize(path: Path) -> Tally:
    """Reads a log up to its end or its first unreadable line."""
    tally = Tally()
    try:
        for place, line in _lines(path):
            if not line.endswith(b"\n"):
                tally.problem = f"{place}: the last line was cut off"
            elif any(mark in line for mark in _SUMMED):
                tally.add(decode(line, place))
    except SessionError as error:
        tally.problem = str(error)
    return tally


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield f"{path}:{number}", line
    except OSError as error:
        raise SessionError(f"{path}: cannot be read: {error.strerror}") from error


def decode(line: bytes, place: str) -> Event:
    try:
        record: dict[str, Any] = json.loads(line)
        version, event = record["v"], record["event"]
        if version == _VERSION:
            return from_json(event)
    except (ValueError, KeyError, TypeError) as error:
        raise SessionError(f"{place}: damaged line", hint="Repair or remove this session log.") from error
    raise SessionError(f"{place}: written by another version of codeflow", hint="Update codeflow.")
