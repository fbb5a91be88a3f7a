"""`codeflow worktrees`: what `run --worktree` left to be merged or dropped."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeflow.cli.listing import ListOutput, show

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
def merge_worktree(session: Which) -> None:
    """Commit a session's work and merge it into your branch; then its worktree is removed.

    Nothing is done where that conflicts with your branch, or with changes that you have not committed.
    """
    from codeflow.cli.isolation import merge

    record = _idle(session)
    print(f"Session {record.worktree.session_id}: {merge(record.worktree, record.worktree.session_id)}.")


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
    return len(now.changed) if now.has_work else 0


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
    from codeflow.cli.workplaces import is_used
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
        "state": "running" if is_used(record) else "damaged" if problem else _state(now),
        "changed": len(now.changed),
        "files": now.changed,
        "branch": worktree.branch,
        "folder": str(worktree.folder),
        "path": str(worktree.path),
        "base": worktree.base,
        "target": worktree.target,
        "origin": str(worktree.origin),
        "problem": problem,
    }


def _state(now: "Standing") -> str:
    if not now.exists:
        return "gone"
    if not now.changed:
        return "unchanged"
    return "merged" if now.is_merged else "unmerged"
