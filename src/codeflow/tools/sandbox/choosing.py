"""Which sandbox this machine has, found out by trying it."""

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.places import cache_home, config_home, state_home
from codeflow.core.programs import path_outside
from codeflow.core.settings import SandboxSettings, listed_folders
from codeflow.core.trust import TrustedFolders
from codeflow.tools.sandbox import bubblewrap, container, journal, landlock
from codeflow.tools.sandbox.bubblewrap import Bubblewrap
from codeflow.tools.sandbox.container import Container
from codeflow.tools.sandbox.ground import Ground, expanded
from codeflow.tools.sandbox.installation import told
from codeflow.tools.sandbox.landlock import Landlock
from codeflow.tools.sandbox.port import Sandbox, Unconfined

_INSTALL = "Install it: `apt install bubblewrap`, `dnf install bubblewrap` or `pacman -S bubblewrap`."
_APPARMOR = "On Ubuntu 24.04 and later, allow bwrap to use user namespaces by an AppArmor profile, or use --no-sandbox."


@dataclass(frozen=True, slots=True)
class Choice:
    """The sandbox of a workspace. `missing` says why there is none, or is empty."""

    sandbox: Sandbox
    missing: str = ""
    cure: str = ""
    """What gives it one, or a stronger one."""
    weaker: str = ""
    """In what it is weaker than it could be; empty where it is not."""
    readable: tuple[Path, ...] = ()
    """What the settings and codeflow show to commands besides."""
    itself: str = ""
    """What a person should know where codeflow itself stands in a folder that commands change; empty elsewhere."""


def choose(
    settings: SandboxSettings, workspace: Path, env: Mapping[str, str], *, readable: Sequence[Path] = ()
) -> Choice:
    """The sandbox that the settings name, or the best that works here; `readable` are further folders to be shown."""
    if settings.backend == "off":
        return Choice(Unconfined(), "it is switched off", "Leave --no-sandbox out, or set sandbox.backend.")
    if sys.platform != "linux":
        return Choice(Unconfined(), f"there is none yet for {sys.platform}", "Work in a container.")
    path = path_outside(env.get("PATH", os.defpath), [workspace])
    program = shutil.which("bwrap", path=path)
    shown = (*map(expanded, settings.readable), *readable)
    ground = Ground(
        git=shutil.which("git", path=path),
        settings=settings,
        workspace=workspace,
        private=private_place(cache_home(env), workspace),
        kept=private_place(state_home(env), workspace),
        own_folders=_own(env),
        readable=shown,
        trusted=[expanded(folder) for folder in (*listed_folders(env), *TrustedFolders(env).since())],
    )
    if settings.backend == "docker":
        return _container(ground, path)
    missing, cure = _without_bubblewrap(program)
    if program and not missing and settings.backend != "landlock":
        return Choice(Bubblewrap(program, ground), readable=shown, itself=told(ground.roots))
    if settings.backend == "bubblewrap":
        return Choice(Unconfined(), missing, cure)
    if problem := landlock.problem() or ground.uncovered(env):
        reasons = (missing, f"Landlock does not do instead: {problem}")
        return Choice(Unconfined(), ", and ".join(filter(None, reasons)), cure)
    why = f"{landlock.WEAKER}{f' ({missing})' if missing else ''}"
    return Choice(Landlock(ground), cure=cure, readable=shown, weaker=why, itself=told(ground.roots))


def _container(ground: Ground, path: str) -> Choice:
    program, problem = container.find(path)
    if problem:
        return Choice(Unconfined(), f"no container runs here: {problem}", "Start Docker, or install Podman.")
    unobeyed = "commands in containers reach none of sandbox.hosts" if ground.settings.hosts else ""
    return Choice(
        Container(program, ground),
        readable=tuple(ground.readable),
        weaker=unobeyed,
        itself=told(ground.roots),
    )


def _without_bubblewrap(program: str | None) -> tuple[str, str]:
    """Why it cannot be used, and what to do about that; both empty where it can."""
    if program is None:
        return "bubblewrap is not installed", _INSTALL
    problem = bubblewrap.problem(program)
    return (f"bubblewrap does not work here: {problem}", _APPARMOR) if problem else ("", "")


def private_place(home: Path, workspace: Path) -> Path:
    """The folder in one of codeflow's own that belongs to a workspace."""
    digest = hashlib.sha256(os.fsencode(workspace)).hexdigest()[:16]
    return home.resolve() / "sandbox" / digest


def told_late(workspace: Path, env: Mapping[str, str] = os.environ) -> Sequence[str]:
    """What a person should know of commands there that outlived codeflow; each is told once."""
    return tuple(journal.told_late(private_place(state_home(env), workspace.resolve()) / "journals"))


def _own(env: Mapping[str, str]) -> Sequence[Path]:
    return [folder.resolve() for folder in (state_home(env), config_home(env), cache_home(env))]
