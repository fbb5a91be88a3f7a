"""A session's changes on their way to another machine: in its log, and out of it into the files there."""

import base64
import hashlib
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from codeflow.core.errors import SessionError
from codeflow.core.ports import Emit
from codeflow.core.secret_files import holds_secrets
from codeflow.core.session_events import CheckpointTaken, FilesCarried, SessionMoved
from codeflow.core.text import listed
from codeflow.core.values import CarriedFile
from codeflow.sessions.checkpoints import Checkpoints
from codeflow.sessions.history import Checkpoint
from codeflow.sessions.past import LastRun, Past
from codeflow.sessions.returning import check_still_there
from codeflow.sessions.snapshots import Snapshot

LARGEST_BYTES = 1_000_000
"""Of one file; a larger one is left out and named."""
TOTAL_BYTES = 5_000_000
_MOST_NAMES = 6


def carried(checkpoints: Checkpoints, since: Checkpoint, redact: Callable[[str], str]) -> FilesCarried | None:
    """What has changed between a checkpoint and the newest, without what git ignores; None when nothing has.

    A file that `redact` would change stays here: logs go to stores and other machines.
    """
    newest = checkpoints.newest()
    if newest is None or newest.tree == since.tree:
        return None
    tree = checkpoints.files_of(newest)
    before, after = checkpoints.snapshot(since), checkpoints.snapshot(newest)
    changed = [path for path in _files(before, after) if before.state(path) != after.state(path)]
    left = {path: after.entries[path] for path in changed if path in after.entries}
    files: list[CarriedFile] = []
    left_out: list[str] = []
    withheld: list[str] = []
    room = TOTAL_BYTES
    contents = checkpoints.contents(left.values())
    for path in changed:
        content = next(contents) if path in left else b""
        if len(content) > min(room, LARGEST_BYTES):
            left_out.append(path)
            continue
        if _is_secret(path, content, redact):
            withheld.append(path)
            continue
        room -= len(content)
        packed = base64.b64encode(zlib.compress(content)).decode() if path in left else ""
        files.append(
            CarriedFile(path=path, before=before.state(path), after=after.state(path), content=packed)
        )
    if not changed:
        return None
    return FilesCarried(
        files=tuple(files), left_out=tuple(left_out), tree=tree, withheld=tuple(map(redact, withheld))
    )


def _is_secret(path: str, content: bytes, redact: Callable[[str], str]) -> bool:
    text = f"{path}\n{content.decode(errors='replace')}"
    return holds_secrets(path, content) is not None or redact(text) != text


def settle_in(
    checkpoints: Checkpoints, past: Past, emit: Emit, *, cut_at: float | None, as_is: bool
) -> tuple[str, ...]:
    """Before a run goes on: put what it had changed in place, where it was done on another machine.

    Returns what a person should know of it. `as_is` takes the files for those that the run left, whatever they are.
    `cut_at`, in seconds since 1970, is when the process before this one was alive last.

    Raises:
        SessionError: when they are neither as the run found them nor as it left them, or are not in its log; on the
            machine that the run was on, when they are not as it left them.
    """
    run = past.run
    last = run.last_checkpoint
    if last is None or not last.tree or checkpoints.unavailable:
        return ()
    if checkpoints.holds(last.checkpoint_id, last.taken_at):
        return check_still_there(checkpoints, past, cut_at=cut_at, as_is=as_is)
    here = checkpoints.take("before the session's files were put in place")
    files = checkpoints.files_of(here)
    wanted: dict[str, tuple[int, bytes] | None] = {}
    if not as_is and _is_packed(run):
        wanted = _wanted(checkpoints.snapshot(here), run)
    elif not as_is:
        _check_as_seen(checkpoints.workspace, past, files)
    checkpoints.put(wanted)
    for event in (
        SessionMoved(written=tuple(sorted(wanted))),
        CheckpointTaken(
            checkpoint_id=here.id, label=here.label, files=here.files, tree=files, taken_at=here.taken_at
        ),
    ):
        emit(event)
        past.add(event)
    if as_is:
        return ("the files count as those that the session left",)
    return (f"the session comes from elsewhere: {len(wanted)} files that it had changed were put in place",)


def _is_packed(run: LastRun) -> bool:
    """Whether the log holds all that was changed; that of a run which was killed does not."""
    last = run.last_checkpoint
    return bool(run.carried) and last is not None and run.carried[-1].tree == last.tree


def _check_as_seen(workspace: Path, past: Past, files: str) -> None:
    """The files have to be as the agents and the last checkpoint saw them: on a disk that both machines share."""
    run = past.run
    first, last = run.first, run.last_checkpoint
    seen = {(one.path, one.digest) for talk in past.conversations.values() for one in talk.seen.values()}
    other = [path for path in sorted(run.changed) if (path, _digest(workspace / path)) not in seen]
    if other or (first and last and last.tree not in (first.tree, files)):
        raise _absent(other, "is not in its log, because it was killed")


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _wanted(here: Snapshot, run: LastRun) -> dict[str, tuple[int, bytes] | None]:
    """The files to write, or to delete, for the tree to be as the run left it."""
    newest = run.carried[-1]
    if newest.left_out:
        raise _absent(newest.left_out, "was too large to go with it")
    if newest.withheld:
        raise _absent(newest.withheld, "holds credentials, which do not go with it")
    found: dict[str, str] = {}
    left: dict[str, set[str]] = {}
    for event in run.carried:
        for file in event.files:
            found.setdefault(file.path, file.before)
            left.setdefault(file.path, set()).add(file.after)
    wanted = {file.path: file for file in newest.files}
    conflicts = [
        path
        for path in found
        # what the run has changed and put back is not in its log any more
        if here.state(path) not in ({found[path], *left[path]} if path in wanted else {found[path]})
    ]
    if conflicts:
        raise SessionError(
            f"{listed(conflicts, _MOST_NAMES)}: neither as the session found it nor as it left it",
            hint="Check out the commit that the session began at, without changes of yours in these files, "
            "or take the files as they are with --as-is.",
        )
    return {path: _unpacked(file) for path, file in wanted.items() if here.state(path) != file.after}


def _absent(paths: Sequence[str], why: str) -> SessionError:
    names = f": {listed(paths, _MOST_NAMES)}" if paths else ""
    return SessionError(
        f"what the session changed on another machine {why}{names}",
        hint="Bring the changes here, then resume with --as-is; or resume where the session ran.",
    )


def _unpacked(file: CarriedFile) -> tuple[int, bytes] | None:
    if not file.after:
        return None
    mode, _, _ = file.after.partition(":")
    return int(mode, 8), zlib.decompress(base64.b64decode(file.content))


def _files(before: Snapshot, after: Snapshot) -> list[str]:
    private = before.private | after.private
    entries = {**before.entries, **after.entries}
    return sorted(path for path, entry in entries.items() if not entry.is_folder and path not in private)
