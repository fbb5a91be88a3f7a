"""`codeflow sessions fork`: a second session that begins as another one was at a step."""

from pathlib import Path
from typing import Annotated

import typer


def fork_session(
    session: Annotated[str, typer.Argument(help="A session's id, the beginning of it, or its name.")],
    at: Annotated[
        str | None,
        typer.Option(metavar="STEP", help="As `codeflow checkpoints list` names it; default: at its end."),
    ] = None,
    workspace: Annotated[Path | None, typer.Option(help="Whose sessions; default: this folder's.")] = None,
) -> int:
    """Begin a session as another one was at a step, files included; your own later edits are never overwritten."""
    from codeflow.cli.checkpoints import refuse_running, worked_in
    from codeflow.cli.request import open_store
    from codeflow.cli.undo import tell_conflicts
    from codeflow.cli.workplaces import working_folder
    from codeflow.sessions.checkpoints import Checkpoints
    from codeflow.sessions.forking import fork

    store, _ = open_store(workspace)
    parent, folder = worked_in(session, workspace)
    refuse_running(parent)
    checkpoints = Checkpoints(working_folder(parent, folder), parent)
    step = checkpoints.find(at) if at is not None else None
    undone = checkpoints.undo(step, cut_at=store.cut_at(parent)) if step else None
    if undone and undone.conflicts:
        tell_conflicts(undone)
        return 1
    new = fork(store, parent, folder, step)
    if last := step or (None if checkpoints.unavailable else checkpoints.newest()):
        checkpoints.continue_in(new, last)
    where = f"as {parent} was at step {step.number}" if step else f"as {parent} is"
    print(f"Session {new} begins {where}.")
    print(f'`codeflow resume {new}` goes on with its task, `codeflow resume {new} "TASK"` with another one.')
    return 0
