"""`codeflow undo`: the work tree as it was before a session."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codeflow.cli.render.clean import one_line

if TYPE_CHECKING:
    from codeflow.core.events import Event
    from codeflow.sessions.checkpoints import Undone


def undo(
    session: Annotated[
        str | None, typer.Argument(help="Default: this folder's latest session that changed files.")
    ] = None,
    workspace: Annotated[Path | None, typer.Option(help="The folder to restore; default: this one.")] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Also where you changed a file since.")] = False,
) -> int:
    """Put back what a session changed.

    Nothing is done when you have changed one of its files since, unless --force is given.
    """
    from codeflow.cli.request import existing_folder
    from codeflow.core.errors import SessionError
    from codeflow.core.settings import load_settings
    from codeflow.sessions.checkpoints import Checkpoints
    from codeflow.sessions.opening import open_sessions

    root = existing_folder(workspace)
    store = open_sessions(load_settings(root, env=os.environ), os.environ)
    ids = [store.find(session)] if session else [known.id for known in store.list(root)]
    if not ids:
        raise SessionError(
            f"no session has worked in {root}", hint="`codeflow sessions --all` lists those of other folders."
        )
    for session_id in ids:
        checkpoints = Checkpoints(root, session_id)
        if checkpoints.unavailable:
            raise SessionError(
                checkpoints.unavailable, hint="Without a git repository there are no checkpoints."
            )
        undone = checkpoints.undo(force=force)
        if undone.restored or undone.removed or undone.conflicts:
            return _told(session_id, undone, committed=_committed(store.events(session_id)))
    print(f"Nothing to undo in {'session ' + ids[0] if session else 'any session of this folder'}.")
    return 0


def _committed(events: "Iterable[Event]") -> bool:
    """Whether the session made commits, which an undo of the work tree leaves where they are."""
    from codeflow.core.events import ToolFinished

    return any(
        isinstance(event, ToolFinished) and event.tool == "git_commit" and not event.is_error
        for event in events
    )


def _told(session_id: str, undone: "Undone", *, committed: bool) -> int:
    for path in undone.conflicts:
        print(f"conflict  {one_line(path)}")
    if undone.conflicts:
        print("Nothing was done: these were changed after the session. --force overwrites them.")
        return 1
    for path in undone.restored:
        print(f"restored  {one_line(path)}")
    for path in undone.removed:
        print(f"removed   {one_line(path)}")
    print(f"Session {session_id} is undone.")
    if committed:
        print("Its commits are still there: `git log` shows them, `git reset --soft` takes them back.")
    return 0
