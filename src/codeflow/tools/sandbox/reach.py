"""What a command can reach, as a value that every sandbox enforces in its own way.

Nothing is reachable but the system's programs, the toolchains that PATH names, and the workspace. So what is not
listed here is out of reach, also what nobody thought of: other projects, keys, codeflow's own state. What stands in the
workspace widens nothing, for an earlier command may have put it there.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from codeflow.tools.sandbox.protected import Protection, protection
from codeflow.tools.sandbox.repositories import first_link, git_folder

_SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix",
    "/gnu",
    "/snap",
)
_TOOLCHAINS = (
    ".pyenv", ".rbenv", ".nodenv", ".goenv", ".nvm", ".fnm", ".volta", ".asdf", ".sdkman", ".deno", ".bun", ".dotnet",
    ".ghcup", ".opam", ".juliaup", ".rustup", ".local/bin", ".local/lib", ".local/share/uv", ".local/share/pipx",
    ".local/share/mise", ".local/share/pnpm", ".local/share/fnm", ".local/share/virtualenvs", ".m2/repository",
    ".gradle/wrapper", ".gradle/caches", ".cache/ms-playwright", "sdk", ".gitconfig", ".config/git/config",
    ".config/git/ignore",
)  # fmt: skip
"""In the home folder: programs and packages, and no file that holds credentials."""
_NAMED = (
    "JAVA_HOME", "GOROOT", "PYENV_ROOT", "RUSTUP_HOME", "NVM_DIR", "VOLTA_HOME", "DOTNET_ROOT", "M2_HOME", "MAVEN_HOME",
    "GRADLE_HOME", "ANDROID_HOME", "ANDROID_SDK_ROOT", "CONDA_PREFIX", "NODE_PATH", "PLAYWRIGHT_BROWSERS_PATH",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE", "PIP_CERT",
    "PIP_FIND_LINKS", "UV_FIND_LINKS", "UV_PYTHON", "GOPROXY",
)  # fmt: skip
"""Variables that name programs, certificates or packages, as paths or file: URLs."""
_HOMES = {"cargo": ("CARGO_HOME", ".cargo"), "go": ("GOPATH", "go")}
_PARTS = {
    "cargo": ("bin", "config.toml", "config", "registry", "git", ".global-cache", ".package-cache"),
    "go": ("bin", "pkg"),
}
_CACHES = {"cargo": ("registry", "git", ".global-cache", ".package-cache"), "go": ("pkg",)}
"""What a manager may add to while it fetches packages, since it runs no code of theirs then."""
CACHING = frozenset(_CACHES)
_REGISTRIES = (
    ".npmrc",
    ".config/pip",
    ".pip",
    ".config/uv",
    ".config/pypoetry",
    ".yarnrc.yml",
    ".bunfig.toml",
)
_PROGRAM_FOLDERS = {"bin", "sbin", "shims", "scripts"}
_SECRET = ("/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d",
           "/etc/ssl/private", "/etc/ssh", "/etc/wireguard", "/etc/NetworkManager", "/etc/docker",
           "/etc/kubernetes", "/etc/krb5.keytab")  # fmt: skip
_SECRET_AT_HOME = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".config/gcloud", ".config/gh", ".config/hub", ".netrc",
    ".pgpass", ".npmrc", ".pypirc", ".git-credentials", ".config/git/credentials", ".cargo/credentials.toml",
    ".password-store", ".local/share/keyrings", ".mozilla", ".config/google-chrome", ".terraform.d",
)  # fmt: skip
"""Hidden also where the workspace is the home folder itself, or holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Absolute, resolved paths that exist. A later field wins over an earlier one where they overlap.

    `home` takes the place of the user's home folder, but for `beside`, the folder in it that holds the workspace: there
    nothing can be made, so that nobody believes it were kept. `protected` are read-only also inside `writable`, `hidden` are
    empty. `network`: whether the machine's network can be reached.
    """

    readable: tuple[Path, ...]
    home: Path
    real_home: Path
    beside: Path | None
    toolchains: tuple[Path, ...]
    writable: tuple[Path, ...]
    protected: tuple[Path, ...]
    hidden: tuple[Path, ...]
    network: bool

    def unchangeable(self) -> "Reach":
        """The same for a program that may only write to its home and to /tmp."""
        return replace(self, toolchains=(*self.toolchains, *self.writable), writable=(), protected=())

    def folders_between(self) -> list[Path]:
        """The folders between a writable one and what is protected in it, outer ones first."""
        roots = {*self.writable}
        return sorted(
            {
                folder
                for path in self.protected
                for folder in path.parents
                if folder not in roots and any(folder.is_relative_to(root) for root in roots)
            }
        )


def reach(
    workspace: Path,
    env: Mapping[str, str],
    *,
    private_home: Path,
    own_folders: Iterable[Path],
    readable: Iterable[Path] = (),
    writable: Iterable[Path] = (),
    reports: Iterable[Path] = (),
    network: bool = False,
    manager: str = "",
    git: str | None = None,
    trusted: Iterable[Path] = (),
) -> tuple[Reach, Protection]:
    """What the commands of a workspace can reach; `own_folders` are codeflow's, which stay hidden.

    `readable` and `writable` are what the user's settings add, `reports` folders of codeflow's own. `manager` is the
    package manager that asks: it has the network, its own settings, which may hold a registry's password, and its cache.
    `git` is the program, `trusted` are folders that the user trusts.
    """
    home = _user_home(env)
    system = _outermost(map(Path, _SYSTEM))
    registries = [home / name for name in _REGISTRIES] if manager else []
    caches = [_home_of(manager, env, home) / name for name in _CACHES.get(manager, ())]
    top = repository_of(workspace, home)
    shown = [*_toolchains(workspace, env, home), *registries, *readable, *([top] if top else [])]
    programs = _outermost(shown, without=system)
    worked_in = _outermost([workspace, *writable])
    shared = [folder for folder in git_folders(top or workspace) if not _is_in(folder, worked_in)]
    changeable = (*worked_in, *_outermost([*caches, *reports, *shared], without=worked_in))
    hidden = (*map(Path, _SECRET), *(home / name for name in _SECRET_AT_HOME), *own_folders)
    protected = protection(worked_in, shared, git, trusted)
    within = Reach(
        readable=system,
        home=private_home,
        real_home=home,
        beside=_beside(workspace, home),
        toolchains=programs,
        writable=changeable,
        protected=protected.real,
        hidden=tuple(
            path
            for path in _existing(hidden)
            if _is_in(path, (*system, *programs, *changeable)) and path not in registries
        ),
        network=network or bool(manager),
    )
    return within, protected


def repository_of(workspace: Path, home: Path) -> Path | None:
    """The repository that the workspace is a subfolder of: its files can be read, and git works."""
    if (workspace / ".git").exists():
        return None
    top = next((folder for folder in workspace.parents if (folder / ".git").exists()), None)
    return None if top is None or _is_broad(top, home) else top


def git_folders(top: Path) -> Iterator[Path]:
    """The git folder of a repository, where it is not in the workspace; of a worktree, what it shares with the others; of
    a submodule, its own in that of the repository which it lies in.
    """
    pointer = top / ".git"
    if pointer.is_dir() and not pointer.is_symlink():
        yield pointer
        return
    if module := _module(top):
        yield module
        return
    own = top / _text(pointer).removeprefix("gitdir:").strip()
    shared = _text(own / "commondir")  # a submodule has none
    # else it may be anybody's
    points_back = Path(_text(own / "gitdir").strip()).resolve() == pointer.resolve()
    common = (own / shared.strip()).resolve()
    if shared and points_back and (common / "objects").is_dir():
        yield common


def _module(top: Path) -> Path | None:
    """The git folder of a submodule that is checked out."""
    own = git_folder(top)
    for above in top.parents if own else ():
        outer = git_folder(above)
        if own and outer and own.is_relative_to(outer / "modules") and (own / "HEAD").is_file():
            return own if first_link(outer, own) is None else None
    return None


def _beside(workspace: Path, home: Path) -> Path | None:
    parts = workspace.relative_to(home).parts if workspace.is_relative_to(home) else ()
    return home / parts[0] if len(parts) > 1 else None


def make_caches(manager: str, env: Mapping[str, str]) -> None:
    """The folders that a package manager would make itself, if it could reach where they go."""
    home = _user_home(env)
    for name in _CACHES.get(manager, ()):
        if not name.startswith("."):
            (_home_of(manager, env, home) / name).mkdir(parents=True, exist_ok=True)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


def _toolchains(workspace: Path, env: Mapping[str, str], home: Path) -> Iterator[Path]:
    yield from (home / name for name in _TOOLCHAINS)
    yield from (_home_of(name, env, home) / part for name, parts in _PARTS.items() for part in parts)
    yield from (path for name in _NAMED for path in _paths(env.get(name, "")) if not _is_broad(path, home))
    yield from (Path(sys.base_prefix), Path(sys.prefix), Path(__file__).parents[1] / "testing" / "plugin")
    for entry in map(Path, env.get("PATH", "").split(os.pathsep)):
        if entry.is_absolute() and not entry.is_relative_to(workspace):
            yield from _installation(entry, home)
    yield from filter(None, (_python_of(workspace / name, home) for name in (".venv", "venv")))


def _installation(programs: Path, home: Path) -> Iterator[Path]:
    """A folder of programs with what stands beside it, such as lib; cargo's and go's have their own lists."""
    programs = programs.resolve()
    prefix = programs.parent if programs.name in _PROGRAM_FOLDERS else programs
    is_whole = any((prefix / name).is_dir() for name in ("lib", "libexec", "versions"))
    yield prefix if is_whole and not _is_broad(prefix, home) else programs


def _is_broad(folder: Path, home: Path) -> bool:
    return folder in {Path("/"), home / ".local"} or home.is_relative_to(folder)


def _user_home(env: Mapping[str, str]) -> Path:
    return Path(env.get("HOME") or Path.home()).resolve()


def _home_of(manager: str, env: Mapping[str, str], home: Path) -> Path:
    variable, default = _HOMES[manager]
    return Path(env[variable]).resolve() if env.get(variable) else home / default


def _paths(value: str) -> Iterator[Path]:
    for word in re.split(r"[\s,:|]+", value.replace("file://", "")):
        if word.startswith("/") and word != "/":
            yield Path(word).resolve()


def _python_of(venv: Path, home: Path) -> Path | None:
    """The Python that an environment of the workspace was made from. A command may have put the link there: so nothing
    but a Python is shown.
    """
    prefix = (venv / "bin/python").resolve().parents[1]
    is_python = (prefix / "bin/python3").is_file() and any(prefix.glob("lib/python3*/os.py"))
    return prefix if is_python and not _is_broad(prefix, home) and not venv.is_relative_to(prefix) else None


def _outermost(paths: Iterable[Path], without: Iterable[Path] = ()) -> tuple[Path, ...]:
    """The paths that exist and lie in no other one of them."""
    kept: list[Path] = []
    for path in _existing(paths):
        if not _is_in(path, kept) and not _is_in(path, without):
            kept.append(path)
    return tuple(kept)


def _is_in(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _existing(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Sorted, so that a folder comes before what is in it."""
    return tuple(sorted({path for path in paths if path.exists()}))
