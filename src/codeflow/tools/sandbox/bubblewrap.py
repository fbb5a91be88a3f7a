"""Commands in namespaces of their own, by bubblewrap."""

import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from codeflow.core.hosts import parse_host
from codeflow.tools.sandbox import loopback
from codeflow.tools.sandbox.ground import Ground
from codeflow.tools.sandbox.port import Confined
from codeflow.tools.sandbox.proxy import Proxy
from codeflow.tools.sandbox.reach import Reach

_NAMESPACES = ("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent")
RESOLVER = Path("/run/systemd/resolve")
"""Where /etc/resolv.conf may lead."""
_PROBE_S = 10


@lru_cache
def problem(program: str) -> str:
    """Why bubblewrap cannot make namespaces here; empty when it can."""
    everything = ("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev")
    probe = [program, *_NAMESPACES, *everything, "--", "/bin/true"]
    try:
        done = subprocess.run(probe, capture_output=True, text=True, timeout=_PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (
        done.stderr.strip().removeprefix("bwrap: ") or f"exit code {done.returncode}"
        if done.returncode
        else ""
    )


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """Namespaces and read-only mounts; Linux only."""

    program: str
    ground: Ground

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
        hosts = [parse_host(text) for text in self.ground.settings.hosts]
        opening = [Path(loopback.__file__)] if hosts else []
        within, protected = self.ground.reach(env, writable=writable, manager=manager, readable=opening)
        clear_links(within)
        if looks:
            return Confined(argv=_arguments(self.program, within.unchangeable(), command, cwd.resolve()))
        proxy = Proxy(hosts) if hosts and not within.network else None
        inner = proxy.opening(command) if proxy else command
        argv = _arguments(self.program, within, inner, cwd.resolve())
        return self.ground.confined(argv, protected, proxy=proxy)


def clear_links(reach: Reach) -> None:
    """Removes the links from the commands' own home that an earlier one put where something is to be mounted."""
    mounted = (*reach.toolchains, *reach.writable, *reach.hidden)
    for path in (path for path in mounted if path.is_relative_to(reach.real_home)):
        place = reach.home / path.relative_to(reach.real_home)
        for part in (*reversed(place.parents[: len(place.parts) - len(reach.home.parts)]), place):
            if part != reach.home and part.is_symlink():
                part.unlink()


def _arguments(program: str, reach: Reach, command: Sequence[str], cwd: Path) -> list[str]:
    """The command line that runs a command within its reach; it dies with the process that starts it."""
    network = ["--share-net"] if reach.network else []
    return [program, *_NAMESPACES, *network, *_mounts(reach), "--chdir", str(cwd), "--", *command]


def _mounts(reach: Reach) -> Iterator[str]:
    yield from _same("--ro-bind", reach.readable)
    yield from ("--proc", "/proc", "--dev", "/dev")
    for empty in ("/tmp", "/var/tmp", "/run"):  # noqa: S108 - mount points
        yield from ("--tmpfs", empty)
    if reach.network and RESOLVER.exists():
        yield from _same("--ro-bind", [RESOLVER])
    yield from ("--bind", str(reach.home), str(reach.real_home))
    if reach.beside:
        yield from ("--tmpfs", str(reach.beside))
    yield from _same("--ro-bind", reach.toolchains)
    yield from _same("--bind", reach.writable)
    # a mount point cannot be moved away with what is protected in it
    yield from _same("--bind", reach.folders_between())
    yield from _same("--ro-bind", reach.protected)
    for path in reach.hidden:
        if path.is_dir():
            yield from ("--tmpfs", str(path), "--remount-ro", str(path))
        else:
            yield from ("--ro-bind", "/dev/null", str(path))
    # what a command writes beside the workspace would be gone with it, and nobody would know
    for outside in filter(None, (Path("/"), reach.beside)):
        yield from ("--remount-ro", str(outside))


def _same(option: str, paths: Sequence[Path]) -> Iterator[str]:
    for path in paths:
        yield from (option, str(path), str(path))
