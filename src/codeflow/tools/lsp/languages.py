"""Which language a file is in, which servers understand it, and where its project begins."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from codeflow.core.errors import UsageError
from codeflow.core.places import config_home, resource

_FILE = "languages.toml"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerCommand(_Table):
    """How a server is started and what it is told."""

    command: tuple[str, ...] = Field(min_length=1)
    settings: Mapping[str, Any] = {}
    options: Mapping[str, Any] = {}
    runs_project_code: bool = False
    env: Mapping[str, str] = {}
    start_s: float | None = None
    sees_open_files_only: bool = False
    skips_same_text: bool = False

    @property
    def name(self) -> str:
        return self.command[0]

    def started_as(self, program: str, env: Mapping[str, str]) -> tuple[Sequence[str], Mapping[str, str]]:
        """Its command line with the program in its place, and its environment; `~` is the user's home folder there."""
        home = env.get("HOME", "~")
        own = {
            name: f"{home}{value[1:]}" if value.startswith("~/") else value
            for name, value in self.env.items()
        }
        return [program, *self.command[1:]], {**env, **own}


class Language(_Table):
    """A table of `config/languages.toml`, which says what the fields mean."""

    extensions: Mapping[str, str]
    roots: tuple[str, ...]
    install: str
    servers: tuple[ServerCommand, ...]

    def root(self, file: Path, top: Path) -> Path:
        """The nearest folder above a file, up to `top`, that holds one of the language's markers; else `top`."""
        folders = [folder for folder in file.parents if folder.is_relative_to(top)]
        return next((f for f in folders if any((f / mark).exists() for mark in self.roots)), top)


def load_languages(env: Mapping[str, str]) -> dict[str, Language]:
    """The packaged languages with the user's own over them, by name.

    Raises:
        UsageError: when a file cannot be used.
    """
    own = config_home(env) / _FILE
    packaged = _load(resource("config") / _FILE)
    return {**packaged, **_load(own)} if own.exists() else packaged


def _load(path: Path) -> dict[str, Language]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, Language]).validate_python(tables)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise UsageError(f"{path}: cannot be used: {error}", hint="Correct the file.") from error


def language_name(languages: dict[str, Language], file: Path) -> str | None:
    """The language of a file, by its suffix; a user's language goes before a packaged one."""
    return next((name for name in reversed(languages) if file.suffix in languages[name].extensions), None)
