"""`codeflow sessions`: what was run here, and what happened in a run."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from codeflow.cli.listing import ListOutput, show
from codeflow.cli.render.figures import dollars

app = typer.Typer(
    rich_markup_mode=None, invoke_without_command=True, help="List the sessions of this folder, newest first."
)


@app.callback()
def sessions(
    context: typer.Context,
    workspace: Annotated[Path | None, typer.Option(help="Whose sessions; default: this folder's.")] = None,
    output: Annotated[ListOutput, typer.Option(help="How to print the list.")] = ListOutput.TEXT,
    *,
    everywhere: Annotated[bool, typer.Option("--all", help="The sessions of every folder.")] = False,
) -> None:
    if context.invoked_subcommand is not None:
        return
    from codeflow.cli.request import existing_folder
    from codeflow.core.places import state_home
    from codeflow.sessions.log import SessionStore

    store = SessionStore(state_home() / "sessions")
    rows = [
        {
            "id": session.id,
            "started": session.started.isoformat(timespec="seconds"),
            "status": session.status,
            "cost": "unknown" if session.cost is None else dollars(session.cost),
            "cost_usd": None if session.cost is None else float(session.cost),
            "files_changed": session.files_changed,
            "task": session.task,
            "workspace": session.workspace,
            "problem": session.problem,
        }
        for session in store.list(None if everywhere else existing_folder(workspace))
    ]
    titles = ["id", "status", ">cost", ">files_changed", "task"]
    show(rows, [*titles, "workspace"] if everywhere else titles, output=output, empty="no sessions yet")
    for row in rows:
        if row["problem"]:
            print(f"codeflow: session {row['id']}: {row['problem']}", file=sys.stderr)


@app.command("show")
def show_session(
    session: Annotated[str, typer.Argument(help="A session's id, or the beginning of it.")],
    output: Annotated[ListOutput, typer.Option(help="How to print the events.")] = ListOutput.TEXT,
) -> None:
    """Show what happened in a session, step by step."""
    from codeflow.cli.render.console import console
    from codeflow.cli.render.progress import StatusLine
    from codeflow.cli.render.text import TextRenderer
    from codeflow.core.places import state_home
    from codeflow.sessions.log import SessionStore

    events = SessionStore(state_home() / "sessions").events(session)
    if output is ListOutput.JSON:
        from codeflow.core.codec import to_json

        show([to_json(event) for event in events], [], output=output, empty="")
        return
    paper = console()
    renderer = TextRenderer(paper, paper, StatusLine(paper, enabled=False))
    for event in events:
        renderer(event)
