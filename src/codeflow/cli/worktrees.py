"""`codeflow worktrees`: what `run --worktree` left to be merged or dropped."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeflow.cli.listing import ListOutput, show
from codeflow.cli.render.clean import one_line

if TYPE_CHECKING:
    from codeflow.sessions.worktrees.ending import Standing
    from codeflow.sessions.worktrees.records import Record

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="List, merge and drop the worktrees of `run --worktree`.",
)

Which = Annotated[str, typer.Argument(help="The session's id, the beginning of it, or the branch.")]


@app.command("list")
def list_worktrees(
    workspace: Annotated[Path | None, typer.Option(help="Whose worktrees; default: this folder's.")] = None,
    output: Annotated[ListOutput, typer.Option(help="How to print the list.")] = ListOutput.TEXT,
    *,
    everywhere: Annotated[bool, typer.Option("--all", help="The worktrees of every folder.")] = False,
) -> None:
    """List the worktrees that were neither merged nor dropped, newest session first."""
    from codeflow.cli.request import existing_folder
    from codeflow.cli.workplaces import all_worktrees

    found = all_worktrees().open(None if everywhere else existing_folder(workspace))
    titles = ["session", "state", ">changed", "branch", "folder", *(["origin"] if everywhere else [])]
    show(map(_row, found), titles, output=output, empty="no worktree waits to be merged or dropped")


@app.command("merge")
def merge_worktree(
    session: Which,
    *,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Also where the session did not come to its end.")
    ] = False,
    without_ignored: Annotated[
        bool, typer.Option("--without-ignored", help="Lose what git ignores; else new files come along.")
    ] = False,
) -> None:
    """Commit a session's work and merge it into your branch; then its worktree is removed.

    Nothing is done where that conflicts with your branch, with changes that you have not committed, or with files of
    yours that git ignores.
    """
    from codeflow.cli.isolation import merge
    from codeflow.core.errors import SessionError

    record = _idle(session)
    session_id = record.worktree.session_id
    if not as_is and _is_unfinished(session_id):
        raise SessionError(
            f"session {session_id} did not come to its end",
            hint=f"`codeflow resume {session_id}` goes on; --as-is merges what there is.",
        )
    done = merge(record.worktree, session_id, with_ignored=not without_ignored)
    print(f"Session {session_id}: {one_line(done)}.")


@app.command("restore")
def restore_worktree(session: Which) -> None:
    """Make a worktree that was removed by hand again, with the files of its last checkpoint."""
    import os

    from codeflow.cli.workplaces import all_worktrees
    from codeflow.core.settings import load_settings
    from codeflow.sessions.worktrees.restoring import restore

    record = all_worktrees().named(session)
    settings = load_settings(record.worktree.origin, env=os.environ)
    checkpoint = restore(record.worktree, settings.worktrees)
    where = (
        f"as it was at {checkpoint}" if checkpoint else "as its branch was committed: it has no checkpoint"
    )
    print(f"Session {record.worktree.session_id}: {one_line(str(record.worktree.folder))} is {where}.")


@app.command("drop")
def drop_worktree(
    session: Which, *, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Remove a session's worktree and branch with all that is in them; the session itself stays."""
    from codeflow.cli.isolation import drop

    record = _idle(session)
    if not yes and unmerged(record):
        _confirm(record)
    drop(record.worktree)
    print(f"Session {record.worktree.session_id}: the worktree and its branch are removed.")


def unmerged(record: "Record") -> int:
    """How many files would be lost with a worktree; where git cannot tell, at least one."""
    from codeflow.core.errors import SessionError
    from codeflow.sessions.worktrees.ending import standing

    try:
        now = standing(record.worktree)
    except SessionError:
        return 1
    return len(now.work)


def _idle(session: str) -> "Record":
    """The worktree of a session that is not at work."""
    from codeflow.cli.workplaces import all_worktrees, is_used
    from codeflow.core.errors import SessionError

    record = all_worktrees().named(session)
    if is_used(record):
        raise SessionError(
            f"session {record.worktree.session_id} is at work", hint="Interrupt it first, or wait."
        )
    return record


def _confirm(record: "Record") -> None:
    from codeflow.cli.approval import can_ask
    from codeflow.cli.isolation import count_files
    from codeflow.core.errors import UsageError

    count = unmerged(record)
    if not can_ask():
        raise UsageError(
            f"{count_files(count)} changed in the worktree and not merged, and nobody is here to be asked",
            hint="Give --yes to drop that work.",
        )
    typer.confirm(f"{count_files(count)} changed and not merged: drop them?", abort=True, err=True)


def _row(record: "Record") -> dict[str, Any]:
    from codeflow.core.errors import SessionError
    from codeflow.sessions.worktrees.ending import Standing, standing

    worktree = record.worktree
    problem = None
    try:
        now = standing(worktree)
    except SessionError as error:
        now, problem = Standing(exists=True), str(error)
    return {
        "session": worktree.session_id,
        "state": _state(record, now, problem),
        "changed": len(now.changed),
        "files": now.changed,
        "ignored": now.ignored,
        "branch": worktree.branch,
        "folder": str(worktree.folder),
        "path": str(worktree.path),
        "base": worktree.base,
        "target": worktree.target,
        "origin": str(worktree.origin),
        "problem": problem,
    }


def _state(record: "Record", now: "Standing", problem: str | None) -> str:
    from codeflow.cli.workplaces import is_used

    if is_used(record):
        return "running"
    if problem:
        return "damaged"
    if not now.exists:
        return "gone"
    if _is_unfinished(record.worktree.session_id):
        return "unfinished"
    if not now.changed:
        return "unchanged"
    return "merged" if now.is_merged else "unmerged"


def _is_unfinished(session_id: str) -> bool:
    """Whether the session can still be resumed; one whose log cannot be read cannot."""
    from codeflow.cli.workplaces import local_sessions
    from codeflow.core.errors import CodeflowError
    from codeflow.sessions.past import recall

    try:
        return not recall(local_sessions().events(session_id)).run.is_over
    except CodeflowError:
        return False
