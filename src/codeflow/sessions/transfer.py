"""Sessions as files: out of one machine and into another."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from codeflow.core.errors import SessionError, UsageError
from codeflow.core.events import Notice, RunStarted
from codeflow.sessions.ids import is_id
from codeflow.sessions.log import SessionStore
from codeflow.sessions.records import Chain, decode, encode, salvage, whole_lines
from codeflow.sessions.writer import SessionLog

_MARK = "codeflow_session"


class Imported(StrEnum):
    """What an import changed."""

    NEW = "imported"
    EXTENDED = "extended"
    NOTHING = "is here already"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A session as it comes from a file: its id, the folder it worked in, and its lines, all checked."""

    session_id: str
    workspace: str
    lines: tuple[bytes, ...]


def exported(store: SessionStore, session_id: str, *, salvaged: bool = False) -> Iterator[bytes]:
    """A header line, then the log's lines as they are; `salvaged` leaves out damaged ones and says so at the end.

    Raises:
        SessionError: naming the first damaged line, before anything is given out.
    """
    name, raw = store.lines(session_id)
    if salvaged:
        found = salvage(raw)
        lines = list(found.lines)
        if found.lost:
            lines.append(_loss(lines, found.lost))
    else:
        lines = [line for _, line in whole_lines(raw, name)]
    yield json.dumps({_MARK: session_id, "workspace": _workspace(lines)}).encode() + b"\n"
    yield from lines


def read_bundle(lines: Sequence[bytes], name: str) -> Bundle:
    """The session in an export, or in a log that was copied by hand and is called ID.jsonl.

    Raises:
        UsageError: when it is neither.
        SessionError: naming the line that is damaged.
    """
    header = _header(lines[0]) if lines else None
    body = lines[1:] if header else lines
    session_id = str(header[_MARK]) if header else Path(name).stem
    if not is_id(session_id) or not body:
        raise UsageError(
            f"{name}: not an exported session", hint="`codeflow sessions export ID -o FILE` writes one."
        )
    checked = tuple(line for _, line in whole_lines(body, name))
    for number, line in enumerate(checked, start=1):
        decode(line, f"{name}:{number}")
    return Bundle(session_id, _workspace(checked), checked)


def imported(
    store: SessionStore, bundle: Bundle, workspace: Path, *, as_new: bool = False
) -> tuple[str, Imported]:
    """Adds a session, or what it has more than the one that is here, to those of a folder; returns its id.

    Raises:
        LockedError: when it is being written.
        SessionError: when it is here with other events, unless `as_new` gives it an id of its own.
    """
    session_id = store.new_id(workspace) if as_new else bundle.session_id
    try:
        store.find(session_id)
    except UsageError:
        store.install(session_id, workspace).close()
        log = store.resume(session_id, workspace)
        try:
            _take(log, bundle.lines)
        finally:
            log.close()
        return session_id, Imported.NEW
    log = store.resume(session_id, workspace)
    try:
        return session_id, _extended(log, bundle)
    finally:
        log.close()


def _extended(log: SessionLog, bundle: Bundle) -> Imported:
    count, tip = log.tally.chain.count, log.tally.chain.tip
    theirs, tips = Chain(), [""]
    for line in bundle.lines:
        theirs.extend(line)
        tips.append(theirs.tip)
    if count < len(tips) and tips[count] == tip:
        _take(log, bundle.lines[count:])
        return Imported.EXTENDED if count < theirs.count else Imported.NOTHING
    if count > theirs.count and log.path.read_bytes().startswith(b"".join(bundle.lines)):
        return Imported.NOTHING
    raise SessionError(
        f"session {bundle.session_id} is here already, with other events",
        hint="--as-new imports it under an id of its own.",
    )


def _take(log: SessionLog, lines: Iterable[bytes]) -> None:
    for line in lines:
        log.take(line)


def _header(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and _MARK in found else None


def _workspace(lines: Iterable[bytes]) -> str:
    """The folder of the last run."""
    folder = ""
    for line in lines:
        if b'"kind":"run_started"' in line:
            event = decode(line, "")
            folder = event.workspace if isinstance(event, RunStarted) else folder
    return folder


def _loss(kept: Iterable[bytes], lost: Sequence[int]) -> bytes:
    chain = Chain()
    for line in kept:
        chain.extend(line)
    numbers = ", ".join(map(str, lost))
    return encode(Notice(level="warning", text=f"damaged lines of the log were left out: {numbers}"), chain)
