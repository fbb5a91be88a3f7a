"""`codeflow trust`: which folders' own settings, allow rules and programs count."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from codeflow.cli.listing import ListOutput, show
from codeflow.cli.render.clean import one_line
from codeflow.core.errors import UsageError


def trust(
    folder: Annotated[
        str | None, typer.Argument(help="Default: this folder; `list` shows the trusted ones.")
    ] = None,
    *,
    revoke: Annotated[bool, typer.Option("--revoke", help="Trust it no longer.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    output: Annotated[ListOutput, typer.Option(help="How to print the list.")] = ListOutput.TEXT,
) -> None:
    """Let the files of a folder count.

    Its own settings, allow rules, agents and language servers do so only when you trust it; what that switches on is
    shown first.
    """
    from codeflow.cli.request import existing_folder

    if folder == "list":
        _list(output)
        return
    place = existing_folder(Path(folder) if folder else None)
    if revoke:
        _revoke(place)
    else:
        _trust(place, yes=yes)


def _list(output: ListOutput) -> None:
    from codeflow.core.places import config_home
    from codeflow.core.settings import listed_folders
    from codeflow.core.trust import TrustedFolders

    settings = config_home() / "settings.toml"
    added = TrustedFolders()
    rows: list[dict[str, Any]] = [
        {"folder": one_line(listed), "since": None, "from": str(settings)} for listed in listed_folders()
    ]
    rows += [
        {"folder": one_line(path), "since": since, "from": str(added.path)}
        for path, since in added.since().items()
    ]
    show(rows, ["folder", "since", "from"], output=output, empty="no folder is trusted")


def _trust(folder: Path, *, yes: bool) -> None:
    from codeflow.app.trusting import switched_on
    from codeflow.core.trust import TrustedFolders

    if _is_listed(folder) or str(folder) in TrustedFolders().since():
        print(f"{one_line(str(folder))} is trusted already.")
        return
    found = list(switched_on(folder, os.environ))
    print(
        f"Trusting {one_line(str(folder))} switches on, now and whenever its files change:", file=sys.stderr
    )
    for line in found or ["nothing at present"]:
        print(f"  {one_line(line)}", file=sys.stderr)
    if not yes:
        _confirm("Trust it?")
    TrustedFolders().add(folder)
    print(f"{one_line(str(folder))} is trusted; `codeflow trust --revoke` ends that.")


def _revoke(folder: Path) -> None:
    from codeflow.core.places import config_home
    from codeflow.core.trust import TrustedFolders

    known = TrustedFolders().remove(folder)
    if _is_listed(folder):
        raise UsageError(
            f"{folder}: it stands under trusted_folders in {config_home() / 'settings.toml'}",
            hint="That file is yours: remove the line there.",
        )
    if not known:
        raise UsageError(
            f"{folder}: is not trusted", hint="`codeflow trust list` shows the folders that are."
        )
    print(f"{one_line(str(folder))} is no longer trusted.")


def _is_listed(folder: Path) -> bool:
    from codeflow.core.settings import listed_folders

    return any(Path(listed).expanduser().resolve() == folder for listed in listed_folders())


def _confirm(question: str) -> None:
    from codeflow.cli.approval import can_ask

    if not can_ask():
        raise UsageError("nobody is here to be asked", hint="Give --yes to trust it.")
    typer.confirm(question, abort=True, err=True)
