"""Opens a workspace for the tools of a run, with the sandbox that its commands go into."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from codeflow.core.errors import UsageError
from codeflow.core.settings import Settings
from codeflow.core.trust import is_trusted
from codeflow.core.values import Mode
from codeflow.models.web_search import agentcore_search
from codeflow.tools.borrowed import editable_sources
from codeflow.tools.environment import project_venv
from codeflow.tools.research import Research
from codeflow.tools.sandbox.choosing import Choice, choose
from codeflow.tools.workspace import Workspace


def open_workspace(
    settings: Settings, root: Path, env: Mapping[str, str], mode: Mode, *, home: Path
) -> tuple[Workspace, tuple[str, ...]]:
    """The workspace, and what a person should know about its sandbox; `home` is the folder whose trust applies.

    Raises:
        UsageError: in mode `auto`, where there is no sandbox and nobody has said that none is wanted.
    """
    root = root.resolve()
    choice = choose(settings.sandbox, root, env, readable=list(_lent(root, home, settings)))
    notes = (*_notes(settings, choice, mode), *_unreadable(root, home, choice))
    workspace = Workspace(
        root,
        settings.tools,
        env,
        tests=settings.gates.tests,
        tests_timeout_s=settings.gates.timeout_s,
        research=Research.configured(
            settings.research,
            env,
            agentcore_search(settings.models, settings.research.endpoints.agentcore),
        ),
        trusted=is_trusted(home, settings.trusted_folders),
        sandbox=choice.sandbox,
    )
    return workspace, notes


def _lent(root: Path, home: Path, settings: Settings) -> Iterator[Path]:
    """The installed packages of the user's folder that a worktree of it has links to."""
    if root == home.resolve():
        return
    for folder, folders, _ in os.walk(root):
        for name in set(folders) & set(settings.worktrees.linked):
            yield home.resolve() / Path(folder, name).relative_to(root)
        folders[:] = [name for name in folders if name not in {".git", *settings.worktrees.linked}]


def _notes(settings: Settings, choice: Choice, mode: Mode) -> list[str]:
    if not choice.missing:
        weaker = f"{choice.weaker}. {choice.cure}".rstrip() if choice.weaker and mode is Mode.AUTO else ""
        return [note for note in (weaker, choice.itself) if note]
    if settings.sandbox.backend == "off":
        if mode is Mode.AUTO:
            return ["NO SANDBOX, and no questions: every command has all of your rights"]
        return ["no sandbox: commands have all of your rights"]
    if mode is Mode.AUTO:
        raise UsageError(
            f"mode auto asks nothing, and there is no sandbox to run commands in: {choice.missing}",
            hint=f"{choice.cure} Or choose --mode edit, or --no-sandbox to run them with all of your rights.",
        )
    return [f"no sandbox, commands have all of your rights: {choice.missing}. {choice.cure}"]


def _unreadable(root: Path, home: Path, choice: Choice) -> Iterator[str]:
    """Packages of the project's environment that are imported from folders which commands do not see."""
    venv = project_venv(root)
    if choice.missing or venv is None:
        return
    sources = {path for path in editable_sources(venv) if path.exists()}
    shown = (root, home.resolve(), *choice.readable)
    if outside := sorted(str(path) for path in sources if not any(path.is_relative_to(one) for one in shown)):
        yield (
            f"the environment imports packages from {', '.join(outside)}, which commands in the sandbox cannot read; "
            "sandbox.readable in your own settings shows folders to them"
        )
