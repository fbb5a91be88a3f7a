"""`codeflow undo`: the work tree as it was before a session, or at one of its checkpoints."""

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from codeflow.cli import completing
from codeflow.cli.listing import ListOutput
from codeflow.cli.render.clean import one_line

if TYPE_CHECKING:
    from codeflow.sessions.checkpoints import Checkpoints, Undone

_MOST_NAMES = 6


def undo(
    session: Annotated[
        str | None,
        typer.Argument(
            help="Default: this folder's latest session that changed files.",
            autocompletion=completing.sessions,
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="STEP", help="To a step that `codeflow checkpoints list` names.")
    ] = None,
    workspace: Annotated[Path | None, typer.Option(help="The folder to restore; default: this one.")] = None,
    output: Annotated[ListOutput, typer.Option(help="How to print what was done.")] = ListOutput.TEXT,
    *,
    force: Annotated[bool, typer.Option("--force", help="Also where you changed a file since.")] = False,
) -> int:
    """Put back what a session changed.

    Nothing is done when you have changed one of its files since, unless --force is given. An undo is undone with
    --to and the step that it names.
    """
    from codeflow.cli.checkpoints import latest, named, open_checkpoints, sessions_of, split_step
    from codeflow.cli.request import existing_folder

    if to is not None:
        session_id, checkpoints = latest(session or split_step(to)[0], workspace)
        return _undo(session_id, checkpoints, output, to=to, force=force) or 0
    if session is not None:
        session_id, checkpoints = named(session, workspace)
        code = _undo(session_id, checkpoints, output, force=force)
        return _nothing_of(session_id, checkpoints.workspace, output) if code is None else code
    root = existing_folder(workspace)
    for session_id in sessions_of(root):
        code = _undo(session_id, open_checkpoints(root, session_id), output, force=force)
        if code is not None:
            return code
    return _nothing("any session of this folder", output)


def _undo(
    session_id: str,
    checkpoints: "Checkpoints",
    output: ListOutput,
    *,
    to: str | None = None,
    force: bool,
) -> int | None:
    """The exit code; None when there was nothing to undo."""
    from codeflow.cli.checkpoints import refuse_running
    from codeflow.cli.workplaces import local_sessions
    from codeflow.core.errors import SessionError
    from codeflow.tools.sandbox.choosing import told_late

    refuse_running(session_id)
    target = checkpoints.find(to) if to is not None else None
    store = local_sessions()
    if not checkpoints.history() and any(one.id == session_id and one.files_changed for one in store.list()):
        raise SessionError(
            f"session {session_id} changed files, and its checkpoints are not here",
            hint="They were pruned (checkpoints.keep_days), or are on the machine that it ran on.",
        )
    for text in told_late(checkpoints.workspace):
        print(f"codeflow: {one_line(text)}", file=sys.stderr)
    undone = checkpoints.undo(target, force=force, cut_at=store.cut_at(session_id))
    if target is None and not (undone.restored or undone.removed or undone.conflicts):
        return None
    if output is ListOutput.JSON:
        _print_json(session_id, undone)
    else:
        _tell(session_id, undone, to)
    return 1 if undone.conflicts else 0


def _nothing(where: str, output: ListOutput) -> int:
    if output is ListOutput.JSON:
        from codeflow.sessions.checkpoints import Undone

        _print_json(None, Undone())
    else:
        print(f"Nothing to undo in {where}.")
    return 0


def _nothing_of(session_id: str, folder: Path, output: ListOutput) -> int:
    """A session may have worked in more than one folder."""
    from codeflow.cli.checkpoints import folders_of
    from codeflow.cli.workplaces import worktree_of

    others = [other for other in folders_of(session_id) if other.is_dir() and other.resolve() != folder]
    if worktree_of(session_id) is not None or not others:
        return _nothing(f"session {session_id}", output)
    code = _nothing(f"session {session_id} in {one_line(str(folder))}", output)
    for other in others if output is ListOutput.TEXT else []:
        print(
            one_line(
                f"It worked in {other} too: `codeflow undo {session_id} --workspace {quote(str(other))}`."
            )
        )
    return code


def _print_json(session_id: str | None, undone: "Undone") -> None:
    import json
    from dataclasses import asdict

    print(json.dumps({"session_id": session_id, **asdict(undone)}))


def tell_conflicts(undone: "Undone") -> None:
    for path in undone.conflicts:
        print(f"conflict  {one_line(path)}")
    print("Nothing was done: these were changed after the session.")


def _tell(session_id: str, undone: "Undone", to: str | None) -> None:
    if undone.conflicts:
        tell_conflicts(undone)
        print("--force overwrites them.")
        return
    for path in undone.restored:
        print(f"restored  {one_line(path)}")
    for path in undone.removed:
        print(f"removed   {one_line(path)}")
    if undone.safety is None:
        print("The files are so already: nothing was done.")
        return
    print(f"Session {session_id} is {f'back at step {to}' if to else 'undone'}.")
    for sentence in undone.advice:
        print(one_line(sentence))
    for what, names in (
        ("ignored by git and too much to save", undone.ignored),
        ("nested repositories and unsuitable files", undone.skipped),
    ):
        if names:
            print(f"Not in the checkpoint, so not put back either ({what}): {_names(names)}")
    print(f"`codeflow undo --to {undone.safety}` takes this back.")


def _names(paths: Iterable[str]) -> str:
    """Folders of one name together, such as every __pycache__."""
    counts = Counter(
        path.rstrip("/").rpartition("/")[2] + "/" if path.endswith("/") else path for path in paths
    )
    told = [one_line(name) + (f" ({count})" if count > 1 else "") for name, count in counts.items()]
    more = len(told) - _MOST_NAMES
    return ", ".join(told[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
