"""Where a session works: in its own folder, or in a worktree of it."""

from pathlib import Path
from typing import TYPE_CHECKING

from codeflow.core.errors import CodeflowError, SessionError, UsageError
from codeflow.core.places import state_home
from codeflow.core.values import Worktree

if TYPE_CHECKING:
    from codeflow.sessions.log import SessionStore
    from codeflow.sessions.worktrees.records import Record, Worktrees


def local_sessions() -> "SessionStore":
    """The sessions on this machine, whatever store they are shared through."""
    from codeflow.sessions.log import SessionStore

    return SessionStore(state_home() / "sessions")


def all_worktrees() -> "Worktrees":
    from codeflow.sessions.worktrees.records import Worktrees

    return Worktrees(state_home() / "worktrees")


def worktree_of(session_id: str) -> "Record | None":
    """The record of the worktree that a session began in: its own, or that of the session it was forked from."""
    from codeflow.core.events import RunStarted

    worktrees = all_worktrees()
    if record := worktrees.find(session_id):
        return record
    try:
        events = local_sessions().events(session_id)
        started = next((event for event in events if isinstance(event, RunStarted)), None)
    except CodeflowError:  # checkpoints do not need the log, and a worktree of its own has a record
        return None
    if started is None or started.request is None or started.request.worktree is None:
        return None
    return worktrees.find(started.request.worktree.session_id)


def elsewhere(folder: Path) -> str:
    """Where to look for sessions when none belongs to a folder, as a sentence."""
    for record in all_worktrees().open():
        if folder.is_relative_to(record.worktree.path):
            return f"This is the worktree of session {record.worktree.session_id}: name it."
    if was_here := perhaps_moved(folder):
        return was_here
    return "`codeflow sessions --all` lists those of other folders."


def perhaps_moved(folder: Path) -> str | None:
    """What to do where this may be a folder with sessions under another name, as a sentence."""
    from codeflow.sessions.moving import similar_and_gone

    found = similar_and_gone(local_sessions(), folder)
    if found is None:
        return None
    old, session_id = found
    return (
        f"{old} is gone: if it is this folder now, `codeflow undo {session_id} --workspace .` undoes its latest session, "
        f"`codeflow resume {session_id} TASK --workspace .` goes on with it."
    )


def bring_along(session_id: str, old: Path, new: Path) -> None:
    """Let a session's checkpoints be found in the folder that its own, which is gone, is now.

    Raises:
        SessionError: when they cannot be copied.
    """
    from codeflow.sessions.moving import bring_checkpoints

    bring_checkpoints(session_id, old, new, state_home() / "checkpoints")


def still_there(worktree: Worktree, session_id: str) -> Worktree:
    """The worktree that a session goes on in.

    Raises:
        UsageError: when it is gone, saying what became of it.
    """
    from codeflow.sessions.worktrees.records import Fate

    record = all_worktrees().find(worktree.session_id)
    if record and worktree.folder.is_dir():
        return worktree
    fates = {Fate.MERGED: f"was merged into {worktree.target or 'HEAD'}", Fate.DROPPED: "was dropped"}
    fate = fates.get(record.fate, "is gone") if record else "is not on this machine"
    back = record is not None and record.fate is Fate.OPEN
    restore = f"`codeflow worktrees restore {worktree.session_id}` makes it again, " if back else ""
    raise UsageError(
        f"session {session_id} worked in a worktree that {fate}: {worktree.path}",
        hint=f"{restore}`codeflow resume {session_id} TASK --workspace {worktree.origin}` gives it a task in your own folder.",
    )


def working_folder(session_id: str, root: Path) -> Path:
    """Where a session of a folder works: there, or in its worktree while it has one.

    Raises:
        SessionError: when the worktree is gone, or was merged: undoing that is up to git.
    """
    from codeflow.sessions.checkpoints import Checkpoints
    from codeflow.sessions.worktrees.records import Fate

    record = worktree_of(session_id)
    if record is None or record.fate is Fate.DROPPED:
        return root
    folder = record.worktree.folder
    if record.fate is Fate.OPEN:
        if not folder.is_dir():
            raise SessionError(
                f"session {session_id} worked in {folder}, which is gone",
                hint=f"`codeflow worktrees restore {record.worktree.session_id}` makes it again, `drop` forgets it.",
            )
        return folder
    here = Checkpoints(root, session_id)
    if here.unavailable is None and here.history():
        return root  # it was given another task there
    raise SessionError(
        f"session {session_id} was merged into {record.worktree.target or 'HEAD'}", hint=way_back(record)
    )


def is_used(record: "Record") -> bool:
    """Whether a session is at work in a worktree, its own or a fork of it."""
    store = local_sessions()
    if store.is_running(record.worktree.session_id):
        return True
    return any(worktree_of(name) == record for name in store.running(record.worktree.origin))


def way_back(record: "Record") -> str:
    from codeflow.sessions.worktrees.ending import is_merge

    if record.before == record.after:
        return "Your branch had its commits before; `git revert` takes them back."
    revisions = f"-m 1 {record.after}" if is_merge(record) else f"{record.before}..{record.after}"
    return f"`git revert --no-edit {revisions}` takes it back."
