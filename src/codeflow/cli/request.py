"""From flags to the settings in force and the task, with every name checked before anything is done."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeflow.core.errors import UsageError
from codeflow.core.settings import Settings, load_settings
from codeflow.core.trust import is_trusted
from codeflow.core.values import Complexity, Limits, Mode, Pattern, Plan, Task

if TYPE_CHECKING:
    from codeflow.orchestration.workflows.loading import Shelf
    from codeflow.sessions.log import SessionStore

_AGES = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a person decided with flags; None leaves it to the settings or to the engine."""

    mode: Mode | None = None
    pattern: Pattern | None = None
    complexity: Complexity | None = None
    agent: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    roster: str | None = None
    max_cost: str | None = None
    max_tokens: str | None = None
    """A number, or "none"; as is `max_cost`."""
    max_turns: int | None = None
    timeout_s: float | None = None
    endpoint_url: str | None = None
    """Where every model call goes; the AWS profile and region of the settings do not count then."""
    dry_run: bool = False
    no_sandbox: bool = False
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    """Rules for the session."""
    workflow: str | None = None
    inputs: tuple[str, ...] = ()
    """Those of the workflow, KEY=VALUE."""


def prepare(text: str, workspace: Path, choices: Choices) -> tuple[Settings, Task]:
    """The settings and the task of a run.

    Raises:
        UsageError: for an unusable setting, or an unknown agent, role, model or roster, offering the nearest names.
    """
    settings = load_settings(workspace, env=os.environ, flags=_flags(choices))
    _check_names(settings, workspace, choices.agent)
    run = settings.run
    task = Task(
        text=text,
        workspace=workspace,
        mode=run.mode,
        pattern=choices.pattern,
        complexity=choices.complexity,
        agent=choices.agent,
        models=settings.models.roles,
        limits=Limits(
            max_cost=run.max_cost,
            max_tokens=run.max_tokens,
            max_turns=run.max_turns,
            timeout_s=run.timeout_s,
        ),
        dry_run=choices.dry_run,
        allow=choices.allow,
        deny=choices.deny,
        no_sandbox=choices.no_sandbox,
    )
    if choices.workflow is not None:
        task = by_workflow(task, settings, choices.workflow, dict(map(_pair, choices.inputs)))
    return settings, task


def given_plan(path: Path, workspace: Path) -> tuple[str, Plan]:
    """The task and the plan of a file, for a workspace.

    Raises:
        UsageError: naming the line that cannot be used.
    """
    from codeflow.agents.specialists import coders, load_specialists
    from codeflow.orchestration.plan_files import read_plan

    return read_plan(path, workspace=workspace, specialists=coders(load_specialists(workspace)))


def by_workflow(task: Task, settings: Settings, name: str, inputs: Mapping[str, str]) -> Task:
    """The task, to be done by a workflow within that one's limits.

    Raises:
        UsageError: for a workflow or an input that there is not, or naming the line of the file that is wrong.
    """
    from codeflow.orchestration.workflows.loading import given
    from codeflow.orchestration.workflows.terms import within

    loaded = workflow_shelf(task.workspace, settings).load(name)
    return replace(task, workflow=given(loaded, inputs), limits=within(task.limits, loaded.form))


def workflow_shelf(workspace: Path, settings: Settings) -> "Shelf":
    """The workflows that can be named in a workspace."""
    from codeflow.agents.specialists import load_specialists
    from codeflow.orchestration.workflows.loading import Shelf, find_workflows
    from codeflow.tools.registry import TOOLS

    trusted = is_trusted(workspace, settings.trusted_folders)
    return Shelf(
        paths=find_workflows(workspace, trusted=trusted), agents=load_specialists(workspace), tools=TOOLS
    )


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise UsageError(f"--input {text}: not of the form KEY=VALUE", hint="For example --input rounds=3.")
    return key, value


def existing_folder(folder: Path | None) -> Path:
    """The absolute path of a workspace; None is the current folder.

    Raises:
        UsageError: when it is not a folder that can be entered.
    """
    try:
        resolved = (folder or Path.cwd()).resolve()
    except OSError as error:
        raise UsageError("the current folder no longer exists", hint="Change to one that does.") from error
    if not resolved.is_dir():
        problem = "not a folder" if resolved.exists() else "no such folder"
        raise UsageError(f"{folder}: {problem}", hint="--workspace takes the folder to work in.")
    if not os.access(resolved, os.R_OK | os.X_OK):
        raise UsageError(f"{resolved}: may not be entered", hint="Check the folder's permissions.")
    return resolved


def open_store(workspace: Path | None) -> "tuple[SessionStore, Path]":
    """The sessions as the settings of a folder, by default the current one, keep them; and the folder.

    Raises:
        UsageError: when it is no folder, or its settings are wrong.
    """
    from codeflow.sessions.opening import open_sessions

    root = existing_folder(workspace)
    return open_sessions(load_settings(root, env=os.environ), os.environ), root


def age(text: str, flag: str = "--older-than") -> timedelta:
    """What a flag such as --older-than says: a number of hours, days or weeks.

    Raises:
        UsageError: when it is something else.
    """
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit() and unit in _AGES) or len(number) > len("99999"):
        raise UsageError(f"{flag} {text}: not an age", hint="For example 30d, 12h or 8w.")
    return int(number) * _AGES[unit]


def moment(text: str, flag: str, *, is_end: bool = False) -> datetime:
    """The aware time that a flag such as --since says: a day, today, an age, or a number of days ago.

    A day without a time of day is one of the local time zone: it begins there, or where it `is_end`, ends there.

    Raises:
        UsageError: when it is something else.
    """
    now = datetime.now().astimezone()
    is_number = text.isascii() and text.isdigit() and len(text) <= len("99999")
    said = f"{text}d" if is_number else now.date().isoformat() if text == "today" else text
    try:
        if said[-1:] in _AGES:
            return now - age(said, flag)
        found = datetime.fromisoformat(said)
        if is_end and len(said) <= len("2026-11-01"):
            found += timedelta(days=1)
        return found.astimezone()
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{flag} {text}: not a time", hint="For example 2026-11-01, today, 30d or 12h."
        ) from error


def role_models(pairs: Iterable[str]) -> dict[str, str]:
    """The ROLE=ID pairs of --model as a mapping.

    Raises:
        UsageError: for a pair without a role or an id.
    """
    models: dict[str, str] = {}
    for pair in pairs:
        role, equals, model = (part.strip() for part in pair.partition("="))
        if not (role and equals and model):
            raise UsageError(
                f"--model {pair}: not of the form ROLE=ID",
                hint="For example --model reviewer=amazon.nova-pro-v1:0.",
            )
        models[role] = model
    return models


def _flags(choices: Choices) -> dict[str, Any]:
    run = {
        "mode": choices.mode,
        "roster": choices.roster,
        "max_cost": choices.max_cost,
        "max_tokens": choices.max_tokens,
        "max_turns": choices.max_turns,
        "timeout_s": choices.timeout_s,
    }
    models: dict[str, Any] = {"roles": dict(choices.models)}
    if choices.endpoint_url:
        models |= {"endpoint_url": choices.endpoint_url, "profile": "", "region": ""}
    flags = {"run": {key: value for key, value in run.items() if value is not None}, "models": models}
    return flags | ({"sandbox": {"backend": "off"}} if choices.no_sandbox else {})


def _check_names(settings: Settings, workspace: Path, agent: str | None) -> None:
    from codeflow.agents.specialists import load_specialists, require
    from codeflow.models.catalogue import Catalogue
    from codeflow.models.rosters import Roster

    roster = Roster.load(settings.run.roster)
    catalogue = Catalogue.load()
    for role, model in settings.models.roles.items():
        roster.candidates(role)
        roster.spec(catalogue, model)
    if agent:
        require(load_specialists(workspace), agent)
