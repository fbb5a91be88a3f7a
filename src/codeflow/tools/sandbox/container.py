"""Commands in a container of Docker's or Podman's, where the user chose that.

What they reach is what they reach with bubblewrap, at the same paths, mounted into an image with nothing in it. So nothing
is downloaded, and the programs are this machine's.
"""

import os
import resource
import shutil
import subprocess
import tarfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path

from codeflow.core.errors import UsageError
from codeflow.core.places import private_folder
from codeflow.tools.memory import half_of_memory
from codeflow.tools.sandbox.bubblewrap import clear_links
from codeflow.tools.sandbox.ground import Ground
from codeflow.tools.sandbox.port import Confined
from codeflow.tools.sandbox.reach import Reach

_PROGRAMS = ("docker", "podman")
_IMAGE = "codeflow-empty"
_PROBE_S = 60
_FOR_ALL = (
    "--rm", "--pull", "never", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
    "--security-opt", "label=disable",
)  # fmt: skip
_SYSTEM = ("/usr", "/bin", "/lib", "/lib64")
_MOST = 20_000
"""Of processes and open files: the defaults of Podman are more than it may set where root has few rights itself."""
_INIT = ("/bin/sh", "-c", '"$@"; exit $?', "sh")
"""The first process of a container cannot be killed from within; the command is its child."""
_SCRATCH = "rw,exec,nosuid,nodev,mode=1777"


def find(path: str) -> tuple[str, str]:
    """The first program on the PATH that can run containers; else why none can."""
    found = [program for program in (shutil.which(name, path=path) for name in _PROGRAMS) if program]
    problems = {program: problem(program) for program in found}
    works = next((program for program in found if not problems[program]), "")
    why = "; ".join(f"{Path(program).name}: {told}" for program, told in problems.items())
    return works, "" if works else why or "neither docker nor podman is installed"


@lru_cache
def problem(program: str) -> str:
    """Why a program can run no container here; empty when it can."""
    mounts = (
        word for path in _SYSTEM if Path(path).exists() for word in _bind(Path(path), Path(path), "readonly")
    )
    try:
        if _asked(program, "image", "inspect", _IMAGE).returncode:
            nothing = BytesIO()
            tarfile.open(fileobj=nothing, mode="w").close()
            _asked(program, "import", "-", _IMAGE, given=nothing.getvalue())
        done = _asked(program, "run", *_FOR_ALL, "--network", "none", *mounts, _IMAGE, "/bin/true")
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return (lines[0] if lines else f"exit code {done.returncode}") if done.returncode else ""


def _asked(program: str, *words: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([program, *words], input=given, capture_output=True, timeout=_PROBE_S, check=False)


@dataclass(frozen=True, slots=True)
class Container:
    """One for each command; `program` is docker or podman."""

    program: str
    ground: Ground

    @property
    def name(self) -> str:
        return Path(self.program).name

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
        within, protected = self.ground.reach(env, writable=writable, manager=manager)
        if looks:
            within = within.unchangeable()
        clear_links(within)
        _make_mount_points(within)
        name = f"codeflow-{uuid.uuid4().hex}"
        argv = [
            *(self.program, "run", "--interactive", "--name", name, *_FOR_ALL, *self._limits()),
            *("--network", "host" if within.network else "none"),
            *(
                word for variable in env for word in ("--env", variable)
            ),  # their values are not in the command line
            *_mounts(within, private_folder(self.ground.private / "empty")),
            *("--workdir", str(cwd.resolve()), _IMAGE, *_INIT, *command),
        ]
        ends = (self.program, "rm", "--force", *(["--time", "0"] if self.name == "podman" else []), name)
        if looks:
            return Confined(argv=argv, ended=partial(_run, ends))
        return self.ground.confined(argv, protected, ends=ends)

    def _limits(self) -> Iterator[str]:
        settings = self.ground.settings
        yield from ("--ulimit", f"fsize={settings.max_file_mb * 1_000_000}")
        for name, kind in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
            soft, hard = (min(limit % 2**63, _MOST) for limit in resource.getrlimit(kind))
            yield from ("--ulimit", f"{name}={soft}:{hard}")
        if self.name == "docker":  # its containers are no descendants of the guard
            yield from ("--memory", str(half_of_memory()), "--pids-limit", str(settings.max_processes))
        if self.name == "podman" and os.getuid():
            yield from ("--userns", "keep-id")
        else:
            yield from ("--user", f"{os.getuid()}:{os.getgid()}")
        if self.name == "podman":
            yield "--passwd=false"  # the machine's own is mounted


def _run(command: Sequence[str]) -> Sequence[str]:
    subprocess.run(command, capture_output=True, check=False)
    return ()


def _mounts(within: Reach, empty: Path) -> Iterator[str]:
    """The later of two at one place wins, since there may be only one.

    Podman would copy what is hidden into a file system that is mounted over it: so an empty folder is.
    """
    mounts: dict[Path, tuple[str, str]] = {}
    for path in within.readable:
        mounts[path] = _bind(path, path, "readonly")
    for scratch in map(Path, ("/tmp", "/var/tmp", "/run")):  # noqa: S108 - mount points
        mounts[scratch] = ("--tmpfs", f"{scratch}:{_SCRATCH}")
    mounts[within.real_home] = _bind(within.home, within.real_home)
    if within.beside:
        mounts[within.beside] = ("--tmpfs", f"{within.beside}:ro")
    mounts |= {path: _bind(path, path, "readonly") for path in within.toolchains}
    mounts |= {path: _bind(path, path) for path in within.writable}
    mounts |= {path: _bind(path, path) for path in within.folders_between()}
    mounts |= {path: _bind(path, path, "readonly") for path in within.protected}
    for path in within.hidden:
        mounts[path] = _bind(empty if path.is_dir() else Path("/dev/null"), path, "readonly")
    for path in sorted(mounts):
        yield from mounts[path]


def _bind(source: Path, place: Path, *options: str) -> tuple[str, str]:
    if "," in f"{source}{place}":
        raise UsageError(
            f"{source}: a container cannot mount a path with a comma", hint="Choose another sandbox.backend."
        )
    return "--mount", ",".join(("type=bind", f"source={source}", f"destination={place}", *options))


def _make_mount_points(within: Reach) -> None:
    """In the commands' home, as the user: else Docker makes them, as root."""
    wanted = (
        *within.toolchains,
        *within.writable,
        *within.hidden,
        *([within.beside] if within.beside else []),
    )
    for path in wanted:
        if path.is_relative_to(within.real_home) and path != within.real_home:
            place = within.home / path.relative_to(within.real_home)
            folder = place if path.is_dir() else place.parent
            folder.mkdir(parents=True, exist_ok=True)
            if not path.is_dir():
                place.touch()
