"""Adds one requirement to a Python project's manifest without touching the rest of the file."""

import re
import tomllib
from pathlib import Path

from codeflow.tools.project_files import small_text
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*')
_REQUIREMENT = re.compile(
    r"(?!.*\.(?:whl|zip|gz)$)[A-Za-z0-9][\w.-]*(\[[\w.,-]+\])?([<>=!~]=?=?[\w.*+!-]+,?)*"
)
_VERSION = re.compile(r"[<>=!~]")
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


def add_to_manifest(ws: Workspace, requirement: str, *, dev: bool) -> None:
    """Lists an installed requirement in pyproject.toml where that describes a project, else in a requirements file."""
    pyproject = ws.root / "pyproject.toml"
    if pyproject.is_file() and "project" in (_parsed(pyproject.read_text(encoding="utf-8")) or {}):
        file = ws.writable("pyproject.toml")
        before = file.read_bytes().decode("utf-8")
        after = add_to_pyproject(before, requirement, dev=dev)
    else:
        file = ws.writable("requirements-dev.txt" if dev else "requirements.txt")
        before = file.read_bytes().decode("utf-8") if file.exists() else ""
        after = add_to_requirements(before, requirement)
    if after != before:
        ws.write(file, after.encode())


def declared(root: Path) -> list[str]:
    """The requirements that the manifest of a Python project lists, but for those of extras and groups."""
    data = _parsed(small_text(root / "pyproject.toml")) or {}
    lines = [
        line.partition(" #")[0].strip()
        for name in ("requirements.txt", "requirements-dev.txt")
        for line in small_text(root / name).splitlines()
    ]
    return [entry for entry in [*_listed(data, "project", "dependencies"), *lines] if _NAME.match(entry)]


def normal_name(requirement: str) -> str:
    """The name of a requirement as indexes compare it; empty when there is none."""
    found = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def add_to_requirements(text: str, requirement: str) -> str:
    """The requirements file with one more line."""
    for line in text.splitlines():
        if _same_package(line.strip(), requirement):
            _refuse_another_version(line.strip(), requirement)
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
            _refuse_another_version(entry, requirement)
            return text
    after = _with_entry(text, table, key, requirement)
    parsed = _parsed(after)
    if parsed is None or _listed(parsed, table, key) != [*listed, requirement]:
        raise Mistake(
            f"It is installed, but the form of pyproject.toml is not understood: "
            f"add {requirement!r} to {table}.{key} yourself."
        )
    return after


def _refuse_another_version(listed: str, requirement: str) -> None:
    """A Mistake when versions were asked for and the manifest says something else."""
    wanted = requirement.replace(" ", "")
    if not _VERSION.search(wanted) or listed.partition("#")[0].replace(" ", "") == wanted:
        return
    raise Mistake(
        f"{requirement} is installed, but the manifest still says {listed!r}: change that line, or install what it says."
    )


def _parsed(text: str) -> dict[str, object] | None:
    """None when it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _place(data: dict[str, object], *, dev: bool) -> tuple[str, str]:
    if not dev:
        return "project", "dependencies"
    extras = data["project"]
    optional = extras.get("optional-dependencies") if isinstance(extras, dict) else None
    if isinstance(optional, dict) and "dev" in optional and "dependency-groups" not in data:
        return "project.optional-dependencies", "dev"
    return "dependency-groups", "dev"


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
