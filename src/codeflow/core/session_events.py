"""What happens to a session and to the files that it works on; part of the union in `events`."""

from dataclasses import dataclass
from typing import Literal

from codeflow.core.values import CarriedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointTaken:
    """The work tree was saved, or had not changed since the checkpoint; `files` counts what that holds.

    `label` says on what occasion; `call_id` is the tool call before which it was, `after_call_id` the one after which.
    `tree` is an id of the files it holds, without what git ignores; `taken_at`, in seconds since 1970, tells it from
    another machine's with its number. Logs of before 2026-11-21 have neither.
    """

    checkpoint_id: str
    label: str
    files: int
    call_id: str | None = None
    after_call_id: str | None = None
    tree: str = ""
    taken_at: float = 0.0
    kind: Literal["checkpoint_taken"] = "checkpoint_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionNamed:
    """A person gave the session a name; the last one counts, and an empty one takes it away."""

    name: str
    kind: Literal["session_named"] = "session_named"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionForked:
    """What stands before is from another session, as it was at one of its checkpoints; None: at its end."""

    parent: str
    checkpoint_id: str | None
    kind: Literal["session_forked"] = "session_forked"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesCarried:
    """All that an unfinished run had changed, for other machines; `tree` as a checkpoint's.

    `left_out` was too large. `withheld` holds credentials or is there to hold them; logs of before 2026-11-22 carry it.
    """

    files: tuple[CarriedFile, ...]
    left_out: tuple[str, ...]
    tree: str
    withheld: tuple[str, ...] = ()
    kind: Literal["files_carried"] = "files_carried"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionMoved:
    """The session goes on with files that it did not leave here; `written` of them were put in place."""

    written: tuple[str, ...]
    kind: Literal["session_moved"] = "session_moved"
