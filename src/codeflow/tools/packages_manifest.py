"""What a Python project's manifest lists; adds one requirement to it without touching the rest of the file."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from codeflow.tools.packages_requirements import (
    Listed,
    Requirements,
    is_plain,
    normal_name,
    read_requirements,
)
from codeflow.tools.project_files import small_text
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*')
_REQUIREMENT = re.compile(
    r"(?!.*\.(?:whl|zip|gz)$)[A-Za-z0-9][\w.-]*(\[[\w.,-]+\])?([<>=!~]=?=?[\w.*+!-]+,?)*"
)
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")
_PYPROJECT = "pyproject.toml"
_REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")
_DEV_EXTRA = ("project.optional-dependencies", "dev")
_DEV_GROUP = ("dependency-groups", "dev")
_TABLES = (("project", "dependencies"), _DEV_EXTRA, _DEV_GROUP)
"""Where a pyproject.toml lists what this tool adds."""


def add_to_manifest(ws: Workspace, requirement: str, *, dev: bool) -> None:
    """Lists an installed requirement in pyproject.toml where that describes a project, else in a requirements file."""
    pyproject = ws.root / "pyproject.toml"
    if pyproject.is_file() and "project" in (_parsed(pyproject.read_text(encoding="utf-8")) or {}):
        file = ws.writable("pyproject.toml")
        before = file.read_bytes().decode("utf-8")
        after = add_to_pyproject(before, requirement, dev=dev)
    else:
        file = ws.writable(_requirements_file(dev=dev))
        before = file.read_bytes().decode("utf-8") if file.exists() else ""
        after = add_to_requirements(before, requirement)
    if after != before:
        ws.write(file, after.encode())


def declared(root: Path) -> list[str]:
    """The requirements that the manifest of a Python project lists, but for those of extras and groups."""
    data = _parsed(small_text(root / "pyproject.toml")) or {}
    files = [read_requirements(root, name).listed for name in _REQUIREMENTS]
    entries = [
        *_listed(data, "project", "dependencies"),
        *(one.requirement for file in files for one in file),
    ]
    return [entry for entry in entries if normal_name(entry)]


@dataclass(frozen=True, slots=True)
class Wish:
    """How to install a package of a Python project so that all of its files agree."""

    requirements: tuple[str, ...]
    """For pip, together."""
    constraints: tuple[str, ...]
    """Files of versions that pip has to keep to."""
    listed: Listed | None
    """Where the manifest has it already; None when it has to be added."""


def wish(root: Path, asked: str, *, dev: bool) -> Wish:
    """What to install when a package is asked for: what the project's files say of it, where they say something.

    Raises:
        Mistake: when something else is asked for than the manifest says, or when its files cannot be followed.
    """
    data = _parsed(small_text(root / _PYPROJECT)) or {}
    files = {name: read_requirements(root, name) for name in _REQUIREMENTS}
    for name, file in files.items():
        _refuse_unfollowed(name, file)
    tables = {place: [Listed(_PYPROJECT, entry) for entry in _listed(data, *place)] for place in _TABLES}
    everywhere = [*tables.values(), *(file.listed for file in files.values())]
    same = [one for entries in everywhere for one in entries if _same_package(one.requirement, asked)]
    own = tables[_place(data, dev=dev)] if "project" in data else files[_requirements_file(dev=dev)].listed
    here = [one for one in same if one in own]
    is_bare = _NAME.fullmatch(asked) is not None
    if here and not is_bare and all(_rest(one.requirement) != _rest(asked) for one in here):
        raise Mistake(
            f"Nothing was installed: {asked} was asked for, but the manifest says {here[0].requirement!r} "
            f"({here[0].file}). Change that line first, or ask for the name alone to install what it says."
        )
    for one in same:
        if not is_plain(one.requirement):
            raise _unfollowed(one.file, one.requirement)
    asking = [] if is_bare and same else [asked]
    return Wish(
        requirements=tuple(dict.fromkeys([*asking, *(one.requirement for one in same)])),
        constraints=tuple(dict.fromkeys(path for file in files.values() for path in file.constraints)),
        listed=here[0] if here else None,
    )


def _refuse_unfollowed(name: str, file: Requirements) -> None:
    if file.unread:
        raise _unfollowed(name, file.unread[0])
    if file.strange:
        raise _unfollowed(file.strange[0].file, file.strange[0].requirement)


def _unfollowed(file: str, what: str) -> Mistake:
    return Mistake(
        f"Nothing was installed: {file} has {what!r}, which is no version of a package of the index or no file of this "
        "project, so what fits it is not certain. Correct it, or ask the user to install the package."
    )


def _requirements_file(*, dev: bool) -> str:
    return "requirements-dev.txt" if dev else "requirements.txt"


def _rest(requirement: str) -> str:
    """What a requirement says beside the name."""
    return _NAME.sub("", requirement).replace(" ", "")


def add_to_requirements(text: str, requirement: str) -> str:
    """The requirements file with one more line."""
    for line in text.splitlines():
        if _same_package(line.strip(), requirement):
            return text
    newline = "\r\n" if "\r\n" in text else "\n"
    start = text if not text or text.endswith("\n") else text + newline
    return f"{start}{requirement}{newline}"


def add_to_pyproject(text: str, requirement: str, *, dev: bool) -> str:
    """The pyproject.toml with one more requirement; a Mistake when its form is not understood."""
    if not _REQUIREMENT.fullmatch(requirement):
        raise Mistake(
            f"It is installed, but {requirement!r} cannot stand in pyproject.toml as it is: "
            f"add it yourself as NAME @ URL."
        )
    before = tomllib.loads(text)
    table, key = _place(before, dev=dev)
    listed = _listed(before, table, key)
    for entry in listed:
        if _same_package(entry, requirement):
            return text
    after = _with_entry(text, table, key, requirement)
    parsed = _parsed(after)
    if parsed is None or _listed(parsed, table, key) != [*listed, requirement]:
        raise Mistake(
            f"It is installed, but the form of pyproject.toml is not understood: "
            f"add {requirement!r} to {table}.{key} yourself."
        )
    return after


def _parsed(text: str) -> dict[str, object] | None:
    """None when it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _place(data: dict[str, object], *, dev: bool) -> tuple[str, str]:
    if not dev:
        return "project", "dependencies"
    extras = data.get("project")
    optional = extras.get("optional-dependencies") if isinstance(extras, dict) else None
    if isinstance(optional, dict) and "dev" in optional and "dependency-groups" not in data:
        return _DEV_EXTRA
    return _DEV_GROUP


def _listed(data: dict[str, object], table: str, key: str) -> list[str]:
    value: object = data
    for part in [*table.split("."), key]:
        value = value.get(part, {}) if isinstance(value, dict) else {}
    return [str(entry) for entry in value] if isinstance(value, list) else []


def _with_entry(text: str, table: str, key: str, requirement: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    header = re.search(rf"^\[{re.escape(table)}\][^\n]*\n", text + "\n", re.MULTILINE)
    if header is None:
        return f'{text.rstrip()}{newline}{newline}[{table}]{newline}{key} = ["{requirement}"]{newline}'
    following = re.search(r"^\[", text[header.end() :], re.MULTILINE)
    end = header.end() + following.start() if following else len(text)
    opening = re.compile(rf"^{key}\s*=\s*\[", re.MULTILINE).search(text, header.end(), end)
    if opening is None:
        return f'{text[: header.end()]}{key} = ["{requirement}"]{newline}{text[header.end() :]}'
    closing = _closing_bracket(text, opening.end())
    return text[: opening.end()] + _extended(text[opening.end() : closing], requirement) + text[closing:]


def _closing_bracket(text: str, start: int) -> int:
    """Where the array that was opened ends; brackets in strings and comments do not count."""
    masked = _STRING_OR_COMMENT.sub(lambda match: "x" * len(match[0]), text)
    return masked.find("]", start)


def _extended(body: str, requirement: str) -> str:
    """What stands between an array's brackets, with one more entry in the same layout."""
    entry = f'"{requirement}"'
    masked = _STRING_OR_COMMENT.sub(lambda m: ("#" if m[0][0] == "#" else "x") * len(m[0]), body)
    bare = masked.replace("#", " ").rstrip()
    if not bare.strip():
        return f"{entry}{body}" if "\n" not in body else f"{body.rstrip()}\n    {entry},\n"
    comma = "" if bare.endswith(",") else ","
    if "\n" not in body:
        return f"{body[: len(bare)]}{comma} {entry}{body[len(bare) :]}"
    indent = re.search(r"\n([ \t]*)\S", body)
    tail = body[len(bare) :]
    rest, _, last = tail.rpartition("\n")
    return f"{body[: len(bare)]}{comma}{rest}\n{indent[1] if indent else '    '}{entry},\n{last}"


def _same_package(entry: str, requirement: str) -> bool:
    return normal_name(entry) == normal_name(requirement) != ""
