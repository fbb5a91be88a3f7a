"""`codeflow memory`: the notes that agents and people left for later runs."""

import os
import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codeflow.cli.listing import ListOutput, show
from codeflow.cli.render.clean import clean, one_line
from codeflow.core.errors import CodeflowError, UsageError
from codeflow.core.notes import Draft, Note, Scope

if TYPE_CHECKING:
    from codeflow.knowledge.memory.notebook import Notebook

app = typer.Typer(
    rich_markup_mode=None, invoke_without_command=True, help="List and change what later runs are told."
)


class OwnScope(StrEnum):
    """Whom a person's note may reach; notes of a session are its agents' own."""

    PROJECT = Scope.PROJECT.value
    USER = Scope.USER.value


Which = Annotated[str, typer.Argument(metavar="ID", help="A note's id, or the beginning of it.")]
Workspace = Annotated[Path | None, typer.Option(help="Whose notes; default: this folder's.")]
Output = Annotated[ListOutput, typer.Option(help="How to print it.")]
OfScope = Annotated[Scope | None, typer.Option(help="Only notes of this scope.")]
OfSession = Annotated[str | None, typer.Option(help="The notes of this session as well.")]
Everywhere = Annotated[bool, typer.Option("--all", help="The notes of every project and session.")]


@app.callback()
def memory(
    context: typer.Context,
    scope: OfScope = None,
    session: OfSession = None,
    workspace: Workspace = None,
    output: Output = ListOutput.TEXT,
    *,
    everywhere: Everywhere = False,
) -> None:
    if context.invoked_subcommand is None:
        list_notes(scope, session, workspace, output, everywhere=everywhere)


@app.command("list")
def list_notes(
    scope: OfScope = None,
    session: OfSession = None,
    workspace: Workspace = None,
    output: Output = ListOutput.TEXT,
    *,
    everywhere: Everywhere = False,
) -> None:
    """List the notes that runs in this folder are told, the newest last."""
    notebook = _open(workspace, session)
    found = notebook.everywhere() if everywhere else notebook.valid()
    notes = [note for note in sorted(found.notes, key=_age) if scope in {None, note.scope}]
    rows = [_row(note, notebook, here=not everywhere) for note in notes]
    show(rows, ["id", "scope", "by", "until", "state", "note"], output=output, empty="no notes")
    if not notes and not everywhere:
        _tell_of_moved(workspace)
    for problem in found.problems:
        _tell(problem)


@app.command("show")
def show_note(note: Which, workspace: Workspace = None, output: Output = ListOutput.TEXT) -> None:
    """Show a note with where it comes from."""
    import json

    notebook = _open(workspace)
    found, shelf = notebook.find(note)
    row = _row(found, notebook, here=shelf.path == _place(notebook, found.scope))
    if output is ListOutput.JSON:
        print(json.dumps(row))
        return
    print(clean(found.text))
    facts = {
        "id": found.id,
        "scope": f"{found.scope} {shelf.read().place}".rstrip(),
        "by": row["by"],
        "session": found.session_id,
        "written": row["created"],
        "changed": row["updated"] if row["updated"] != row["created"] else None,
        "until": row["until"],
        "evidence": found.evidence,
        "about": ", ".join(row["files"]),
        "state": row["state"],
    }
    for name, value in facts.items():
        if value:
            print(f"{name + ':':<10}{one_line(str(value))}")


@app.command("add")
def add_note(
    text: Annotated[str, typer.Argument(help="One fact, in a sentence or two.")],
    scope: Annotated[OwnScope, typer.Option(help="Whom it reaches.")] = OwnScope.PROJECT,
    file: Annotated[
        list[str] | None, typer.Option(help="A file that it is about: once it changes, the note is stale.")
    ] = None,
    ttl: Annotated[
        str | None, typer.Option(metavar="AGE", help="Such as 12h, 30d or 8w; default: for ever.")
    ] = None,
    workspace: Workspace = None,
) -> None:
    """Tell something to every later run."""
    draft = Draft(text=text, scope=Scope(scope.value), author=None, files=file or (), ttl_days=_days(ttl))
    done = _open(workspace).remember(draft)
    print(f"Note {done.note.id} is {'kept' if done.outcome == 'new' else 'yours now'}.")
    if done.similar:
        _tell(f"note {done.similar.id} is similar: {done.similar.text}")
    _tell_when_off(workspace)


@app.command("edit")
def edit_note(
    note: Which,
    text: Annotated[
        str | None, typer.Argument(help="What it says from now on; default: opens $EDITOR.")
    ] = None,
    workspace: Workspace = None,
) -> None:
    """Change what a note says; it is yours then, and stays as long as it would have."""
    notebook = _open(workspace)
    found, _ = notebook.find(note)
    words = _edited(found.text) if text is None else text
    if words.strip() == found.text:
        print(f"Note {found.id} is as it was.")
        return
    notebook.rewrite(found.id, words)
    print(f"Note {found.id} is changed.")


@app.command("remove")
def remove_notes(
    note: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, or the beginnings of ids.")],
    workspace: Workspace = None,
) -> None:
    """Remove notes, for good."""
    for gone in _open(workspace).remove(note):
        print(f"Note {gone.id} is removed: {one_line(gone.text, 80)}")


@app.command("clear")
def clear_notes(
    scope: Annotated[Scope, typer.Option(help="Which notes.")],
    session: Annotated[str | None, typer.Option(help="Whose notes, for --scope session.")] = None,
    workspace: Workspace = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove every note of a scope, for good."""
    notebook = _open(workspace, session)
    count = len(notebook.shelf(scope).read().notes)
    if count and not yes:
        _confirm(f"Remove {count} notes of scope {scope}?")
    print(f"Removed {notebook.clear(scope)} notes.")


@app.command("prune")
def prune_notes() -> None:
    """Remove the notes that have expired, of every project; each run does so at its end."""
    print(f"Removed {_open(None).prune()} notes.")


def _open(workspace: Path | None, session: str | None = None) -> "Notebook":
    """A person sees the notes whether or not runs are told them."""
    from codeflow.cli.request import existing_folder
    from codeflow.core.places import state_home
    from codeflow.core.settings import load_settings
    from codeflow.knowledge.memory.notebook import Notebook
    from codeflow.sessions.opening import open_sessions

    root = existing_folder(workspace)
    settings = load_settings(root, env=os.environ)
    return Notebook(
        state_home() / "memory",
        root,
        ttl_days=settings.memory.ttl_days,
        env=os.environ,
        session_id=open_sessions(settings, os.environ).find(session) if session else None,
    )


def _row(note: Note, notebook: "Notebook", *, here: bool) -> dict[str, Any]:
    """`here`: the files that it is about are those of this folder."""
    from codeflow.knowledge.memory.freshness import outdated

    changes = outdated(note, notebook.top) if here else ()
    return {
        "id": note.id,
        "scope": note.scope.value,
        "by": note.author or "you",
        "until": note.expires.date().isoformat() if note.expires else None,
        "state": f"stale: {', '.join(changes)}" if changes else None,
        "note": note.text,
        "evidence": note.evidence,
        "files": [file.path for file in note.files],
        "session_id": note.session_id,
        "created": note.created.isoformat(timespec="seconds"),
        "updated": note.updated.isoformat(timespec="seconds"),
        "expires": note.expires.isoformat(timespec="seconds") if note.expires else None,
    }


def _place(notebook: "Notebook", scope: Scope) -> Path | None:
    return None if scope is Scope.SESSION else notebook.shelf(scope).path


def _age(note: Note) -> tuple[Any, str]:
    return note.updated, note.id


def _days(ttl: str | None) -> float | None:
    from codeflow.cli.request import age

    if ttl is None:
        return None
    days = age(ttl, "--ttl").total_seconds() / 86_400
    if days == 0:
        raise UsageError(f"--ttl {ttl}: it would be over at once", hint="For example 30d, 12h or 8w.")
    return days


def _edited(text: str) -> str:
    """What the person makes of it in their editor."""
    import shlex
    import subprocess
    import tempfile

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        raise UsageError("there is no editor to open", hint="Give the new text, or set EDITOR.")
    with tempfile.NamedTemporaryFile("w+", suffix=".md", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        try:
            code = subprocess.run([*shlex.split(editor), file.name], check=False).returncode
            edited = Path(file.name).read_text(
                encoding="utf-8"
            )  # by name: editors put a new file in its place
        except (OSError, ValueError) as error:
            raise UsageError(f"{editor}: {error}", hint="Give the new text, or set EDITOR.") from error
    if code:
        raise CodeflowError(f"{editor} ended with exit code {code}: the note is as it was")
    return edited


def _confirm(question: str) -> None:
    from codeflow.cli.approval import can_ask

    if not can_ask():
        raise UsageError("nobody is here to be asked whether to remove them", hint="Give --yes to remove.")
    typer.confirm(question, abort=True, err=True)


def _tell_when_off(workspace: Path | None) -> None:
    from codeflow.cli.request import existing_folder
    from codeflow.core.settings import load_settings

    if not load_settings(existing_folder(workspace), env=os.environ).memory.enabled:
        _tell("memory.enabled is false here: runs are not told it")


def _tell_of_moved(workspace: Path | None) -> None:
    """Notes are kept by the folder's name; one that was moved or renamed has left them behind."""
    from codeflow.cli.request import existing_folder
    from codeflow.core.places import state_home
    from codeflow.knowledge.memory.identity import project_home
    from codeflow.knowledge.memory.shelf import Shelves
    from codeflow.sessions.moving import is_similar_and_gone

    home = project_home(existing_folder(workspace))
    for shelf in Shelves(state_home() / "memory").all():
        place = ""
        with suppress(CodeflowError):  # the list tells of notes that cannot be read
            place = shelf.read().place
        if place and is_similar_and_gone(Path(place), home):
            _tell(
                f"there are notes of {place}, which is gone: if it is this folder now, `codeflow memory --all` lists them "
                "and `codeflow memory add` says here again what still holds"
            )


def _tell(text: str) -> None:
    print(f"codeflow: {one_line(text)}", file=sys.stderr)
