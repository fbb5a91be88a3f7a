"""`codeflow sessions`: what was run here, what happened in a run, and how sessions are kept."""

import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeflow.cli.forking import fork_session
from codeflow.cli.listing import ListOutput, show
from codeflow.cli.options import STDOUT, ReportCommand, Which
from codeflow.cli.render.figures import dollars
from codeflow.cli.showing import show_session
from codeflow.core.errors import SessionError, UsageError

if TYPE_CHECKING:
    from codeflow.sessions.log import SessionInfo, SessionStore

app = typer.Typer(
    rich_markup_mode=None, invoke_without_command=True, help="List the sessions of this folder, newest first."
)

Workspace = Annotated[Path | None, typer.Option(help="Whose sessions; default: this folder's.")]
Everywhere = Annotated[bool, typer.Option("--all", help="The sessions of every folder.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Output = Annotated[ListOutput, typer.Option(help="How to print the list.")]


class ExportFormat(StrEnum):
    """How a session is written into a file."""

    JSONL = "jsonl"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


@app.callback()
def sessions(
    context: typer.Context,
    workspace: Workspace = None,
    output: Output = ListOutput.TEXT,
    *,
    everywhere: Everywhere = False,
) -> None:
    if context.invoked_subcommand is None:
        list_sessions(workspace, output, everywhere=everywhere)


@app.command("list")
def list_sessions(
    workspace: Workspace = None, output: Output = ListOutput.TEXT, *, everywhere: Everywhere = False
) -> None:
    """List the sessions of this folder, newest first."""
    from codeflow.cli.workplaces import perhaps_moved

    store, root = _open(workspace)
    infos = store.list(None if everywhere else root)
    titles = ["id", "name", "status", ">cost", ">files_changed", "task"]
    if not any(info.name for info in infos):
        titles.remove("name")
    if store.shared:
        titles.append("stored")
    if everywhere:
        titles.append("workspace")
    show(map(_row, infos), titles, output=output, empty="no sessions yet")
    if not infos and (moved := perhaps_moved(root)):
        _tell(moved)
    for info in infos:
        if info.problem:
            _tell(f"session {info.id}: {info.problem}")
    if store.unreachable:
        _tell(f"only this machine's sessions: {store.unreachable}")


app.command("show", cls=ReportCommand)(show_session)


def _tell_lost(last: bytes) -> None:
    """What was left out of a damaged log stands in the notice that its export ends with."""
    from codeflow.core.events import Notice
    from codeflow.sessions.records import decode

    event = decode(last, "") if b'"kind":"notice"' in last else None
    if isinstance(event, Notice):
        _tell(event.text)


@app.command("export")
def export_session(
    session: Which,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; -: stdout.")] = STDOUT,
    form: Annotated[
        ExportFormat,
        typer.Option("--format", help="jsonl can be imported; markdown and html are for people."),
    ] = ExportFormat.JSONL,
    *,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Leave out damaged lines, and say which.")
    ] = False,
) -> None:
    """Write a session into a file, to read it or to import it on another machine."""
    from codeflow.sessions.transfer import exported

    store, _ = _open(None)
    session_id = store.find(session)
    lines = list(exported(store, session_id, salvaged=salvage))
    if salvage:
        _tell_lost(lines[-1])
    text = _formatted(session_id, lines, form)
    if output == STDOUT:
        sys.stdout.buffer.write(text)
        sys.stdout.flush()
        return
    try:
        output.write_bytes(text)
        output.chmod(0o600)
    except OSError as error:
        raise UsageError(
            f"{output}: cannot be written: {error.strerror}", hint="Name another file."
        ) from error
    print(f"{output}: session {session_id}, {len(lines) - 1} events")


@app.command("import")
def import_session(
    file: Annotated[Path, typer.Argument(help="A file that `codeflow sessions export` wrote; -: stdin.")],
    workspace: Annotated[
        Path | None,
        typer.Option(help="The folder to add it to; default: the one it worked in, else this one."),
    ] = None,
    *,
    as_new: Annotated[bool, typer.Option("--as-new", help="Give it an id of its own.")] = False,
) -> None:
    """Add a session from a file."""
    from codeflow.cli.render.clean import one_line
    from codeflow.sessions.transfer import imported, read_bundle

    store, root = _open(workspace)
    try:
        content = sys.stdin.buffer.read() if file == STDOUT else file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}", hint="Check the name.") from error
    bundle = read_bundle(content.splitlines(keepends=True), str(file))
    worked_in = Path(bundle.workspace)
    home = worked_in if workspace is None and bundle.workspace and worked_in.is_dir() else root
    session_id, outcome = imported(store, bundle, home, as_new=as_new)
    print(f"Session {session_id} {outcome} (of {one_line(str(home))}).")


@app.command("rename")
def rename_session(
    session: Which,
    name: Annotated[str, typer.Argument(help="What to call it; empty takes the name away.")],
) -> None:
    """Give a session a name, which stands for its id everywhere."""
    store, _ = _open(None)
    session_id = store.find(session)
    problem = store.rename(session_id, name.strip())
    print(
        f"Session {session_id} is called {name.strip()!r}."
        if name.strip()
        else f"Session {session_id} has no name."
    )
    if problem:
        _tell(problem)


app.command("fork")(fork_session)


@app.command("delete")
def delete_sessions(
    session: Annotated[list[str], typer.Argument(help="Ids, beginnings of ids, or names.")],
    *,
    yes: Yes = False,
) -> None:
    """Remove sessions with their checkpoints, notes and worktrees, for good."""
    store, _ = _open(None)
    ids = {store.find(one) for one in session}
    _delete(store, [info for info in store.list() if info.id in ids], yes=yes)


@app.command("prune")
def prune_sessions(
    older_than: Annotated[str, typer.Option(help="Since their last event: 30d, 12h or 8w.")],
    workspace: Workspace = None,
    *,
    everywhere: Everywhere = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list them.")] = False,
    yes: Yes = False,
) -> None:
    """Remove the sessions that have been idle for some time; running ones and those with unmerged work are kept."""
    from codeflow.cli.request import age
    from codeflow.sessions.log import RUNNING

    before = datetime.now(UTC) - age(older_than)
    store, root = _open(workspace)
    old = [
        info
        for info in store.list(None if everywhere else root)
        if info.updated < before and info.status != RUNNING
    ]
    for kept in [info for info in old if _unmerged(info)]:
        _tell(
            f"session {kept.id} is kept: its worktree holds work that is not merged (`codeflow worktrees list`)"
        )
        old.remove(kept)
    if not old:
        print(f"no session has been idle for {older_than}")
    elif dry_run:
        show(map(_row, old), ["id", "name", "status", "updated", "task"], output=ListOutput.TEXT, empty="")
    else:
        _delete(store, old, yes=yes)


@app.command("sync")
def sync_sessions(
    session: Annotated[str | None, typer.Argument(help="Default: every session with unsent lines.")] = None,
) -> None:
    """Level this machine's sessions with the shared store, after it could not be reached."""
    store, _ = _open(None)
    if store.shared is None:
        raise UsageError("there is no shared store", hint="The setting sessions.store names one.")
    ids = [store.find(session)] if session else [info.id for info in store.list() if info.unsent]
    if store.unreachable:
        raise SessionError(store.unreachable, hint="Check the network, then try again.")
    for session_id in ids:
        store.resume(session_id).close()
        print(f"Session {session_id} is in {store.shared.name}.")
    if not ids:
        print(f"Everything is in {store.shared.name}.")


@app.command("setup")
def set_up_store() -> None:
    """Make the bucket, the tables or the file that sessions.store names, where it is missing."""
    store, _ = _open(None)
    if store.shared is None:
        print("sessions.store is local: there is nothing to set up")
        return
    for line in store.shared.set_up():
        print(line)


def _open(workspace: Path | None) -> "tuple[SessionStore, Path]":
    from codeflow.cli.request import open_store

    return open_store(workspace)


def _row(info: "SessionInfo") -> dict[str, Any]:
    return {
        "id": info.id,
        "name": info.name,
        "started": info.started.isoformat(timespec="seconds"),
        "updated": info.updated.isoformat(timespec="seconds"),
        "status": info.status,
        "cost": "unknown" if info.cost is None else dollars(info.cost),
        "cost_usd": None if info.cost is None else float(info.cost),
        "files_changed": info.files_changed,
        "task": info.task,
        "workspace": info.workspace,
        "stored": info.stored,
        "problem": info.problem,
    }


def _formatted(session_id: str, lines: list[bytes], form: ExportFormat) -> bytes:
    if form is ExportFormat.JSONL:
        return b"".join(lines)
    if form is ExportFormat.JSON:
        header, *rest = map(json.loads, lines)
        events = [{"at": line["at"], **line["event"]} for line in rest]
        return json.dumps(header | {"events": events}, ensure_ascii=False, indent=1).encode() + b"\n"
    from codeflow.sessions.records import decode, written_at

    if form is ExportFormat.HTML:
        from codeflow.cli.render.session_page import session_page

        entries = [(written_at(line), decode(line, session_id)) for line in lines[1:]]
        return session_page(session_id, entries).text.encode(errors="replace")
    from codeflow.cli.render.transcript import markdown

    return "".join(markdown(session_id, (decode(line, session_id) for line in lines[1:]))).encode()


def _delete(store: "SessionStore", infos: "list[SessionInfo]", *, yes: bool) -> None:
    """Asks, then removes each session with its checkpoints, notes and worktree."""
    from codeflow.cli.isolation import drop
    from codeflow.cli.workplaces import all_worktrees
    from codeflow.core.places import state_home
    from codeflow.knowledge.memory.shelf import Shelves
    from codeflow.sessions.pruning import forget
    from codeflow.sessions.worktrees.records import Fate

    if not yes:
        _confirm(infos)
    for info in infos:
        store.delete(info.id)
        Shelves(state_home() / "memory").of_session(info.id).remove()
        dropped = forget(state_home() / "checkpoints", Path(info.workspace), info.id) if info.workspace else 0
        if record := all_worktrees().find(info.id):
            dropped += forget(state_home() / "checkpoints", record.worktree.folder, info.id)
            if record.fate is Fate.OPEN:
                drop(record.worktree)
            all_worktrees().forget(info.id)
        print(f"Session {info.id} is deleted" + (f", with {dropped} checkpoints." if dropped else "."))


def _confirm(infos: "list[SessionInfo]") -> None:
    from codeflow.cli.approval import can_ask
    from codeflow.cli.render.clean import one_line

    if not can_ask():
        raise UsageError("nobody is here to be asked whether to delete", hint="Give --yes to delete.")
    for info in infos:
        lost = _unmerged(info)
        work = f" [changed in its worktree and NOT merged: {lost} files]" if lost else ""
        print(f"{info.id}  {one_line(info.name or info.task, 80)}{work}", file=sys.stderr)
    typer.confirm(
        f"Delete {len(infos)} sessions with their checkpoints, notes and worktrees?", abort=True, err=True
    )


def _unmerged(info: "SessionInfo") -> int:
    """How many files are in the session's worktree and nowhere else."""
    from codeflow.cli.workplaces import all_worktrees
    from codeflow.cli.worktrees import unmerged
    from codeflow.sessions.worktrees.records import Fate

    record = all_worktrees().find(info.id)
    return unmerged(record) if record and record.fate is Fate.OPEN else 0


def _tell(text: str) -> None:
    from codeflow.cli.render.clean import one_line

    print(f"codeflow: {one_line(text)}", file=sys.stderr)
