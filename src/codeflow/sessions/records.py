"""The lines of a session log: one event each, numbered, versioned, and chained by checksums."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from codeflow.core.codec import from_json, to_json
from codeflow.core.errors import SessionError
from codeflow.core.events import Event

VERSION = 2
"""1: no checksum. 2: `sum` covers the line and every line before it."""
SALVAGE_HINT = "`codeflow sessions export ID --salvage -o FILE` keeps every line that can be read."

_SUM = re.compile(rb',"sum":"([0-9a-f]{16})"\}\n\Z')
_UNSUMMED = b'{"v":1,'
_AT = re.compile(rb'"at":"([^"]+)"')


class DamagedLineError(ValueError):
    """A line that does not hold what was written."""


@dataclass(slots=True)
class Chain:
    """Checks the lines of one log in their order, from the first one or from where another chain stopped.

    `count` lines hold so far; `tip` is the checksum of the last. Logs with equal tips are equal.
    `torn` says that the log ended in the middle of a line.
    """

    count: int = 0
    tip: str = ""
    torn: bool = False

    def extend(self, line: bytes) -> None:
        """Takes the next whole line.

        Raises:
            DamagedLineError: when it does not follow; the chain stays where it was.
        """
        found = _SUM.search(line)
        if found is None and not line.startswith(_UNSUMMED):
            raise DamagedLineError("no checksum")
        body = line[: found.start()] if found else line
        expected = checksum(self.tip, body)
        if found and found[1].decode() != expected:
            raise DamagedLineError("wrong checksum")
        self.tip = expected
        self.count += 1


def checksum(previous: str, body: bytes) -> str:
    """Sixteen hexadecimal digits over a line and, through the previous checksum, everything before it."""
    return sha256(previous.encode() + body).hexdigest()[:16]


def encode(event: Event, after: Chain, at: str = "") -> bytes:
    """The line that follows the chain; `at` is an ISO time in UTC, by default now."""
    line = {
        "v": VERSION,
        "seq": after.count + 1,
        "at": at or datetime.now(UTC).isoformat(timespec="milliseconds"),
        "event": to_json(event),
    }
    text = json.dumps(line, ensure_ascii=False, separators=(",", ":"))
    # models do send lone surrogates, and a line that holds one could never be read again
    body = text.encode(errors="replace")[:-1]
    return b'%s,"sum":"%s"}\n' % (body, checksum(after.tip, body).encode())


def decode(line: bytes, place: str) -> Event:
    """The event of a line whose checksum holds.

    Raises:
        SessionError: naming the place, when no event of this version is in it.
    """
    try:
        record: dict[str, Any] = json.loads(line)
        version = record["v"]
        if version in (1, VERSION):
            return from_json(record["event"])
    except (ValueError, KeyError, TypeError) as error:
        if _SUM.search(line):
            raise _newer(place) from error
        raise SessionError(f"{place}: damaged line", hint=SALVAGE_HINT) from error
    raise _newer(place)


def written_at(line: bytes) -> str:
    """The ISO time of a line, or nothing."""
    found = _AT.search(line)
    return found[1].decode(errors="replace") if found else ""


def whole_lines(lines: Iterable[bytes], name: str, chain: Chain | None = None) -> Iterator[tuple[str, bytes]]:
    """Each line of a log with its place, NAME:NUMBER. A last line that was cut off is left out.

    Raises:
        SessionError: naming the first line that is damaged.
    """
    chain = chain or Chain()
    for line in lines:
        place = f"{name}:{chain.count + 1}"
        if not line.endswith(b"\n"):
            chain.torn = True
            return
        try:
            chain.extend(line)
        except DamagedLineError as error:
            if _version(line) not in (None, 1, VERSION):
                raise _newer(place) from error
            raise SessionError(f"{place}: damaged line ({error})", hint=SALVAGE_HINT) from error
        yield place, line


def read_file(path: Path) -> Iterator[bytes]:
    """The raw lines of a file.

    Raises:
        SessionError: when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise SessionError(f"{path}: cannot be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What could be read of a damaged log: its lines, chained anew, and the numbers of those left out."""

    lines: tuple[bytes, ...]
    lost: tuple[int, ...]


def salvage(lines: Iterable[bytes]) -> Salvaged:
    """Every line that still holds an event, also after a damaged one.

    A checksum must fit the line before, as that one states its own or as it comes out; where the line before
    states none, being readable is enough.
    """
    kept: list[bytes] = []
    lost: list[int] = []
    chain = Chain()
    previous = {""}
    for number, line in enumerate(lines, start=1):
        found = _SUM.search(line)
        body = line[: found.start()] if found else line
        sums = {checksum(known, body) for known in previous}
        fits = found is None or not previous or found[1].decode() in sums
        event = _readable(line) if fits else None
        if event is None:
            lost.append(number)
        else:
            kept.append(encode(event, chain, written_at(line)))
            chain.extend(kept[-1])
        stated = {found[1].decode()} if found else set()
        previous = sums | stated if found or line.startswith(_UNSUMMED) else set()
    return Salvaged(tuple(kept), tuple(lost))


def _readable(line: bytes) -> Event | None:
    try:
        return decode(line, "") if line.endswith(b"\n") else None
    except SessionError:
        return None


def _version(line: bytes) -> object:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record.get("v") if isinstance(record, dict) else None


def _newer(place: str) -> SessionError:
    return SessionError(f"{place}: written by another version of codeflow", hint="Update codeflow.")
