"""Prints how edits from real releases fare when they are damaged; run by `make bench`.

The edits are the differences between two releases of two packages, fetched by pip;
`python -m tests.bench.edits NAME==OLD==NEW ...` takes others.
"""

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from tests.bench.edit_cases import RELEASES, SEED, Case, Label, cases
from tests.bench.edit_damages import DAMAGES
from tests.bench.edit_patches import applied, codex_style, unified

from codeflow.syntax.problems import problems
from codeflow.tools.edits import engine
from codeflow.tools.edits.changeset import new_problems
from codeflow.tools.edits.ladder import Edit
from codeflow.tools.tool import Mistake

Apply = Callable[[Case], str | None]
"""What a tool makes of the file; None when it refuses."""
Scores = dict[str, Counter[str]]
"""How often a tool was right, refused and was wrong, by damage."""
NOT_AS_PATCH = {"old stripped"}
"""A patch says itself which blank lines it adds, so these are others."""
Labelled = tuple[str, Label, Case]
"""A damage, what is sane with it, and the damaged edit."""
LABELS = ("apply", "either", "refuse", "")
VERDICTS = ("right", "refused", "wrong")


def edit_file(case: Case) -> str | None:
    newline = "\r\n" if "\r\n" in case.content else "\n"
    edit = Edit(case.old.replace("\r\n", "\n"), case.new.replace("\r\n", "\n"))
    try:
        return engine.apply(case.content, edit, newline, partial(new_problems, problems, "file.py"))
    except Mistake:
        return None


def exact_once(case: Case) -> str | None:
    return case.content.replace(case.old, case.new) if case.content.count(case.old) == 1 else None


def damaged(base: Iterable[Case]) -> Iterator[Labelled]:
    """Every damage done to every edit that it touches."""
    base = list(base)
    rng = random.Random(SEED)
    for name, (label, damage) in DAMAGES.items():
        for case in base:
            changed = damage(case, rng)
            if changed != case or name == "none":
                yield name, label, changed


def verdict(label: Label, expected: str | None, result: str | None) -> str:
    if result is None:
        return "right" if label == "refuse" else "refused"
    return "right" if result == expected else "wrong"


def measure(found: Iterable[Labelled], apply: Apply) -> Scores:
    scores: Scores = {name: Counter() for name in DAMAGES}
    for name, label, case in found:
        scores[name][verdict(label, case.expected, apply(case))] += 1
    return scores


def total(scores: Scores, label: str = "") -> Counter[str]:
    """The scores of all damages with a label; of all when there is none."""
    return sum((scores[name] for name in DAMAGES if DAMAGES[name][0] == label or not label), Counter())


def row(name: str, label: str, *scores: Counter[str]) -> str:
    cells = [f"{score[kind]:>7}" for score in scores for kind in VERDICTS]
    return f"{name:30} {label:7} {scores[0].total():>5} {' '.join(cells)}"


def table(ours: Scores, exact: Scores) -> Iterator[str]:
    yield f"{'':44} {'codeflow':^23} {'exact once':^23}"
    yield f"{'damage':30} {'sane':7} cases {'  right refused   wrong ' * 2}"
    for name, (label, _) in DAMAGES.items():
        yield row(name, label, ours[name], exact[name])
    for sane in LABELS:
        yield row(f"total {sane}", sane, total(ours, sane), total(exact, sane))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        base = list(cases(Path(folder), sys.argv[1:] or RELEASES))
    found = list(damaged(base))
    started = time.perf_counter()
    ours = measure(found, edit_file)
    seconds = time.perf_counter() - started
    lines = [*table(ours, measure(found, exact_once)), ""]
    patches = [case for case in found if case[0] not in NOT_AS_PATCH]
    for name, style in (("apply_patch, unified diff", unified), ("apply_patch, codex's style", codex_style)):
        scores = measure(patches, lambda case, style=style: applied(case.content, style(case)))  # type: ignore[misc]
        lines += [
            row(name, label or "all", total(scores, label)) for label in ("apply", "either", "refuse", "")
        ]
    lines.append(f"{len(base)} edits; {seconds / len(found) * 1000:.1f} ms a case")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
