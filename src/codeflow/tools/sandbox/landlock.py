"""Commands without namespaces, where bubblewrap cannot make any: Landlock and seccomp, which ask for no rights.

That is weaker: nothing is hidden but contents, nothing in the workspace is read-only, and no network is left inside.
"""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from codeflow.core.places import private_folder
from codeflow.tools.sandbox import restricted
from codeflow.tools.sandbox.bubblewrap import RESOLVER
from codeflow.tools.sandbox.ground import Ground
from codeflow.tools.sandbox.originals import copied
from codeflow.tools.sandbox.port import Confined
from codeflow.tools.sandbox.reach import Reach

WEAKER = (
    "Landlock holds commands, which is weaker than bubblewrap: they see names, modes and command lines elsewhere, can "
    "change modes there, and protected files are put back only afterwards; they have no network of their own, no Unix "
    "sockets and no /tmp, and sandbox.hosts is not obeyed"
)
_PROBE_S = 10
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the kernel's name
_OF_THE_USER = (
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS",
)  # fmt: skip
"""Variables that lead past the commands' own home."""


@lru_cache
def problem() -> str:
    """Why commands cannot be held here; empty when they can."""
    abi = restricted.abi()
    if abi < restricted.LEAST_ABI:
        return "it is of Linux 6.12" if abi else "this kernel has it not, or it is switched off"
    try:
        probe = _arguments([("readable", "/")], ["/bin/true"])
        done = subprocess.run(probe, capture_output=True, text=True, timeout=_PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr.strip() or f"exit code {done.returncode}") if done.returncode else ""


@dataclass(frozen=True, slots=True)
class Landlock:
    """A ruleset of paths, a filter of system calls, and copies of what is protected; Linux only."""

    ground: Ground

    @property
    def name(self) -> str:
        return "landlock"

    def confine(
        self,
        command: Sequence[str],
        *,
        cwd: Path,  # noqa: ARG002 - the port's; a restricted program stays where it is started
        env: Mapping[str, str],
        writable: Iterable[Path] = (),
        manager: str = "",
        looks: bool = False,
    ) -> Confined:
        within, protected = self.ground.reach(env, writable=writable, manager=manager)
        _link(within)
        if looks:
            scratch = private_folder(self.ground.private / "looking")
            return Confined(argv=_arguments(_rights(within.unchangeable(), scratch), command))
        place = private_folder(self.ground.private / "commands" / uuid.uuid4().hex)
        scratch, originals = place / "tmp", place / "originals"
        for folder in (scratch, originals):
            folder.mkdir(mode=0o700)
        return self.ground.confined(
            _arguments(_rights(within, scratch), command),
            protected,
            copies=copied(protected.real, within.writable, originals),
            clean=partial(_remove, place),
        )


def _arguments(rights: Iterable[tuple[str, str]], command: Sequence[str]) -> list[str]:
    words = (word for right in rights for word in right)
    return [sys.executable, "-IS", restricted.__file__, *words, "--", *command]


def _rights(within: Reach, scratch: Path) -> Iterator[tuple[str, str]]:
    """What `restricted` takes; `scratch` is the command's own temporary folder."""
    hidden = {str(path) for path in within.hidden}
    above = {str(folder) for path in within.hidden for folder in path.parents}
    for path in (*within.readable, *within.toolchains, Path("/proc")):
        yield from _shown(str(path), hidden, above)
    if within.network and RESOLVER.exists():
        yield "readable", str(RESOLVER)
    for path in (
        *within.writable,
        within.home,
        scratch,
        *_shared_memory(),
    ):
        yield "writable", str(path)
    yield from (("device", path) for path in _DEVICES)
    yield "network", "internet" if within.network else "nothing"
    yield "set", f"HOME={within.home}"
    yield from (("set", f"{name}={scratch}") for name in ("TMPDIR", "TMP", "TEMP"))
    yield from (("unset", name) for name in _OF_THE_USER)


def _shown(path: str, hidden: set[str], above: set[str]) -> Iterator[tuple[str, str]]:
    """A path that can be read. A rule holds for all below a folder, so one with hidden files in it is only listed."""
    if path in hidden:
        return
    if path not in above:
        yield "readable", path
        return
    yield "listed", path
    for entry in os.scandir(path):
        if not entry.is_symlink():  # where it leads is allowed there, or not at all
            yield from _shown(entry.path, hidden, above)


def _shared_memory() -> list[Path]:
    """The machine's, where others keep none in it that the user could open."""
    if not _SHARED_MEMORY.is_dir():
        return []
    taken = any(os.access(path, os.R_OK) or os.access(path, os.W_OK) for path in _SHARED_MEMORY.iterdir())
    return [] if taken else [_SHARED_MEMORY]


def _link(within: Reach) -> None:
    """Gives the commands' home links to what they reach in the user's, as bubblewrap has it mounted there."""
    for path in (*within.toolchains, *within.writable):
        if not path.is_relative_to(within.real_home) or path == within.real_home:
            continue
        place = within.home / path.relative_to(within.real_home)
        if place.is_symlink() and place.readlink() == path:
            continue
        between = place.parents[: len(place.parts) - len(within.home.parts) - 1]
        for part in (*reversed(between), place):
            if part.is_symlink() or (part != place and part.is_file()):
                part.unlink()
        place.parent.mkdir(parents=True, exist_ok=True)
        if _is_empty(place):
            place.rmdir() if place.is_dir() else place.unlink()
        if not place.exists():
            place.symlink_to(path)


def _is_empty(path: Path) -> bool:
    """Whether it is there and holds nothing."""
    if path.is_dir():
        return not any(path.iterdir())
    return path.exists() and path.stat().st_size == 0


def _remove(folder: Path) -> None:
    """Removes a command's own folder, whatever modes it gave to what is in it."""
    for inner, names, _ in os.walk(folder):
        for path in (Path(inner, name) for name in names):
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder)
