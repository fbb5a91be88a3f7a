"""The user's own settings file, changed key by key: its comments, its order and every other key stay as they are."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codeflow.core.errors import UsageError, remedy
from codeflow.core.places import config_home, private_folder, resource
from codeflow.core.private import replace_file
from codeflow.core.settings import leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A file as it is and as it would be; nothing is written until `write`."""

    path: Path
    before: str
    after: str

    @property
    def diff(self) -> str:
        """A unified diff; empty where nothing changes."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            str(self.path) if self.before else "/dev/null",
            str(self.path),
        )
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)

    def write(self) -> None:
        """Put the new content in place at once; a link, as in a folder of dotfiles, stays a link.

        Raises:
            UsageError: when it cannot be written, or was changed meanwhile; the file is then as it was.
        """
        target = self.path.resolve()
        try:
            private_folder(target.parent)
            if _text(target) != self.before:
                raise UsageError(
                    f"{self.path}: was changed meanwhile, and nothing was written", hint="Try again."
                )
            replace_file(target, self.after.encode())
        except OSError as error:
            raise UsageError(
                f"{self.path}: cannot be written: {error.strerror}", hint=remedy(error)
            ) from error


def drafted(values: Mapping[str, str], env: Mapping[str, str]) -> Draft:
    """The user's settings with these values, by dotted key; a default is written only over something else.

    Raises:
        UsageError: when the file that is there is no TOML, or has a value where a section belongs.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    packaged = resource("config") / "settings.toml"
    defaults = dict(leaves(tomllib.loads(packaged.read_text(encoding="utf-8"))))
    path = config_home(env) / "settings.toml"
    before = _text(path)
    try:
        document = tomlkit.parse(before)
        for key, value in values.items():
            section, _, name = key.rpartition(".")
            table: Any = document.get(section)
            if value == (table or {}).get(name, defaults[key]):
                continue
            if table is None:
                table = document[section] = tomlkit.table()
            table[name] = value
    except (TOMLKitError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: cannot be changed: {error}", hint="Correct or remove the file.") from error
    return Draft(path=path, before=before, after=tomlkit.dumps(document))


def _text(path: Path) -> str:
    """Its content, "" where there is none; line ends stay what they are."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8: {error}", hint="Correct or remove the file.") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}", hint=remedy(error)) from error
