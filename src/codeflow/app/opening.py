"""Opens a workspace for the tools of a run, with the sandbox that its commands go into."""

from collections.abc import Mapping
from pathlib import Path

from codeflow.app.lineup import is_trusted
from codeflow.core.errors import UsageError
from codeflow.core.settings import Settings
from codeflow.core.values import Mode
from codeflow.models.web_search import agentcore_search
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
    choice = choose(settings.sandbox, root.resolve(), env)
    notes = tuple(_notes(settings, choice, mode))
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
        trusted=is_trusted(home, settings),
        sandbox=choice.sandbox,
    )
    return workspace, notes


def _notes(settings: Settings, choice: Choice, mode: Mode) -> list[str]:
    if not choice.missing:
        return []
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
