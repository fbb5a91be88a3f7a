"""Commands in namespaces of their own, by bubblewrap."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from codeflow.tools.sandbox.reach import Reach

NAMESPACES = ("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent")
_RESOLVER = Path("/run/systemd/resolve")
"""Where /etc/resolv.conf may lead."""


def arguments(program: str, reach: Reach, command: Sequence[str], cwd: Path) -> list[str]:
    """The command line that runs a command within its reach; it dies with the process that starts it."""
    network = ["--share-net"] if reach.network else []
    return [program, *NAMESPACES, *network, *_mounts(reach), "--chdir", str(cwd), "--", *command]


def _mounts(reach: Reach) -> Iterator[str]:
    yield from _same("--ro-bind", reach.readable)
    yield from ("--proc", "/proc", "--dev", "/dev")
    for empty in ("/tmp", "/var/tmp", "/run"):  # noqa: S108 - mount points
        yield from ("--tmpfs", empty)
    if reach.network and _RESOLVER.exists():
        yield from _same("--ro-bind", [_RESOLVER])
    yield from ("--bind", str(reach.home), str(reach.real_home))
    if reach.beside:
        yield from ("--tmpfs", str(reach.beside))
    yield from _same("--ro-bind", reach.toolchains)
    yield from _same("--bind", reach.writable)
    # a mount point cannot be moved away with what is protected in it
    yield from _same("--bind", _folders_between(reach))
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


def _folders_between(reach: Reach) -> list[Path]:
    """The folders between a writable one and what is protected in it, outer ones first."""
    roots = {*reach.writable}
    return sorted(
        {
            folder
            for path in reach.protected
            for folder in path.parents
            if folder not in roots and any(folder.is_relative_to(root) for root in roots)
        }
    )
