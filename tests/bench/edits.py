"""Prints how edits from real releases fare when they are damaged; run by `make bench`.

The edits are the differences between two releases of two packages, fetched by pip;
`python -m tests.bench.edits NAME==OLD==NEW ...` takes others.
"""

import difflib
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from tests.bench.edit_damages import DAMAGES, Case, Label

from codeflow.syntax.problems import problems
from codeflow.tools.edits import engine
from codeflow.tools.edits.changeset import new_problems
from codeflow.tools.edits.ladder import Edit
from codeflow.tools.tool import Mistake

RELEASES = ("httpx==0.26.0==0.27.0", "click==8.1.8==8.2.0")
HUNKS = 40
CONTEXT = 3
LARGEST_HUNK = 40
SEED = 3

Apply = Callable[[Case], str | None]


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


def ladder(case: Case) -> str | None:
    """What edit_file makes of it; None when it refuses."""
    newline = "\r\n" if "\r\n" in case.content else "\n"
    edit = Edit(case.old.replace("\r\n", "\n"), case.new.replace("\r\n", "\n"))
    try:
        return engine.apply(case.content, edit, newline, partial(new_problems, problems, "file.py"))
    except Mistake:
        return None


def exact_once(case: Case) -> str | None:
    return case.content.replace(case.old, case.new) if case.content.count(case.old) == 1 else None


def verdict(label: Label, expected: str | None, result: str | None) -> str:
    if result is None:
        return "right" if label == "refuse" else "refused"
    return "right" if result == expected else "wrong"


def measure(base: list[Case], apply: Apply) -> dict[str, Counter[str]]:
    scores: dict[str, Counter[str]] = {}
    rng = random.Random(SEED)
    for name, (label, damage) in DAMAGES.items():
        scores[name] = Counter()
        for case in base:
            damaged = damage(case, rng)
            if damaged != case or name == "none":
                scores[name][verdict(label, damaged.expected, apply(damaged))] += 1
    return scores


def row(name: str, label: str, *scores: Counter[str]) -> str:
    cells = [f"{score[kind]:>7}" for score in scores for kind in ("right", "refused", "wrong")]
    return f"{name:30} {label:7} {sum(scores[0].values()):>5} {' '.join(cells)}"


def table(ours: dict[str, Counter[str]], exact: dict[str, Counter[str]]) -> Iterator[str]:
    yield f"{'':44} {'codeflow':^23} {'exact once':^23}"
    yield f"{'damage':30} {'sane':7} cases {'  right refused   wrong ' * 2}"
    for name, (label, _) in DAMAGES.items():
        yield row(name, label, ours[name], exact[name])
    for total in ("apply", "either", "refuse", ""):
        names = [name for name in DAMAGES if DAMAGES[name][0] == total or not total]
        yield row(f"total {total}", total, *(sum((s[n] for n in names), Counter()) for s in (ours, exact)))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        base = list(cases(Path(folder), sys.argv[1:] or RELEASES))
    started = time.perf_counter()
    ours = measure(base, ladder)
    seconds = time.perf_counter() - started
    lines = list(table(ours, measure(base, exact_once)))
    count = sum(score.total() for score in ours.values())
    lines.append(f"{len(base)} edits; {seconds / count * 1000:.1f} ms a case")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
