"""Prints what a solved task costs by pattern, size of task and roster; run by `make bench-cost`, in some minutes.

Measured: tokens and calls of every visit, in real runs whose models' words are scripted (tests/bench/cost_runs.py).
Stated: the chances below. Calculated: the rest, at the prices of config/models.toml (tests/bench/cost_law.py).
"""

import argparse
import json
import multiprocessing
import sys
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.bench.cost_law import Visit, When, average, break_even, cost_per_solved
from tests.bench.cost_runs import WAYS, Way, measure

from codeflow.core.values import Complexity

# Chances of green gates. Assumed, none is measured: the beliefs that codeflow starts with ([cascade.chances] in
# config/settings.toml), the same for every roster, so that rosters differ here by price and caching alone.
CHANCES: dict[str, Any] = {
    "SIMPLE": {"fast_coder": 0.85, "senior_coder": 0.92, "lead_coder": 0.95, "debugger": 0.75},
    "MEDIUM": {"fast_coder": 0.45, "senior_coder": 0.80, "lead_coder": 0.88, "debugger": 0.60},
    "COMPLEX": {"fast_coder": 0.20, "senior_coder": 0.65, "lead_coder": 0.75, "debugger": 0.50},
    "taking_over": 0.75,  # assumed: a coder's chance shrinks to this share of it on what others have failed at
    "debugger_again": 0.5,  # assumed: likewise the debugger's, on every round after its first
    "prepared": 0.25,  # assumed: of a coder's failures, the share that a plan or a failing test before it averts
}

SIZES = (Complexity.SIMPLE, Complexity.MEDIUM, Complexity.COMPLEX)
ROSTERS = ("current", "classic", "open")
HEADS = (
    "task", "way", "calls", "prompt", "cached", "output", "a try", "green", "solved", "of the cheapest single", "pays above",
)  # fmt: skip

Courses = dict[tuple[str, str, str], list[Visit]]
"""Roster, size and way -> the visits of its run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to do a task, with its price per solved task; `threshold` as of `break_even`, against `rival`."""

    way: str
    course: list[Visit]
    solved: float
    rival: str = ""
    threshold: float | None = None


def believed(course: list[Visit], chances: Mapping[str, Any], size: str) -> list[Visit]:
    """The course with everybody's chance, by their place in it."""
    found: list[Visit] = []
    for visit in course:
        if visit.when is not When.WHILE_RED:
            found.append(visit)
            continue
        chance = chances[size][visit.agent]
        before = [other.agent for other in found if other.when is When.WHILE_RED]
        if visit.agent in before:
            chance *= chances["debugger_again"]
        elif before and visit.agent != "debugger":
            chance *= chances["taking_over"]
        elif any(other.agent != "router" for other in found) and not before:
            chance = 1 - (1 - chance) * (1 - chances["prepared"])
        found.append(replace(visit, chance=chance))
    return found


def rows(measured: Mapping[str, list[Visit]], chances: Mapping[str, Any], size: str, red: float) -> list[Row]:
    """All ways to do a task of one size with one roster; `red`: dollars that a person loses with a red try."""
    courses = {way: believed(course, chances, size) for way, course in measured.items()}
    solved = {way: cost_per_solved(average(course), red) for way, course in courses.items()}
    return [
        Row(
            way=way.name,
            course=courses[way.name],
            solved=solved[way.name],
            rival=way.rival,
            threshold=break_even(courses[way.name], solved[way.rival], red) if way.rival else None,
        )
        for way in WAYS
    ]


def table(sizes: Mapping[str, list[Row]]) -> Iterator[str]:
    """One roster's table in Markdown, then in words what costs more than the cheapest single agent."""
    yield "| " + " | ".join(HEADS) + " |"
    yield "|---|---|" + "--:|" * (len(HEADS) - 3) + "---|"
    words = []
    for size, found in sizes.items():
        single = min((row for row in found if not row.rival), key=lambda row: row.solved)
        for row in found:
            yield "| " + " | ".join([size, row.way, *_figures(row), *_compared(row, single)]) + " |"
        dearer = [
            f"{r.way} {r.solved / single.solved:.1f} times"
            for r in found
            if r.solved > single.solved and r.rival
        ]
        cheaper = [r.way for r in found if r.solved <= single.solved and r.rival]
        words.append(
            f"- {size}: cheapest single agent: {single.way}, ${single.solved:.4f} a solved task. "
            f"Dearer: {', '.join(dearer) or 'nothing'}. Not dearer: {', '.join(cheaper) or 'nothing'}."
        )
    yield ""
    yield from words


def _figures(row: Row) -> Iterator[str]:
    one = average(row.course)
    yield f"{one.calls:.1f}"
    yield f"{one.prompt_tokens / 1000:,.0f}k"
    yield f"{one.cached_tokens / one.prompt_tokens:.0%}"
    yield f"{one.output_tokens / 1000:.1f}k"
    yield f"${one.cost:.4f}"
    yield f"{one.green:.1%}"
    yield f"${row.solved:.4f}"


def _compared(row: Row, single: Row) -> Iterator[str]:
    yield f"{row.solved / single.solved:.2f}"
    if not row.rival:
        yield ""
        return
    first = next(visit.agent for visit in row.course if visit.when is When.WHILE_RED)
    threshold = (
        "never" if row.threshold is None else f"{first} {row.threshold:.0%}" if row.threshold else "always"
    )
    yield f"{threshold}, against {row.rival}"


def overridden(path: Path) -> dict[str, Any]:
    """The chances with those of a TOML file in their place.

    Raises:
        ValueError: naming what the file holds that is no chance.
    """
    chances = {key: dict(value) if isinstance(value, dict) else value for key, value in CHANCES.items()}
    for key, value in tomllib.loads(path.read_text(encoding="utf-8")).items():
        known = chances.get(key)
        given = value if isinstance(value, dict) else {key: value}
        place = known if isinstance(known, dict) else chances
        if isinstance(known, dict) != isinstance(value, dict) or not given.keys() <= place.keys():
            raise ValueError(f"{key}: unknown; known are {', '.join(CHANCES)} and agents within a size")
        for name, chance in given.items():
            if isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 <= chance <= 1:
                raise ValueError(f"{key}: {name} has to be from 0 to 1, not {chance!r}")
        place.update(given)
    return chances


def measured(rosters: list[str]) -> Courses:
    """Every course, each run in a process that serves itself; the processes share nothing."""
    jobs = [(roster, size, way) for roster in rosters for size in SIZES for way in WAYS]
    fresh = multiprocessing.get_context("spawn")
    courses: Courses = {}
    with ProcessPoolExecutor(mp_context=fresh) as pool:
        for number, ((roster, size, way), course) in enumerate(
            zip(jobs, pool.map(_measure, jobs), strict=True)
        ):
            courses[roster, size, way.name] = course
            sys.stderr.write(f"{number + 1} of {len(jobs)}: {roster}, {size}, {way.name}\n")
    return courses


def _measure(job: tuple[str, Complexity, Way]) -> list[Visit]:
    return measure(*job)


def kept(path: Path | None, rosters: list[str]) -> Courses:
    """The courses from a file of an earlier measurement; measured, and written to it, when there is none."""
    if path and path.exists():
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {
            tuple(key.split("|")): [Visit(**{**one, "when": When(one["when"])}) for one in course]
            for key, course in stored.items()
        }
    courses = measured(rosters)
    if path:
        plain = {
            "|".join(key): [{**asdict(one), "when": one.when.value} for one in course]
            for key, course in courses.items()
        }
        path.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    return courses


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cost", description=__doc__)
    parser.add_argument(
        "--roster", action="append", choices=ROSTERS, help=f"again for more; default: {', '.join(ROSTERS)}"
    )
    parser.add_argument("--chances", type=Path, help="TOML that replaces some of CHANCES, in its shape")
    parser.add_argument(
        "--red-cost", type=float, default=0.0, help="dollars that a try with red gates costs a person [0]"
    )
    parser.add_argument("--volumes", type=Path, help="JSON: take measurements from it, or keep them there")
    given = parser.parse_args()
    try:
        given.chances = overridden(given.chances) if given.chances else CHANCES
    except (OSError, ValueError) as error:
        parser.exit(2, f"--chances {given.chances}: {error}\n")
    return given


def main() -> None:
    given = arguments()
    rosters = given.roster or list(ROSTERS)
    courses = kept(given.volumes, rosters)
    if missing := set(rosters) - {roster for roster, _, _ in courses}:
        raise SystemExit(
            f"{given.volumes} has no measurements of {', '.join(missing)}: remove it to measure anew"
        )
    for roster in rosters:
        sizes = {
            str(size): rows(
                {way.name: courses[roster, size, way.name] for way in WAYS},
                given.chances,
                size,
                given.red_cost,
            )
            for size in SIZES
        }
        sys.stdout.write(f"Roster `{roster}`\n\n" + "\n".join(table(sizes)) + "\n\n")


if __name__ == "__main__":
    main()
