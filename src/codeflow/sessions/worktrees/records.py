"""Which worktrees there are: FOLDER/SESSION/worktree.json, and the worktree itself beside it."""

import json
import secrets
import shutil
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path

from codeflow.core.errors import SessionError, UsageError
from codeflow.core.places import private_file, private_folder
from codeflow.core.values import Worktree
from codeflow.sessions.log import SessionStore

_RECORD = "worktree.json"
_FOLDERS = ("origin", "path", "folder")


class Fate(StrEnum):
    """What became of a worktree; an OPEN one is there, unless somebody removed it by hand."""

    OPEN = "open"
    MERGED = "merged"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of a session's worktree. A merge took its origin from the commit `before` to `after`."""

    worktree: Worktree
    fate: Fate = Fate.OPEN
    before: str | None = None
    after: str | None = None


class Worktrees:
    """The records of all worktrees, in a folder that only the user can read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def reserve(self, session_id: str) -> Path:
        """Makes the folder that a session's worktree and record belong in.

        Raises:
            FileExistsError: when the session has one.
            SessionError: when it cannot be made.
        """
        place = self._folder / session_id
        try:
            private_folder(self._folder)
            place.mkdir(mode=0o700)
        except FileExistsError:
            raise
        except OSError as error:
            raise SessionError(
                f"{place}: cannot be made: {error.strerror}",
                hint="Set XDG_STATE_HOME to a folder that you can write.",
            ) from error
        return place

    def write(self, record: Record) -> None:
        """Keeps a record, in the place of an earlier one."""
        path = self._folder / record.worktree.session_id / _RECORD
        draft = path.with_name(f".{secrets.token_hex(8)}")
        text = json.dumps(asdict(record), default=str)
        private_file(draft).write_text(text, encoding="utf-8")
        draft.replace(path)

    def find(self, session_id: str) -> Record | None:
        """The record of a session's worktree; None when it never had one.

        Raises:
            SessionError: when the record cannot be read.
        """
        path = self._folder / session_id / _RECORD
        try:
            return _decode(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise SessionError(f"{path}: cannot be read: {error}", hint="Move it elsewhere.") from error

    def all(self) -> list[Record]:
        """Every record, newest session first."""
        names = sorted((path.parent.name for path in self._folder.glob(f"*/{_RECORD}")), reverse=True)
        return [record for name in names if (record := self.find(name))]

    def open(self, origin: Path | None = None) -> list[Record]:
        """The worktrees that were neither merged nor dropped, of a folder and those in it or of all, newest first."""
        return [
            record
            for record in self.all()
            if record.fate is Fate.OPEN and (origin is None or record.worktree.origin.is_relative_to(origin))
        ]

    def named(self, text: str) -> Record:
        """The open worktree of a session whose id begins so, or whose branch this is.

        Raises:
            UsageError: when there is none, or more than one.
        """
        waiting = self.open()
        names = [record.worktree.session_id for record in waiting]
        found = [
            record
            for record in waiting
            if record.worktree.branch == text or (text and record.worktree.session_id.startswith(text))
        ]
        if len(found) == 1:
            return found[0]
        near = get_close_matches(text, names, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`codeflow worktrees list --all` lists them."
        raise UsageError(
            f"{text!r} means {len(found)} worktrees" if found else f"no session {text!r} has a worktree",
            hint=hint,
        )

    def forget(self, session_id: str) -> None:
        """Deletes a record, with whatever is beside it."""
        shutil.rmtree(self._folder / session_id, ignore_errors=True)

    def origin_of(self, folder: Path) -> Path:
        """The folder whose sessions work in this one: itself, unless it is in a worktree."""
        if not folder.is_relative_to(self._folder) or folder == self._folder:
            return folder
        record = self.find(folder.relative_to(self._folder).parts[0])
        return record.worktree.origin if record else folder


def sessions_at_work(store: SessionStore, worktrees: Worktrees) -> Callable[[Path], Collection[str]]:
    """Tells which sessions are at work in a folder, which may be a worktree."""
    return lambda folder: store.running(worktrees.origin_of(folder))


def _decode(data: dict[str, object]) -> Record:
    """Raises KeyError, TypeError or ValueError for anything that `write` did not write."""
    known = data.pop("worktree")
    if not isinstance(known, dict):
        raise TypeError("no worktree in it")
    worktree = Worktree(**{**known, **{name: Path(known[name]) for name in _FOLDERS}})
    return Record(**{**data, "fate": Fate(str(data["fate"])), "worktree": worktree})  # type: ignore[arg-type]  # checked by the file's only writer
