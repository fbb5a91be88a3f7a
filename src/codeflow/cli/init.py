"""`codeflow init`: a settings file and a draft of AGENTS.md for a project."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from codeflow.tools.project import Project


def init(
    workspace: Annotated[Path | None, typer.Option(help="The project's folder; default: this one.")] = None,
) -> None:
    """Prepare a project for codeflow.

    Writes .codeflow/settings.toml and a draft of AGENTS.md; files that exist are left alone.
    """
    from codeflow.cli.request import existing_folder
    from codeflow.core.places import resource
    from codeflow.tools.project import detect

    root = existing_folder(workspace)
    defaults = (resource("config") / "settings.toml").read_text(encoding="utf-8")
    (root / ".codeflow").mkdir(exist_ok=True)
    _write_new(root / ".codeflow" / "settings.toml", _commented(defaults))
    _write_new(root / "AGENTS.md", _draft(root.name, detect(root)))


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        print(f"kept     {path} (it exists)")
    else:
        print(f"written  {path}")


def _commented(defaults: str) -> str:
    """The packaged defaults with every setting commented out; its table headers stay."""
    kept = ("#", "[")
    lines = (line if not line or line.startswith(kept) else f"# {line}" for line in defaults.splitlines())
    return "\n".join(lines) + "\n"


def _draft(name: str, project: "Project") -> str:
    return "\n".join(["# " + name, "", *_facts(project), "", *_QUESTIONS]) + "\n"


_QUESTIONS = [
    "## What to know before changing this code",
    "",
    "- What the parts are, and which may import which: (write it here)",
    "- What must never be touched: (write it here)",
    "- What a change needs before it is finished: (write it here)",
]


def _facts(project: "Project") -> Iterator[str]:
    yield "## Commands"
    yield ""
    if project.languages:
        yield f"- Languages: {', '.join(project.languages)}"
    commands = {
        "Test": project.tests,
        "Lint": project.lint,
        "Check types": project.types,
        "Build": project.build,
    }
    for what, command in commands.items():
        if command:
            yield f"- {what}: `{command}`"
    if not any(commands.values()):
        yield "- Test: (no test command was found; write it here)"
