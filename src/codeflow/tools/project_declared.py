"""Where a Python project declares a package, and the command that installs what it declares."""

import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from codeflow.tools.environment import project_venv
from codeflow.tools.packages_requirements import normal_name
from codeflow.tools.project_files import small_text
from codeflow.tools.project_managers import managers_by_language

_LOCKS = ("uv.lock", "poetry.lock")
_REQUIREMENTS = ("requirements*.txt", "requirements/*.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A file that declares a package, and the shell line with which a person installs it."""

    file: str
    install: str
    is_production: bool
    """Whether it is among what the project itself needs, rather than in an extra or a group."""


def declaration(root: Path, package: str) -> Declaration | None:
    """The first declaration of a package; None where the project declares it nowhere."""
    manager = managers_by_language(root).get("python", "pip")
    return next(_declarations(root, package, manager), None)


def _declarations(root: Path, package: str, manager: str) -> Iterator[Declaration]:
    data = _parsed(root / "pyproject.toml")
    for kind, name, entries in _lists(data):
        if package in map(normal_name, entries):
            install = _install(root, data, manager, kind, name)
            yield Declaration(file="pyproject.toml", install=install, is_production=kind == "main")
    for file in sorted(path for pattern in _REQUIREMENTS for path in root.glob(pattern)):
        if package in map(normal_name, small_text(file).splitlines()):
            name = file.relative_to(root).as_posix()
            install = f"{_pip(root)} -r {shlex.quote(name)}"
            yield Declaration(file=name, install=install, is_production=name == "requirements.txt")
    for lock in _LOCKS:
        if re.search(rf'^name = "{re.escape(package)}"', small_text(root / lock), re.MULTILINE):
            install = _install(root, data, manager, "main", "")
            yield Declaration(file=lock, install=install, is_production=False)


def _lists(data: object) -> Iterator[tuple[str, str, Iterable[str]]]:
    """(main, extra or group; its name; requirements or names) for each list of packages in a pyproject.toml."""
    yield "main", "", _texts(_at(data, "project", "dependencies"))
    for name, entries in _table(data, "project", "optional-dependencies").items():
        yield "extra", name, _texts(entries)
    for name, entries in _table(data, "dependency-groups").items():
        yield "group", name, _texts(entries)
    yield "group", "dev", _texts(_at(data, "tool", "uv", "dev-dependencies"))
    yield "main", "", _table(data, "tool", "poetry", "dependencies")
    yield "group", "dev", _table(data, "tool", "poetry", "dev-dependencies")
    for name, group in _table(data, "tool", "poetry", "group").items():
        yield "group", name, _table(group, "dependencies")


def _install(root: Path, data: object, manager: str, kind: str, name: str) -> str:
    word = shlex.quote(name)
    if manager == "uv":
        is_default = name == "dev" and _at(data, "tool", "uv", "default-groups") is None
        more = {"extra": f" --extra {word}", "group": "" if is_default else f" --group {word}"}
        return f"uv sync{more.get(kind, '')}"
    if manager == "poetry":
        is_optional = _at(data, "tool", "poetry", "group", name, "optional") is True
        more = {"extra": f" --extras {word}", "group": f" --with {word}" if is_optional else ""}
        return f"poetry install{more.get(kind, '')}"
    more = {"extra": f" -e {shlex.quote(f'.[{name}]')}", "group": f" --group {word}"}
    return f"{_pip(root)}{more.get(kind, ' -e .')}"


def _pip(root: Path) -> str:
    """How a person calls pip for the project's environment, which may have to be made."""
    venv = project_venv(root)
    if venv is None:
        return "python3 -m venv .venv && .venv/bin/python -m pip install"
    if re.search(r"^uv = ", small_text(venv / "pyvenv.cfg"), re.MULTILINE):  # such have no pip
        return f"uv pip install --python {venv.name}"
    return f"{venv.name}/bin/python -m pip install"


def _parsed(file: Path) -> object:
    try:
        return tomllib.loads(small_text(file))
    except tomllib.TOMLDecodeError:
        return {}


def _at(data: object, *keys: str) -> object:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _table(data: object, *keys: str) -> Mapping[str, object]:
    found = _at(data, *keys)
    return found if isinstance(found, dict) else {}


def _texts(entries: object) -> list[str]:
    """The requirements of a list; a group may hold other things, too."""
    return [entry for entry in entries if isinstance(entry, str)] if isinstance(entries, list) else []
