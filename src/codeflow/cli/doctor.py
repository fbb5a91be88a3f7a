"""`codeflow doctor`: what a run needs, what is there, and what to do about the rest."""

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codeflow.cli import completing
from codeflow.cli.listing import ListOutput, show
from codeflow.core.places import config_home, state_home
from codeflow.core.programs import program_outside
from codeflow.core.values import EXIT_CODES, Status

if TYPE_CHECKING:
    from codeflow.core.settings import Settings
    from codeflow.models.catalogue import ModelSpec
    from codeflow.tools.project import Project

_CREDENTIALS = "credentials"


class Level(StrEnum):
    """A warning costs comfort, a failure stops runs."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing looked at. `cure` says what to do about it; it is empty where nothing has to be done."""

    level: Level
    name: str
    detail: str
    cure: str = ""


def doctor(
    workspace: Annotated[Path | None, typer.Option(help="The folder to work in; default: this one.")] = None,
    roster: Annotated[
        str | None, typer.Option(help="Another roster than the settings'.", autocompletion=completing.rosters)
    ] = None,
    output: Annotated[ListOutput, typer.Option(help="How to print the list.")] = ListOutput.TEXT,
) -> int:
    """Check credentials, models and tools.

    Each line that is not ok says what to do. Ends with 77 when credentials are missing, with 1 when a run cannot work.
    """
    from codeflow.cli.request import existing_folder
    from codeflow.core.settings import load_settings

    root = existing_folder(workspace)
    flags = {"run": {"roster": roster}} if roster else {}
    settings = load_settings(root, env=os.environ, flags=flags)
    lines = [*machine(root), *models(settings, os.environ)]
    titles = ["level", "name", "detail", "cure"]
    show(map(asdict, lines), titles, output=output, empty="")
    return exit_code(lines)


def exit_code(lines: list[Line]) -> int:
    """0 when nothing fails; missing credentials have a code of their own."""
    failed = {line.name for line in lines if line.level is Level.FAIL}
    if _CREDENTIALS in failed:
        return EXIT_CODES[Status.NO_ACCESS]
    return EXIT_CODES[Status.FAILED if failed else Status.DONE]


def machine(root: Path) -> Iterator[Line]:
    """Python, git, ripgrep, the repository and the project's gates."""
    from codeflow.sessions.checkpoints import Checkpoints
    from codeflow.tools.project import detect
    from codeflow.tools.search import find_ripgrep

    yield Line(level=Level.OK, name="python", detail=platform.python_version())
    yield _program(
        "git", program_outside("git", root), f"{_install('git')}: without it there is no diff and no undo"
    )
    yield _program("rg", find_ripgrep(os.environ), f"{_install('ripgrep')}: without it agents cannot search")
    yield from sandbox(root)
    if problem := Checkpoints(root, "doctor").unavailable:
        cure = "until that is mended there are no checkpoints, no diff and no undo"
        yield Line(level=Level.WARN, name="checkpoints", detail=problem, cure=cure)
    else:
        yield Line(level=Level.OK, name="checkpoints", detail=str(state_home() / "checkpoints"))
    yield from gates(detect(root))


def sandbox(root: Path) -> Iterator[Line]:
    """What commands run in, and whether they could change codeflow itself."""
    from codeflow.core.settings import load_settings
    from codeflow.tools.sandbox.choosing import choose

    choice = choose(load_settings(root, env=os.environ).sandbox, root.resolve(), os.environ)
    if choice.missing:
        yield Line(level=Level.WARN, name="sandbox", detail=choice.missing, cure=choice.cure)
    elif choice.weaker:
        cure = f"{choice.weaker}. {choice.cure}".rstrip()
        yield Line(level=Level.WARN, name="sandbox", detail=choice.sandbox.name, cure=cure)
    else:
        yield Line(level=Level.OK, name="sandbox", detail=choice.sandbox.name)
    if choice.itself:
        detail, _, cure = choice.itself.rpartition(". ")
        yield Line(level=Level.WARN, name="installation", detail=detail, cure=cure)


def gates(project: "Project") -> Iterator[Line]:
    """The commands that decide about a change, and what the project asks for and cannot be run."""
    commands = {"tests": project.tests, "lint": project.lint, "types": project.types, "build": project.build}
    if not project.tests and not project.waiting_tests:
        cure = f"name the command in AGENTS.md, or set gates.tests in {config_home() / 'settings.toml'}"
        yield Line(level=Level.WARN, name="tests", detail="no test command found", cure=cure)
    for name, command in commands.items():
        if command:
            yield Line(level=Level.OK, name=name, detail=f"{command} (from {project.sources[name]})")
        for gate, unusable in project.unusable:
            if gate == name:
                yield Line(level=Level.WARN, name=name, detail=unusable.detail, cure=unusable.cure)


def models(settings: "Settings", env: Mapping[str, str]) -> Iterator[Line]:
    """Credentials, region and the models of the roster; those that only take over are no more than a warning."""
    from codeflow.models.doctor import check

    specs, later = roster_models(settings)
    for found in check(settings.models, specs, env):
        trouble = Level.WARN if found.name in later else Level.FAIL
        level = Level.OK if found.ok else trouble
        yield Line(level=level, name=found.name, detail=found.detail, cure=found.cure)


def roster_models(settings: "Settings") -> tuple[list["ModelSpec"], set[str]]:
    """The models of the roster, and the ids of those that only take over from others."""
    from codeflow.models.catalogue import Catalogue
    from codeflow.models.rosters import Roster

    roster = Roster.load(settings.run.roster)
    catalogue = Catalogue.load()
    first = {*settings.models.roles.values(), *(ids[0] for ids in roster.roles.values())}
    later = {model_id for ids in roster.roles.values() for model_id in ids} - first
    return [roster.spec(catalogue, model_id) for model_id in [*sorted(first), *sorted(later)]], later


def _install(package: str) -> str:
    """The command of this system."""
    if sys.platform == "darwin":
        return f"`brew install {package}`"
    return f"`apt install {package}`, `dnf install {package}` or `pacman -S {package}`"


def _program(name: str, path: str | None, cure: str) -> Line:
    if path:
        return Line(level=Level.OK, name=name, detail=path)
    return Line(level=Level.WARN, name=name, detail="not found", cure=cure)
