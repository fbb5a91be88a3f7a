"""The environment of commands: the user's own, without credentials and without codeflow's traces."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from codeflow.core.secrets import is_secret_variable
from codeflow.tools.borrowed import borrowed_environment, lender_of

_NOT_FOR_COMMANDS = re.compile(
    r"^(CODEFLOW_.*|PYTHONPATH|PYTHONHOME|GIT_(?!(AUTHOR|COMMITTER)_(NAME|EMAIL)$).*)$"
)
_FIXED = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "GIT_EDITOR": "true",  # nobody is there to close an editor
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "NO_COLOR": "1",
    "PAGER": "cat",
    "PYTHONDONTWRITEBYTECODE": "1",  # gates leave no files behind
    "TERM": "dumb",
}


def scrubbed_environment(env: Mapping[str, str], root: Path) -> dict[str, str]:
    """What a command in `root` gets to see of `env`.

    Left out: everything named or shaped like a credential, codeflow's own variables and virtual environment, and what
    points Python or git elsewhere. The AWS SDKs find no credential files. The project's virtual environment comes
    first on PATH. This keeps secrets out of reach of accidents; it is no sandbox, files stay readable.
    """
    kept = {
        name: value
        for name, value in env.items()
        if not is_secret_variable(name, value) and not _NOT_FOR_COMMANDS.match(name)
    }
    own = Path(sys.prefix)
    if kept.get("VIRTUAL_ENV") and Path(kept["VIRTUAL_ENV"]) == own:
        del kept["VIRTUAL_ENV"]
    own_scripts = own / "bin" if sys.prefix != sys.base_prefix else None
    path = [entry for entry in kept.get("PATH", os.defpath).split(os.pathsep) if Path(entry) != own_scripts]
    if project := project_venv(root):
        kept["VIRTUAL_ENV"] = str(project)
        path.insert(0, str(project / "bin"))
        kept |= borrowed_environment(project)
    return kept | {"PATH": os.pathsep.join(path)} | _FIXED


def reading_environment(env: Mapping[str, str], root: Path) -> dict[str, str]:
    """For programs that only look at `root`: as `scrubbed_environment`, but they do not come from there."""
    scrubbed = scrubbed_environment(env, root)
    entries = (Path(entry) for entry in scrubbed["PATH"].split(os.pathsep))
    venv = project_venv(root)
    own = [root.resolve(), *([lender] if venv and (lender := lender_of(venv)) else [])]
    outside = [
        str(entry)
        for entry in entries
        if entry.is_absolute() and not any(entry.resolve().is_relative_to(folder) for folder in own)
    ]
    return scrubbed | {"PATH": os.pathsep.join(outside)}


def project_venv(root: Path) -> Path | None:
    """The project's own virtual environment, where it keeps one in its folder."""
    return next((root / name for name in (".venv", "venv") if (root / name / "bin/python").exists()), None)
