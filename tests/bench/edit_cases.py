"""Edits that were really made: the differences between two releases of a package, fetched by pip."""

import difflib
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

RELEASES = ("httpx==0.26.0==0.27.0", "click==8.1.8==8.2.0")
HUNKS = 40
CONTEXT = 3
LARGEST_HUNK = 40
SEED = 3

Label = Literal["apply", "either", "refuse"]


@dataclass(frozen=True, slots=True)
class Case:
    """An edit of a file's content; `expected` is None where every change would be wrong."""

    content: str
    old: str
    new: str
    expected: str | None


Damage = Callable[[Case, random.Random], Case]


def release(folder: Path, name: str, version: str) -> dict[str, str]:
    """The Python files of a wheel by their paths."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
    ]
    target = folder / version
    subprocess.run([*command, "--dest", str(target), f"{name}=={version}"], check=True)
    with zipfile.ZipFile(next(target.glob("*.whl"))) as wheel:
        return {
            path: wheel.read(path).decode().replace("\r\n", "\n")
            for path in wheel.namelist()
            if path.endswith(".py")
        }


def hunks(before: str, after: str) -> Iterator[Case]:
    """Each difference alone, with its context, where that makes it unique in the file."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    for group in difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(CONTEXT):
        old_from, old_to, new_from, new_to = group[0][1], group[-1][2], group[0][3], group[-1][4]
        here, there = "".join(old[old_from:old_to]), "".join(new[new_from:new_to])
        if old_to - old_from <= LARGEST_HUNK and before.count(here) == 1 and here.strip():
            yield Case(before, here, there, "".join(old[:old_from]) + there + "".join(old[old_to:]))


def cases(folder: Path, releases: Sequence[str]) -> Iterator[Case]:
    """Some hunks of each package, chosen by chance."""
    for pair in releases:
        name, *versions = pair.split("==")
        before, after = (release(folder, name, version) for version in versions)
        found = [
            case for path in sorted(before.keys() & after.keys()) for case in hunks(before[path], after[path])
        ]
        yield from random.Random(SEED).sample(found, min(HUNKS, len(found)))


def shared_ends(case: Case) -> tuple[int, int]:
    """How many lines old and new begin and end with alike."""
    old, new = case.old.splitlines(), case.new.splitlines()
    head = next(
        (n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new))
    )
    rest = list(zip(old[head:][::-1], new[head:][::-1], strict=False))
    return head, next((n for n, (a, b) in enumerate(rest) if a != b), len(rest))


def lead(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
