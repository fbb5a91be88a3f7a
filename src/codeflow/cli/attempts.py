"""`codeflow run --attempts K`: several attempts at one task in worktrees of their own, the best of which is merged."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from codeflow.cli.isolation import added, discard_unused, drop, merge, tell, tell_more, tell_ways
from codeflow.cli.leaving import AbandonedCalls
from codeflow.cli.render.clean import one_line
from codeflow.cli.workplaces import all_worktrees, way_back
from codeflow.core.errors import CodeflowError, UsageError
from codeflow.core.results import Attempt, RunResult
from codeflow.core.text import listed
from codeflow.core.values import EXIT_CODES, Mode, Status, Task, Worktree

if TYPE_CHECKING:
    from codeflow.app.attempting import Offer
    from codeflow.cli.approval import TerminalApproval
    from codeflow.cli.attempts_screen import Screen
    from codeflow.cli.execute import Output
    from codeflow.core.ports import Emit
    from codeflow.core.settings import Settings
    from codeflow.orchestration.engine import Engine
    from codeflow.sessions.worktrees.adding import Survey

_MOST_NAMES = 5
_BY_THE_GATES = "the only one that the gates accept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for: how many attempts, begun by whom, whether all are kept and the price is agreed to."""

    count: int
    by: tuple[str, ...] = ()
    keep: bool = False
    yes: bool = False


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the attempts came to: the place of the chosen one and why, None for none, and the judge's run if any."""

    results: list[RunResult]
    place: int | None
    why: str = ""
    judged: RunResult | None = None


def run_attempts(
    settings: "Settings", task: Task, wanted: Wanted, *, output: "Output", quiet: bool, record: Path | None
) -> int:
    """Make the attempts, choose one and merge it into the user's branch; returns the exit code.

    Raises:
        UsageError: when there can be no worktrees, or the price was not agreed to; nothing has been done then.
    """
    from codeflow.app.attempting import offer
    from codeflow.sessions.worktrees.adding import check_identity, survey

    _check(task, record)
    found = survey(task.workspace, None, "--attempts")
    check_identity(found)
    offered = offer(settings, task, wanted.by, wanted.count, os.environ)
    if found.missing:
        names = listed(found.missing, _MOST_NAMES)
        tell(f"your uncommitted changes are in NO attempt, and none is merged over them: {names}")
    _agree(settings, offered, yes=wanted.yes)
    worktrees = all_worktrees()
    places: list[Worktree] = []
    try:
        places.extend(added(found, worktrees, settings) for _ in offered.starters)
        race = _Race(settings, task, offered, found, tuple(places), keep=wanted.keep)
        return race.run(output=output, quiet=quiet)
    except AbandonedCalls:
        raise
    except BaseException:
        for place in places:
            discard_unused(place, worktrees)
        raise


@dataclass(slots=True)
class _Race:
    """The attempts of one command."""

    settings: "Settings"
    task: Task
    offered: "Offer"
    found: "Survey"
    places: tuple[Worktree, ...]
    keep: bool

    def run(self, *, output: "Output", quiet: bool) -> int:
        """Let them run, choose, merge and show."""
        from codeflow.cli.attempts_screen import Screen
        from codeflow.cli.drive import InFlight, run_on_loop
        from codeflow.cli.streams import settle

        began = time.monotonic()
        screen, calls = Screen(output, quiet=quiet), InFlight()
        choice = run_on_loop(self._choose(self._engines(screen.person), screen, calls))
        result, ways = self._merged(choice, round(time.monotonic() - began, 3))
        screen.finish(result)
        settle()
        delivered = screen.delivered()
        for way in ways:
            tell(way)
        self._tell_kept(choice)
        code = EXIT_CODES[result.status] or EXIT_CODES[Status.DONE if delivered else Status.FAILED]
        if calls.possible:
            raise AbandonedCalls(code)
        return code

    def _engines(self, person: "TerminalApproval | None") -> "list[Engine]":
        starters = zip(self.offered.starters, self.places, strict=True)
        return [
            self._engine(
                replace(
                    starter.give(self.task),
                    workspace=place.folder,
                    worktree=place,
                    limits=self.offered.share,
                ),
                person.of(f"attempt {number}") if person else None,
            )
            for number, (starter, place) in enumerate(starters, 1)
        ]

    def _engine(self, task: Task, person: "TerminalApproval | None") -> "Engine":
        from codeflow.app.build import build
        from codeflow.sessions.worktrees.adding import notes

        return build(
            self.settings,
            task,
            env=os.environ,
            approve=person,
            decide=person.decide if person else None,
            notes=notes(self.found, task.worktree, 0) if task.worktree else (),
        )

    async def _choose(self, engines: "Sequence[Engine]", screen: "Screen", calls: "Emit") -> _Choice:
        """All attempts, then the gates' choice, and the judge's where that leaves several."""
        from codeflow.orchestration.attempts import accepted, cheapest, is_open, side_by_side

        listeners = [[screen.of(str(number)), calls] for number, _ in enumerate(engines, 1)]
        results = await side_by_side(engines, listeners)
        green = accepted(results)
        if not green or any(result.status is Status.INTERRUPTED for result in results):
            return _Choice(results, None)
        if len(green) == 1:
            return _Choice(results, green[0], _BY_THE_GATES)
        if not is_open(results, green):
            same = "all made the same change" if results[green[0]].diff else "all gave the same answer"
            return _Choice(results, cheapest(results, green), f"{same}; it cost least")
        return await self._judged(results, green, screen, calls)

    async def _judged(
        self, results: list[RunResult], green: list[int], screen: "Screen", calls: "Emit"
    ) -> _Choice:
        from codeflow.orchestration.attempts import cheapest, choice, judging, rest_of, side_by_side

        wanted = self.settings.attempts
        limits = rest_of(self.offered.limits, self.offered.share, results)
        task = judging(replace(self.task, limits=limits), results, green, diff_chars=wanted.diff_chars)
        person = screen.person.of("judge") if screen.person else None
        engine = self._engine(replace(task, agent=wanted.judge), person)
        (judged,) = await side_by_side([engine], [[screen.of("judge"), calls]])
        if judged.status is Status.INTERRUPTED:
            return _Choice(results, None, judged=judged)
        said = choice(judged.answer, green) if judged.status is Status.DONE else None
        if said is None:
            problem = judged.error or f"its answer names none of {', '.join(str(one + 1) for one in green)}"
            why = f"{wanted.judge} did not choose ({problem}); it is the cheapest that the gates accept"
            return _Choice(results, cheapest(results, green), why, judged)
        place, reason = said
        return _Choice(results, place, f"{wanted.judge}: {reason or 'without a reason'}", judged)

    def _merged(self, choice: _Choice, duration_s: float) -> tuple[RunResult, list[str]]:
        """The result of all, with the chosen attempt merged, and what to tell of that."""
        from codeflow.orchestration.attempts import billed, common_status

        base = choice.results[choice.place or 0]
        parts = [*choice.results, *([choice.judged] if choice.judged else [])]
        ways: list[str] = []
        if choice.place is None:
            result = _nothing(base, common_status(parts))
        else:
            result = self._take(base, choice.place, ways)
        kept = self._kept()
        result = replace(
            billed(result, parts),
            duration_s=duration_s,
            worktree=base.worktree if choice.place is not None and base.session_id in kept else None,
            attempts=tuple(
                _attempt(number, starter.name, one, choice.why if number - 1 == choice.place else "", kept)
                for number, (starter, one) in enumerate(
                    zip(self.offered.starters, choice.results, strict=True), 1
                )
            ),
        )
        return result, ways

    def _take(self, chosen: RunResult, place: int, ways: list[str]) -> RunResult:
        """Merge an attempt and drop the others; where it cannot be merged, all of them stay."""
        from codeflow.sessions.worktrees.ending import standing

        name = f"attempt {place + 1} ({self.offered.starters[place].name})"
        worktree = self.places[place]
        try:
            now = standing(worktree)
            if now.changed or now.ignored or now.moved:
                ways.append(f"{name}: {merge(worktree, chosen.session_id)}")
                record = all_worktrees().find(worktree.session_id)
                ways.extend([way_back(record)] if record else [])
            else:
                drop(worktree)
                ways.append(f"{name} changed nothing; its worktree is removed")
        except CodeflowError as error:
            problem = f"{name} was chosen, and could not be merged: {error}"
            return replace(chosen, status=Status.FAILED, error=problem, hint=error.hint or None)
        if not self.keep:
            for other in self.places:
                ways.extend(_dropped(other) if other != worktree else [])
        return chosen

    def _kept(self) -> set[str]:
        """The sessions whose worktrees are there now."""
        return {record.worktree.session_id for record in all_worktrees().open(self.task.workspace)}

    def _tell_kept(self, choice: _Choice) -> None:
        """How each attempt that is still there can be looked at."""
        from codeflow.sessions.worktrees.ending import standing

        kept = self._kept()
        for number, (place, result) in enumerate(zip(self.places, choice.results, strict=True), 1):
            if place.session_id not in kept:
                continue
            tell(f"attempt {number} ({self.offered.starters[number - 1].name}), {result.status}:")
            try:
                tell_ways(place, result, standing(place))
            except CodeflowError as error:
                tell_more(f"{error} {error.hint}")


def _check(task: Task, record: Path | None) -> None:
    """What makes no sense for several attempts."""
    if record is not None:
        raise UsageError("--record does not go with --attempts", hint="A transcript is that of one run.")
    if task.mode is Mode.PLAN or task.dry_run:
        flag = "--dry-run" if task.dry_run else "--mode plan"
        raise UsageError(
            f"{flag} does not go with --attempts",
            hint="Attempts change files, each in a worktree of its own.",
        )


def _agree(settings: "Settings", offered: "Offer", *, yes: bool) -> None:
    """Shows the price; over the threshold somebody has to agree to it.

    Raises:
        UsageError: when nobody is there to agree, or somebody does not.
    """
    from codeflow.cli.approval import can_ask
    from codeflow.cli.render.figures import dollars

    for number, (starter, cost) in enumerate(zip(offered.starters, offered.each, strict=True), 1):
        likely = "price unknown" if cost is None else f"about {dollars(cost)}"
        limit = "" if offered.share.max_cost is None else f", at most {dollars(offered.share.max_cost)}"
        tell(f"attempt {number} begins with {starter.name}: {likely}{limit}")
    expected = offered.expected
    about = "unknown" if expected is None else f"about {dollars(expected)}"
    most = "no limit" if offered.limits.max_cost is None else f"at most {dollars(offered.limits.max_cost)}"
    price = f"{len(offered.starters)} attempts and a judge: {about}, {most}"
    tell(price)
    threshold = settings.attempts.ask_over_usd
    if yes or threshold is None or (expected is not None and expected <= threshold):
        return
    if not can_ask():
        raise UsageError(
            f"{price}: more than attempts.ask_over_usd ({dollars(threshold)}), and nobody is here to be asked",
            hint="Give --yes to agree to it, or fewer attempts.",
        )
    sys.stderr.write(f"more than {dollars(threshold)}: go ahead? [y]es / [n]o: ")
    sys.stderr.flush()
    if not sys.stdin.readline().strip().lower().startswith("y"):
        raise UsageError("the price was not agreed to", hint="Nothing was spent.")


def _nothing(base: RunResult, status: Status) -> RunResult:
    """The result where no attempt was chosen."""
    return replace(
        base,
        status=status,
        answer="",
        plan=None,
        files_changed=(),
        diff="",
        gates=(),
        error="interrupted" if status is Status.INTERRUPTED else f"no attempt was accepted: {base.error}",
        hint="Every attempt is kept: `codeflow worktrees list`; `codeflow resume SESSION` goes on with one.",
        outputs=None,
        question=None,
        escalations=(),
    )


def _attempt(number: int, by: str, result: RunResult, why: str, kept: set[str]) -> Attempt:
    return Attempt(
        number=number,
        by=by,
        session_id=result.session_id,
        status=result.status,
        gates=result.gates,
        files_changed=len(result.files_changed),
        cost=result.cost,
        known_cost=result.known_cost,
        by_model=result.by_model,
        error=result.error,
        chosen=why,
        worktree=result.worktree if result.session_id in kept else None,
    )


def _dropped(worktree: Worktree) -> list[str]:
    """Drops a worktree; what went wrong with it, if anything."""
    try:
        drop(worktree)
    except CodeflowError as error:
        return [f"the worktree {one_line(str(worktree.path))} stays: {error}"]
    return []
