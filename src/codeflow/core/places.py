"""Where things live on disk: packaged resources, and the user's XDG folders."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path

from codeflow.core.errors import UsageError
from codeflow.core.text import unescaped

_PACKAGE = Path(__file__).parents[1]


def resource(name: str) -> Path:
    """A packaged folder (`config` or `prompts`), from a wheel and from an editable install alike."""
    packaged = _PACKAGE / "_data" / name
    return packaged if packaged.exists() else _PACKAGE.parents[1] / name


def _xdg(variable: str, fallback: str, env: Mapping[str, str]) -> Path:
    base = env.get(variable, "")
    if base:
        return Path(base) / "codeflow"
    try:
        return Path.home() / fallback / "codeflow"
    except RuntimeError as error:  # a user id without an entry, as in containers that run with --user
        raise UsageError(
            "there is no home folder: HOME is not set, and the system knows none for this user",
            hint="Set HOME to a folder that you can write, for example `export HOME=/tmp/home`.",
        ) from error


def config_home(env: Mapping[str, str] = os.environ) -> Path:
    """The user's settings folder."""
    return _xdg("XDG_CONFIG_HOME", ".config", env)


def state_home(env: Mapping[str, str] = os.environ) -> Path:
    """Sessions, ledger and logs."""
    return _xdg("XDG_STATE_HOME", ".local/state", env)


def cache_home(env: Mapping[str, str] = os.environ) -> Path:
    """What can be deleted without loss: router verdicts, repository maps."""
    return _xdg("XDG_CACHE_HOME", ".cache", env)


def as_named(root: str | Path, path: str) -> str:
    """A path as the file system has it: where a name is not plain text, what shows it shows escapes, as `printable`."""
    meant = unescaped(path)
    if meant == path or os.path.lexists(os.path.join(root, path)):  # noqa: PTH118 - any string
        return path
    if os.path.lexists(os.path.join(root, meant)):  # noqa: PTH118
        return meant
    folder, slash, name = path.rpartition("/")
    return f"{as_named(root, folder)}/{name}" if slash else path


def private_folder(folder: Path) -> Path:
    """The folder, made with what lies above it where it is missing, readable by nobody else whatever the umask.

    Raises:
        OSError: when it cannot be made.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    nearest = missing[-1].parent if missing else folder
    if not nearest.is_dir():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(nearest))
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
    return folder


def private_file(file: Path) -> Path:
    """The file, made empty where it is missing, likewise.

    Raises:
        OSError: when it cannot be made or written.
    """
    os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    return file
