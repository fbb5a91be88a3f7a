"""Which sandbox this machine has, found out by trying it."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from codeflow.core.hosts import parse_host
from codeflow.core.places import cache_home, config_home, private_folder, state_home
from codeflow.core.settings import SandboxSettings
from codeflow.tools.environment import path_outside
from codeflow.tools.sandbox import bubblewrap, journal, loopback
from codeflow.tools.sandbox.port import Confined, Sandbox, Unconfined
from codeflow.tools.sandbox.proxy import Proxy
from codeflow.tools.sandbox.reach import Reach, make_caches, reach
from codeflow.tools.sandbox.watch import Watch, head_positions

_PROBE_S = 10
_READ_ONLY = (
    "in the sandbox only the workspace can be changed, and in it not what others run or obey later: .git/config and "
    ".git/hooks, CI files, the settings of editors, shells and agents; where such a change is needed, ask the user for it"
)
_APPARMOR = "On Ubuntu 24.04 and later, allow bwrap to use user namespaces by an AppArmor profile, or use --no-sandbox."


@dataclass(frozen=True, slots=True)
class Choice:
    """The sandbox of a workspace. `missing` says why there is none, or is empty."""

    sandbox: Sandbox
    missing: str = ""
    cure: str = ""
    readable: tuple[Path, ...] = ()
    """What the settings and codeflow show to commands besides."""


def choose(
    settings: SandboxSettings, workspace: Path, env: Mapping[str, str], *, readable: Sequence[Path] = ()
) -> Choice:
    """The sandbox that the settings name, or the best that works here; `readable` are further folders to be shown."""
    if settings.backend == "off":
        return Choice(Unconfined(), "it is switched off", "Leave --no-sandbox out, or set sandbox.backend.")
    if sys.platform != "linux":
        return Choice(Unconfined(), f"there is none yet for {sys.platform}", "Work in a container.")
    program = shutil.which("bwrap", path=path_outside(env.get("PATH", os.defpath), [workspace]))
    if program is None:
        return Choice(
            Unconfined(),
            "bubblewrap is not installed",
            "Install it: `apt install bubblewrap`, `dnf install bubblewrap` or `pacman -S bubblewrap`.",
        )
    if problem := _tried(program):
        return Choice(Unconfined(), f"bubblewrap does not work here: {problem}", _APPARMOR)
    shown = (*map(_expanded, settings.readable), *readable)
    sandbox = Bubblewrap(
        program=program,
        git=shutil.which("git", path=path_outside(env.get("PATH", os.defpath), [workspace])),
        settings=settings,
        workspace=workspace,
        private=private_place(cache_home(env), workspace),
        kept=private_place(state_home(env), workspace),
        own_folders=_own(env),
        readable=shown,
    )
    return Choice(sandbox, readable=shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubblewrap:
    """Namespaces and read-only mounts; Linux only."""

    program: str
    git: str | None
    settings: SandboxSettings
    workspace: Path
    private: Path
    """Of codeflow's, for this workspace: holds the commands' home folder, can be deleted."""
    kept: Path
    """Likewise: what was put aside, and the journals."""
    own_folders: Sequence[Path]
    readable: Sequence[Path]

    @property
    def name(self) -> str:
        return "bubblewrap"

    def confine(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        writable: Iterable[Path] = (),
        manager: str = "",
        looks: bool = False,
    ) -> Confined:
        hosts = [parse_host(text) for text in self.settings.hosts]
        home = self.private / "home"
        private_folder(home)
        make_caches(manager, env)
        within, protected = reach(
            self.workspace,
            env,
            private_home=home,
            own_folders=self.own_folders,
            readable=[*self.readable, *([Path(loopback.__file__)] if hosts else [])],
            writable=map(_expanded, self.settings.writable),
            reports=(path.resolve() for path in writable),
            network=self.settings.network,
            manager=manager,
            git=self.git,
        )
        _clear(within)
        if looks:
            return Confined(
                argv=bubblewrap.arguments(self.program, within.unchangeable(), command, cwd.resolve())
            )
        proxy = Proxy(hosts) if hosts and not within.network else None
        watch = Watch(protected, self.kept / "aside", self.git, head_positions(protected))
        held = journal.begin(self.kept / "journals", watch)

        def ended() -> Sequence[str]:
            try:
                return watch.put_aside()
            finally:
                held.close()

        inner = proxy.opening(command) if proxy else command
        return Confined(
            argv=bubblewrap.arguments(self.program, within, inner, cwd.resolve()),
            proxy=proxy,
            ended=ended,
            journal=held.path,
            hint=_READ_ONLY,
            processes=self.settings.max_processes,
            file_bytes=self.settings.max_file_mb * 1_000_000,
        )


def _clear(reach: Reach) -> None:
    """Removes the links from the commands' own home that an earlier one put where something is to be mounted."""
    mounted = (*reach.toolchains, *reach.writable, *reach.hidden)
    for path in (path for path in mounted if path.is_relative_to(reach.real_home)):
        place = reach.home / path.relative_to(reach.real_home)
        for part in (*reversed(place.parents[: len(place.parts) - len(reach.home.parts)]), place):
            if part != reach.home and part.is_symlink():
                part.unlink()


@lru_cache
def _tried(program: str) -> str:
    """Why bubblewrap cannot make namespaces here; empty when it can."""
    everything = ("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev")
    probe = [program, *bubblewrap.NAMESPACES, *everything, "--", "/bin/true"]
    try:
        done = subprocess.run(probe, capture_output=True, text=True, timeout=_PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (
        done.stderr.strip().removeprefix("bwrap: ") or f"exit code {done.returncode}"
        if done.returncode
        else ""
    )


def private_place(home: Path, workspace: Path) -> Path:
    """The folder in one of codeflow's own that belongs to a workspace."""
    digest = hashlib.sha256(os.fsencode(workspace)).hexdigest()[:16]
    return home.resolve() / "sandbox" / digest


def told_late(workspace: Path, env: Mapping[str, str] = os.environ) -> Sequence[str]:
    """What a person should know of commands there that outlived codeflow; each is told once."""
    return tuple(journal.told_late(private_place(state_home(env), workspace.resolve()) / "journals"))


def _own(env: Mapping[str, str]) -> Sequence[Path]:
    return [folder.resolve() for folder in (state_home(env), config_home(env), cache_home(env))]


def _expanded(text: str) -> Path:
    return Path(text).expanduser().resolve()
