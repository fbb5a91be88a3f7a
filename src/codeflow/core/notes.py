"""Notes that agents and people leave for later runs, and who they reach."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol


class Scope(StrEnum):
    """Which later runs a note reaches: those of its session, of its project, or all of its user."""

    SESSION = "session"
    PROJECT = "project"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedFile:
    """A file that a note is about: its path from the project's top folder, and the SHA-256 (hex) it had."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One fact with its provenance; times are aware.

    `author` is an agent, None a person. `expires` None: never. `evidence` is what showed the fact, in the author's words.
    """

    id: str
    scope: Scope
    text: str
    author: str | None
    session_id: str | None
    created: datetime
    updated: datetime
    expires: datetime | None
    evidence: str = ""
    files: tuple[NotedFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be noted. `files` are absolute or from the current folder; `ttl_days` None: the settings' own.

    `replaces` is the id of the note whose place it takes.
    """

    text: str
    scope: Scope
    author: str | None
    files: Sequence[str] = ()
    evidence: str = ""
    ttl_days: float | None = None
    replaces: str = ""


Outcome = Literal["new", "confirmed", "replaced"]
"""A note was added; it was there already and lives longer now; it took another one's place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What became of a draft; `similar` is a note of the same scope that says much the same."""

    note: Note
    outcome: Outcome
    similar: Note | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRemembered:
    """An agent kept a note for later runs; `core.events` has it in its union."""

    note: Note
    outcome: Outcome
    kind: Literal["note_remembered"] = "note_remembered"


class Notes(Protocol):
    """Where the tools of a run keep their notes."""

    async def remember(self, draft: Draft) -> Remembered:
        """Keep a note.

        Raises:
            CodeflowError: when it cannot be kept, with what to do.
        """
        ...

    async def recall(self, query: str) -> tuple[str, int]:
        """The notes that have a word of the query, for a model, and how many they are."""
        ...
