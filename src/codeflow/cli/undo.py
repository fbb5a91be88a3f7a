"""`codeflow undo`: the work tree as it was before a session."""

from pathlib import Path
from typing import Annotated

import typer

from codeflow.cli.render.clean import one_line


def undo(
    session: Annotated[str | None, typer.Argument(help="Default: this folder's latest session.")] = None,
    workspace: Annotated[Path | None, typer.Option(help="The folder to restore; default: this one.")] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Also where you changed a file since.")] = False,
) -> int:
    """Put back what a session changed.

    Nothing is done when you have changed one of its files since, unless --force is given.
    """
    from codeflow.cli.request import existing_folder
    from codeflow.core.errors import SessionError
    from codeflow.core.places import state_home
    from codeflow.sessions.checkpoints import Checkpoints
    from codeflow.sessions.log import SessionStore

    root = existing_folder(workspace)
    store = SessionStore(state_home() / "sessions")
    session_id = store.find(session) if session else store.latest(root)
    if session_id is None:
        raise SessionError(
            f"no session has worked in {root}", hint="`codeflow sessions --all` lists those of other folders."
        )
    checkpoints = Checkpoints(root, session_id)
    if checkpoints.unavailable:
        raise SessionError(checkpoints.unavailable, hint="Without a git repository there are no checkpoints.")
    undone = checkpoints.undo(force=force)
    for path in undone.conflicts:
        print(f"conflict  {one_line(path)}")
    if undone.conflicts:
        print("Nothing was done: these were changed after the session. --force overwrites them.")
        return 1
    for path in undone.restored:
        print(f"restored  {one_line(path)}")
    for path in undone.removed:
        print(f"removed   {one_line(path)}")
    if not (undone.restored or undone.removed):
        print(f"Nothing to undo in session {session_id}.")
    return 0
