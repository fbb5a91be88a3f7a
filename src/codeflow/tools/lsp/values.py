"""What language servers say, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codeflow.tools.tool import Mistake


class NoAnswer(Mistake):
    """No language server can answer this now; the text says why, and which one to install where none is."""


class ServerGone(Exception):  # noqa: N818 - an ending that the caller repairs by starting the server again
    """The server's process has ended, or what it says can no longer be understood."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text as the protocol counts it: line from 0, and UTF-16 code units from the line's start."""

    line: int
    character: int


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A piece of a file."""

    path: Path
    start: Position
    end: Position


@dataclass(frozen=True, slots=True)
class References:
    """Every use of a name; not `complete` while the server may not have read the whole project."""

    locations: tuple[Location, ...]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """Something that has a name. `at` is the name itself, `last_line` (from 0) the end of the whole."""

    name: str
    """With the names around it, outermost first: `Class.method`."""
    kind: str
    depth: int
    at: Location
    last_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """A problem that a server sees; `line` from 0."""

    line: int
    severity: str
    message: str
    code: str


@dataclass(frozen=True, slots=True)
class TextEdit:
    """Replace what stands between two positions."""

    start: Position
    end: Position
    new: str


Edits = Mapping[Path, tuple[TextEdit, ...]]


@dataclass(frozen=True, slots=True)
class CodeAction:
    """A change that a server offers."""

    title: str
    edits: Edits


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that a server gets: to start, for what concerns one place, one listing, the whole project, to settle."""

    start: float = 15.0
    place: float = 5.0
    listing: float = 10.0
    project: float = 30.0
    diagnostics: float = 3.0
    settle: float = 6.0
