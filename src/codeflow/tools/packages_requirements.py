"""What requirements files say, with the files that they read in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from codeflow.tools.project_files import small_text

_COMMENT = re.compile(r"(?:^|\s+)#.*")
_OF_ANOTHER_FILE = re.compile(
    r"(?P<option>-r\s*|-c\s*|--requirement[\s=]\s*|--constraint[\s=]\s*)(?P<file>\S+)"
)
_OPTIONS = re.compile(r"\s+--?[A-Za-z].*")
_PLAIN = re.compile(
    r"[A-Za-z0-9][\w.-]*\s*(?:\[[\w.,\s-]*\])?\s*(?:[<>=!~]{1,3}\s*[\w.*+!-]+\s*,?\s*)*(?:;.*)?"
)
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Listed:
    """A requirement, without its comment and options, and the file that has it."""

    file: str
    requirement: str


@dataclass(slots=True)
class Requirements:
    """What a requirements file asks for, by itself and by the files that it names; paths are the project's."""

    listed: list[Listed] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    """Files of versions that an installation has to keep to."""
    strange: list[Listed] = field(default_factory=list)
    """Lines of constraints that are no versions of packages of the index."""
    unread: list[str] = field(default_factory=list)
    """Files that are missing or outside the project."""


def read_requirements(root: Path, name: str) -> Requirements:
    """Everything that pip would find in a requirements file; nothing when there is none."""
    found = Requirements()
    if (root / name).is_file():
        _read(root.resolve(), name, found, {name}, is_constraint=False)
    return found


def normal_name(requirement: str) -> str:
    """The name of a requirement as indexes compare it; empty when there is none."""
    found = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def is_plain(requirement: str) -> bool:
    """Whether a requirement is a package of the index, with versions and markers at most."""
    return _PLAIN.fullmatch(requirement) is not None


def _read(root: Path, name: str, found: Requirements, seen: set[str], *, is_constraint: bool) -> None:
    for line in _lines(small_text(root / name)):
        other = _OF_ANOTHER_FILE.fullmatch(line)
        if other and not (is_constraint and _is_of_requirements(other)):
            _read_other(root, name, other, found, seen)
            continue
        entry = Listed(name, _OPTIONS.sub("", line))
        if is_constraint and not is_plain(entry.requirement):
            found.strange.append(entry)
        elif not is_constraint and normal_name(line):
            found.listed.append(entry)


def _read_other(root: Path, name: str, other: re.Match[str], found: Requirements, seen: set[str]) -> None:
    """A file that another one names, by its path from there."""
    file = ((root / name).parent / other["file"]).resolve()
    if not file.is_relative_to(root) or not file.is_file():
        found.unread.append(other["file"])
        return
    path = file.relative_to(root).as_posix()
    if path in seen:
        return
    seen.add(path)
    if not _is_of_requirements(other):
        found.constraints.append(path)
    _read(root, path, found, seen, is_constraint=not _is_of_requirements(other))


def _is_of_requirements(other: re.Match[str]) -> bool:
    return other["option"].lstrip("-").startswith("r")


def _lines(text: str) -> Iterator[str]:
    """Lines without comments; a backslash at the end of one joins the next to it."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        if bare := _COMMENT.sub("", line).strip():
            yield bare
