"""`codeflow checkpoints`: the steps that a session can be taken back to."""

import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeflow.cli import completing
from codeflow.cli.listing import ListOutput, show
from codeflow.cli.render.clean import clean, one_line

if TYPE_CHECKING:
    from codeflow.core.values import FileChange
    from codeflow.sessions.checkpoints import Checkpoints

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="List, compare and prune checkpoints.")

_STEP = re.compile(r"\d{1,6}|.+/\d+")


@app.command("list")
def list_checkpoints(
    session: Annotated[
        str | None,
        typer.Argument(
            help="Default: this folder's latest that has any.", autocompletion=completing.sessions
        ),
    ] = None,
    workspace: Annotated[Path | None, typer.Option(help="Whose sessions; default: this folder's.")] = None,
    output: Annotated[ListOutput, typer.Option(help="How to print the list.")] = ListOutput.TEXT,
) -> None:
    """List the checkpoints of a session, oldest first."""
    from datetime import UTC, datetime

    _, checkpoints = latest(session, workspace)
    history = checkpoints.history()
    changed = [0, *(checkpoints.count_changes(before, after) for before, after in pairwise(history))]
    rows = [
        {
            "step": one.number,
            "taken": datetime.fromtimestamp(one.taken_at, UTC).isoformat(timespec="seconds"),
            "files": one.files,
            "changed": count,
            "why": one_line(one.label),
            "id": one.id,
            "kind": one.kind,
            "labels": one.labels,
            "head": one.git.head if one.git else None,
            "branch": one.git.branch if one.git else None,
        }
        for one, count in zip(history, changed, strict=False)
    ]
    show(
        rows,
        [">step", "taken", ">files", ">changed", "why"],
        output=output,
        empty="no checkpoints: nothing was about to be changed",
    )


@app.command("diff")
def diff_checkpoints(
    names: Annotated[list[str], typer.Argument(metavar="[SESSION] STEP [STEP]", help="Steps as listed.")],
    workspace: Annotated[Path | None, typer.Option(help="Whose sessions; default: this folder's.")] = None,
    output: Annotated[ListOutput, typer.Option(help="How to print the changes.")] = ListOutput.TEXT,
) -> None:
    """Show what changed between two checkpoints, or between one and the work tree as it is."""
    session, steps = _session_and_steps(names)
    _, checkpoints = latest(session, workspace)
    first, *rest = [checkpoints.find(step) for step in steps]
    found = checkpoints.compare(first, rest[0] if rest else None)
    if output is ListOutput.JSON:
        import json

        changes = [*_rows(found.changes, private=False), *_rows(found.private, private=True)]
        print(json.dumps({"changes": changes, "diff": found.patch}))
        return
    print(clean(found.patch) if sys.stdout.isatty() else found.patch, end="")  # a pipe may feed git apply
    for change in found.private:
        print(f"{change.change} (ignored by git, content not shown): {one_line(change.path)}")
    if not found.changes and not found.private:
        print("No differences.")


@app.command("prune")
def prune_checkpoints(
    older_than: Annotated[
        str | None,
        typer.Option(metavar="AGE", help="Such as 12h, 30d or 4w; default: checkpoints.keep_days."),
    ] = None,
    output: Annotated[ListOutput, typer.Option(help="How to print what was done.")] = ListOutput.TEXT,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete the checkpoints of sessions that are older, in every folder; running sessions keep theirs.

    What they hold can then not be undone any more.
    """
    from dataclasses import asdict

    from codeflow.cli.workplaces import local_sessions
    from codeflow.core.places import state_home
    from codeflow.sessions.pruning import prune
    from codeflow.sessions.worktrees.records import Worktrees, sessions_at_work

    home, older_than_s = state_home(), _age_s(older_than)
    if not yes:
        _confirm_pruning(older_than)
    pruned = prune(
        home / "checkpoints",
        older_than_s=older_than_s,
        running=sessions_at_work(local_sessions(), Worktrees(home / "worktrees")),
    )
    if output is ListOutput.JSON:
        import json

        print(json.dumps(asdict(pruned)))
    else:
        print(f"Deleted {pruned.checkpoints} checkpoints of {pruned.sessions} sessions.")


def latest(session: str | None, workspace: Path | None) -> "tuple[str, Checkpoints]":
    """A session with its checkpoints: the one asked for, wherever it worked, else this folder's latest that has any.

    Raises:
        SessionError: when there is none.
    """
    from codeflow.cli.request import existing_folder
    from codeflow.core.errors import SessionError

    if session is not None:
        return named(session, workspace)
    root = existing_folder(workspace)
    for session_id in sessions_of(root):
        checkpoints = open_checkpoints(root, session_id)
        if checkpoints.history():
            return session_id, checkpoints
    raise SessionError(
        f"no session has changed anything in {root}",
        hint="`codeflow sessions --all` lists those of other folders.",
    )


def refuse_running(session_id: str) -> None:
    """Raises SessionError while a process works in the session: its files are not for others to change."""
    from codeflow.cli.workplaces import local_sessions
    from codeflow.core.errors import SessionError

    if local_sessions().is_running(session_id):
        raise SessionError(f"session {session_id} is at work", hint="Interrupt it first, or wait.")


def named(session: str, workspace: Path | None) -> "tuple[str, Checkpoints]":
    """The session whose id begins so, with its checkpoints, in the folder where it worked.

    Raises:
        SessionError: when it is unknown, or worked in another folder than `workspace`, or has no checkpoints.
    """
    session_id, folder = worked_in(session, workspace)
    return session_id, open_checkpoints(folder, session_id)


def worked_in(session: str, workspace: Path | None) -> tuple[str, Path]:
    """The session whose id begins so, and its folder: the latest that it worked in, or the one that `workspace` names.

    Where the latest is gone, `workspace` says what it is now.

    Raises:
        SessionError: when it is unknown, worked in other folders than `workspace`, or in one that is gone.
    """
    from codeflow.cli.request import existing_folder
    from codeflow.cli.workplaces import bring_along, local_sessions
    from codeflow.core.errors import SessionError

    session_id = local_sessions().find(session)
    *_, folder = folders = folders_of(session_id)
    if workspace is not None:
        named = existing_folder(workspace)
        if named in [one.resolve() for one in folders]:
            return session_id, named
        if not folder.is_dir():
            bring_along(session_id, folder, named)
            return session_id, named
        raise SessionError(f"session {session_id} worked in {folder}", hint="Leave out --workspace.")
    if not folder.is_dir():
        raise SessionError(
            f"session {session_id} worked in {folder}, which is gone",
            hint="If it was moved, say where it is now: --workspace DIR.",
        )
    return session_id, folder


def folders_of(session_id: str) -> list[Path]:
    """The folders that a session of this machine worked in, the latest last."""
    from codeflow.cli.workplaces import local_sessions
    from codeflow.core.events import RunResumed, RunStarted

    folders: dict[str, None] = {}
    for event in local_sessions().events(session_id):
        if isinstance(event, (RunStarted, RunResumed)):
            started = event if isinstance(event, RunStarted) else event.started
            folders.pop(started.workspace, None)
            folders[started.workspace] = None
    return [Path(folder) for folder in folders]


def sessions_of(root: Path) -> Sequence[str]:
    """The ids of a folder's sessions, newest first.

    Raises:
        SessionError: when there is none.
    """
    from codeflow.cli.workplaces import elsewhere, local_sessions
    from codeflow.core.errors import SessionError

    ids = [known.id for known in local_sessions().list(root)]
    if not ids:
        raise SessionError(f"no session has worked in {root}", hint=elsewhere(root))
    return ids


def open_checkpoints(root: Path, session_id: str) -> "Checkpoints":
    """The checkpoints of a session of a folder, which may have a worktree to itself.

    Raises:
        SessionError: when there can be none in this folder, or the worktree was merged.
    """
    from codeflow.cli.workplaces import working_folder
    from codeflow.core.errors import SessionError
    from codeflow.sessions.checkpoints import Checkpoints

    checkpoints = Checkpoints(working_folder(session_id, root), session_id)
    if checkpoints.unavailable:
        raise SessionError(f"no checkpoints: {checkpoints.unavailable}")
    return checkpoints


def split_step(step: str) -> tuple[str | None, str]:
    """The session that a step's id names, if it is one, and the number."""
    session, _, number = step.rpartition("/")
    return session or None, number


def _session_and_steps(names: Sequence[str]) -> tuple[str | None, list[str]]:
    from codeflow.core.errors import UsageError

    steps = [name for name in names if _STEP.fullmatch(name)]
    others = [name for name in names if name not in steps]
    if not 1 <= len(steps) <= 2 or len(others) > 1:  # noqa: PLR2004 - from and to
        raise UsageError(
            "name one or two steps, such as 3 or 3 5, after the session if it is not the latest",
            hint="`codeflow checkpoints list` lists the steps.",
        )
    return (others[0] if others else split_step(steps[0])[0]), steps


def _rows(changes: "Sequence[FileChange]", *, private: bool) -> list[dict[str, Any]]:
    from dataclasses import asdict

    return [{**asdict(change), "ignored": private} for change in changes]


def _confirm_pruning(older_than: str | None) -> None:
    from codeflow.cli.approval import can_ask
    from codeflow.core.errors import UsageError

    if not can_ask():
        raise UsageError("nobody is here to be asked whether to delete", hint="Give --yes to delete.")
    which = f"idle for {older_than}" if older_than else "older than checkpoints.keep_days"
    typer.confirm(
        f"Delete every undo of the sessions that are {which}, in every folder?", abort=True, err=True
    )


def _age_s(text: str | None) -> float:
    import os

    from codeflow.cli.request import age
    from codeflow.core.errors import UsageError
    from codeflow.core.settings import load_settings

    if text is None:
        days = load_settings(Path.cwd(), env=os.environ).checkpoints.keep_days
        if days == 0:
            raise UsageError(
                "checkpoints.keep_days is 0: they are kept", hint="Name an age with --older-than."
            )
        return days * 86_400.0
    return age(text).total_seconds()
