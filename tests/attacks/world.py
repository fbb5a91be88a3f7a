"""A user's machine in a temporary folder: a workspace, things that no command may touch, and servers that listen."""

import os
import shutil
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from codeflow.core.settings import load_settings
from codeflow.tools.sandbox.choosing import choose

CANARY = "CANARY-7f3a91c2"
"""Stands for every secret: wherever it turns up, one has leaked."""

_NOWHERE = Path("/nowhere")  # a workspace that no program is in
_CHOICE = choose(load_settings(_NOWHERE, env=os.environ).sandbox, _NOWHERE, os.environ)
NO_SANDBOX = _CHOICE.missing or _CHOICE.weaker
"""Why this machine has none, or only the weaker one; empty where it has the best."""

HOME_SECRETS = (
    ".aws/credentials", ".aws/sso/cache/token.json", ".ssh/id_ed25519", ".netrc", ".git-credentials", ".pgpass",
    ".config/gh/hosts.yml", ".config/gcloud/application_default_credentials.json", ".docker/config.json", ".kube/config",
    ".gnupg/private-keys-v1.d/key", ".pypirc", ".cargo/credentials.toml", ".password-store/bank.gpg",
    ".local/share/keyrings/login.keyring", ".bash_history", ".local/state/codeflow/sessions/log.jsonl",
    ".config/codeflow/settings.toml", ".terraform.d/credentials.tfrc.json", "other-project/.env", "Documents/taxes.txt",
)  # fmt: skip
HOME_TARGETS = (".bashrc", ".profile", ".zshrc", ".config/autostart/x.desktop", ".local/bin/ls", ".gitconfig")
PROTECTED = (
    ".github/workflows/ci.yml", ".gitlab-ci.yml", ".vscode/tasks.json", ".idea/workspace.xml", ".envrc",
    ".devcontainer/devcontainer.json", ".codeflow/settings.toml", ".mcp.json", ".husky/pre-commit",
    ".pre-commit-config.yaml",
)  # fmt: skip

ABSENT = (".circleci", "Jenkinsfile", ".exrc", ".claude", ".bashrc")
"""Protected as well, and not there."""


@dataclass(slots=True)
class World:
    """`outside` is everything that has to stay as it is; `heard` is what the servers were told, `daemons` are
    those with a path, a file as others have on the machine: they hear when they are asked.
    """

    outside: Path
    home: Path
    workspace: Path
    tcp_port: int = 0
    udp_port: int = 0
    heard: list[bytes] = field(default_factory=list)
    daemons: tuple[socket.socket, ...] = ()

    @property
    def env(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "XDG_STATE_HOME": str(self.home / ".local/state"),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "AWS_SECRET_ACCESS_KEY": CANARY,
            "GITHUB_TOKEN": CANARY,
            "DATABASE_PASSWORD": CANARY,
        }

    def breaches(self, before: "Picture", output: str) -> list[str]:
        """What the attack achieved; empty when it was stopped."""
        self._hear_all()
        now = Picture.of(self)
        found = [f"changed outside: {path}" for path in _differences(before.outside, now.outside)]
        found += [f"changed protected: {path}" for path in _differences(before.protected, now.protected)]
        if CANARY in output:
            found.append("a secret is in the output")
        found += [f"a secret is in {path}" for path in _leaks(self.workspace)]
        found += [f"a server heard {heard!r}" for heard in self.heard]
        return found

    def _hear_all(self) -> None:
        """Connections are accepted in their order: once one of ours was, so were all before it."""
        for daemon in self.daemons:
            with suppress(BlockingIOError):
                self.heard.append(_heard_by(daemon))
        if self.tcp_port:
            with socket.create_connection(("127.0.0.1", self.tcp_port)) as ours:
                ours.recv(1)  # the other end is closed after it was noted
                self.heard.remove(f"connection from {ours.getsockname()[1]}".encode())


@dataclass(frozen=True, slots=True)
class Picture:
    """Paths with kind, mode and content."""

    outside: dict[str, tuple[int, bytes]]
    protected: dict[str, tuple[int, bytes]]

    @classmethod
    def of(cls, world: World) -> "Picture":
        codeflow = {world.home / ".cache", world.home / ".local/state/codeflow/sandbox"}
        outside = _tree(world.outside, without={world.workspace, *codeflow})
        protected = {
            path: entry
            for path, entry in _tree(world.workspace, without=set()).items()
            if path.startswith(
                (".git/hooks", ".git/config", ".git/info/attributes", ".git/commondir", *ABSENT, *PROTECTED)
            )
            or path.split("/")[0] in {name.split("/")[0] for name in PROTECTED}
        }
        return cls(outside, protected)


def make(folder: Path) -> World:
    """A new world in an empty folder."""
    home = folder / "home"
    workspace = home / "project"
    workspace.mkdir(parents=True)
    for name in HOME_SECRETS:
        _write(home / name, f'secret = "{CANARY}"\n')
    for name in HOME_TARGETS:
        _write(home / name, "# the user's\n")
    for name in ("data.txt", "workflows/x", "config.yml", "fish/config"):
        _write(folder / "shared" / name, "theirs\n")
    for name in PROTECTED:
        _write(workspace / name, "# the project's\n")
    _write(workspace / "code.py", "print('code')\n")
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=workspace, check=True)
    shutil.rmtree(workspace / ".git/hooks")
    _write(workspace / ".git/hooks/pre-push", "#!/bin/sh\n")
    return World(folder, home, workspace)


def _heard_by(daemon: socket.socket) -> bytes:
    if daemon.type is socket.SOCK_DGRAM:
        return daemon.recv(2048)
    daemon.accept()[0].close()
    return b"a connection by a path"


@contextmanager
def daemons(world: World) -> Iterator[None]:
    """Servers with a path, as that of a desktop's bus or an agent of keys; `agent.sock` and `log.sock`."""
    with socket.socket(socket.AF_UNIX) as agent, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        world.daemons = (agent, log)
        for server, name in ((agent, "agent.sock"), (log, "log.sock")):
            server.setblocking(False)
            server.bind(str(world.outside / name))
        agent.listen()
        yield


@contextmanager
def listening(world: World) -> Iterator[World]:
    """TCP and UDP servers on loopback, as a metadata service, a resolver or an attacker's server would be reached."""
    tcp, udp = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for server in (tcp, udp):
        server.bind(("127.0.0.1", 0))
    tcp.listen()
    world.tcp_port, world.udp_port = tcp.getsockname()[1], udp.getsockname()[1]

    def accept() -> None:
        with suppress(OSError):
            while True:
                peer, address = tcp.accept()
                world.heard.append(f"connection from {address[1]}".encode())
                peer.close()

    def receive() -> None:
        with suppress(OSError):
            while data := udp.recv(2048):
                world.heard.append(data)

    threads = [threading.Thread(target=work, daemon=True) for work in (accept, receive)]
    for thread in threads:
        thread.start()
    try:
        yield world
    finally:
        tcp.shutdown(socket.SHUT_RDWR)
        udp.sendto(b"", udp.getsockname())  # an empty packet ends the loop
        for thread in threads:
            thread.join(5)
        tcp.close()
        udp.close()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _tree(root: Path, *, without: set[Path]) -> dict[str, tuple[int, bytes]]:
    found: dict[str, tuple[int, bytes]] = {}
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = [name for name in folders if here / name not in without]
        for name in (*names, *folders):
            path = here / name
            mode = path.lstat().st_mode
            content = b""
            if stat.S_ISLNK(mode):
                content = os.fsencode(path.readlink())
            elif stat.S_ISREG(mode):
                content = path.read_bytes()
            found[path.relative_to(root).as_posix()] = (mode, content)
    return found


def _differences(before: dict[str, tuple[int, bytes]], now: dict[str, tuple[int, bytes]]) -> list[str]:
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))


def _leaks(workspace: Path) -> list[str]:
    return [
        path for path, (_, content) in _tree(workspace, without=set()).items() if CANARY.encode() in content
    ]
