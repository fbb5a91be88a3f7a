"""`codeflow replay`: a recorded run once more, on real tools, with recorded model replies."""

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codeflow.cli.execute import Output, execute
from codeflow.cli.render.clean import one_line
from codeflow.cli.repository import head_commit

if TYPE_CHECKING:
    from rich.console import Console


def replay(
    transcript: Annotated[Path, typer.Argument(help="A file that `codeflow run --record` wrote.")],
    workspace: Annotated[Path | None, typer.Option(help="The folder to work in; default: this one.")] = None,
    output: Annotated[Output, typer.Option(help="What to print on stdout.")] = Output.TEXT,
    *,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print only the answer and the changed files.")
    ] = False,
) -> int:
    """Run a recorded task again.

    The model's replies come from the transcript; tools, gates, git and cost arithmetic are real.
    """
    from codeflow.cli.request import existing_folder

    return play(transcript, existing_folder(workspace), output=output, quiet=quiet)


def play(
    path: Path,
    workspace: Path,
    *,
    output: Output = Output.TEXT,
    quiet: bool = False,
    canvas: "Console | None" = None,
) -> int:
    """Run the transcript's task against the embedded endpoint; returns the run's exit code."""
    from codeflow.cli.request import Choices, prepare
    from codeflow.models.catalogue import Catalogue
    from codeflow.models.endpoint import Endpoint, load, rules_from

    script = load(path)
    say_if_moved(script.base, workspace)
    rules_for = rules_from(Catalogue.load())
    with Endpoint(script, rules_for=rules_for) as endpoint, tempfile.TemporaryDirectory() as cache:
        _lead_to(endpoint.url, cache)
        choices = Choices(
            mode=script.options.mode,
            pattern=script.options.pattern,
            complexity=script.options.complexity,
            agent=script.options.agent,
            roster=script.options.roster,
            endpoint_url=endpoint.url,
        )
        settings, task = prepare(script.task, workspace, choices)
        return execute(settings, task, output=output, quiet=quiet, canvas=canvas, spends=False)


def _lead_to(url: str, cache: str) -> None:
    """Turn this process to the endpoint, with no router verdict remembered from an earlier run."""
    from codeflow.models.endpoint import CONFLICTING_VARIABLES, environment

    for name in CONFLICTING_VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(environment(url) | {"XDG_CACHE_HOME": cache})


def say_if_moved(base: str | None, workspace: Path) -> None:
    """Warn on stderr when the repository is not at the commit that a transcript was recorded on."""
    head = head_commit(workspace)
    if base and head != base:
        print(
            f"codeflow: the transcript was recorded on commit {one_line(base)[:12]}, this is {(head or 'none')[:12]}: "
            "its replies may not fit the files",
            file=sys.stderr,
        )
