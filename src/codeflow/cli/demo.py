"""`codeflow demo`: the whole path on a small repository, without an account."""

import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from codeflow.cli.replay import play
from codeflow.cli.repository import start_repository
from codeflow.core.errors import UsageError
from codeflow.core.places import resource

_SAID = (
    "The model's replies are a recorded transcript, so this costs nothing and needs no account.\n"
    "Everything else is real: the tools, the gates, git, the checkpoint and the cost arithmetic.\n"
    "The dollars are what these calls would have cost on Bedrock.\n"
)
_SVG_WIDTH = 100


def demo(
    folder: Annotated[
        Path | None, typer.Option(help="A new folder for the demo; default: a temporary one.")
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="Also write what is shown as an SVG picture.")] = None,
) -> int:
    """Show a whole run without an account.

    A small repository's failing test is repaired with recorded model replies; everything else is real.
    """
    if svg is not None and (svg.is_dir() or not svg.parent.is_dir()):
        raise UsageError(f"{svg}: cannot be written", hint="--svg takes a file in an existing folder.")
    source = resource("config") / "demo"
    workspace = _repository(source / "repo", folder)
    print(f"Demo repository: {workspace}\n{_SAID}", file=sys.stderr)
    transcript = source / "transcript.yaml"
    code = _pictured(transcript, workspace, svg) if svg else play(transcript, workspace)
    print(
        f"\nIn {workspace}: `git diff` shows the change, `{_command()} undo` takes it back.", file=sys.stderr
    )
    return code


def _command() -> str:
    """How the user can call codeflow: by name, or, before it is on PATH, by the path of this program."""
    return "codeflow" if shutil.which("codeflow") else str(Path(sys.argv[0]).resolve())


def _pictured(transcript: Path, workspace: Path, svg: Path) -> int:
    from rich._export_format import CONSOLE_SVG_FORMAT
    from rich.console import Console

    canvas = Console(record=True, stderr=True, width=_SVG_WIDTH, markup=False, emoji=False, highlight=False)
    code = play(transcript, workspace, canvas=canvas)
    canvas.save_svg(str(svg), title="codeflow demo", code_format=_without_web_fonts(CONSOLE_SVG_FORMAT))
    return code


def _without_web_fonts(template: str) -> str:
    """A picture by rich without the fonts that it would have every reader load from a third party."""
    return re.sub(r"@font-face \{\{.*?\}\}", "", template, flags=re.DOTALL)


def _repository(source: Path, folder: Path | None) -> Path:
    """A copy of the demo project with one commit; it is kept, so that it can be looked at."""
    if folder is None:
        target = Path(tempfile.mkdtemp(prefix="codeflow-demo-"))
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: not empty", hint="--folder takes a new or an empty folder.")
    else:
        target = folder
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    start_repository(target)
    return target.resolve()
