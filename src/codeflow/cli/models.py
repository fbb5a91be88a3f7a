"""`codeflow models`: what is known about each model, and which role uses it."""

import os
from collections import defaultdict
from typing import Annotated

import typer

from codeflow.cli import completing
from codeflow.cli.listing import ListOutput, show


def models(
    roster: Annotated[
        str | None, typer.Option(help="Another roster than the settings'.", autocompletion=completing.rosters)
    ] = None,
    output: Annotated[ListOutput, typer.Option(help="How to print the list.")] = ListOutput.TEXT,
) -> None:
    """List the known models.

    Prices are US dollars per million tokens; roles are those of the roster.
    """
    from codeflow.cli.request import existing_folder
    from codeflow.core.settings import load_settings
    from codeflow.models.catalogue import Catalogue
    from codeflow.models.rosters import Roster

    flags = {"run": {"roster": roster}} if roster else {}
    settings = load_settings(existing_folder(None), env=os.environ, flags=flags)
    chosen = Roster.load(settings.run.roster)
    catalogue = Catalogue.load()
    roles: dict[str, list[str]] = defaultdict(list)
    for role, ids in chosen.roles.items():
        for position, model_id in enumerate(ids):
            roles[model_id].append(role if position == 0 else f"({role})")
    known = [
        model_id
        for model_id in (spec.preferred_id for spec in catalogue.models.values())
        if model_id not in roles
    ]
    specs = [chosen.spec(catalogue, model_id) for model_id in [*roles, *known]]
    rows = [
        {
            "model": spec.address,
            "name": spec.name,
            "in": spec.price and str(spec.price.input),
            "out": spec.price and str(spec.price.output),
            "context": spec.context,
            "ends": spec.end_of_life and spec.end_of_life.isoformat(),
            "roles": roles.get(spec.address, []),
        }
        for spec in specs
    ]
    titles = ["model", ">in", ">out", ">context", "ends", "roles"]
    show(rows, titles, output=output, empty="the catalogue is empty")
    if output is ListOutput.TEXT:
        print(f"\nRoster {chosen.name}; (role) takes over when the first choice cannot answer.")
