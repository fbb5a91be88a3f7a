"""Several attempts at one task: side by side, each with its share of the limits, then one of them is chosen."""

import asyncio
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, Decimal

from pydantic import BaseModel, ConfigDict, ValidationError

from codeflow.core.attempts import JUDGE
from codeflow.core.events import Event, RunFinished
from codeflow.core.ports import Emit
from codeflow.core.redaction import Redactor
from codeflow.core.results import RunResult, Share
from codeflow.core.values import Complexity, Limits, Mode, Pattern, Status, Task, Usage
from codeflow.orchestration.briefs import Candidate, choice_message
from codeflow.orchestration.engine import Engine
from codeflow.orchestration.replies import last_object

MOST = 8
PATTERNS = frozenset({Pattern.CASCADE, Pattern.GRAPH})
"""Arrangements that an attempt may begin with instead of an agent or a model."""
_OF_TEN_FOR_THE_ATTEMPTS = 9
_SMALLEST_SHARE = Decimal("0.0001")
_JUDGE_TURNS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """Who begins an attempt, by the name that the user gave."""

    name: str
    agent: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    pattern: Pattern | None = None

    def give(self, task: Task) -> Task:
        """The task, to be begun by this one."""
        models = {**task.models, **self.models}
        return replace(task, agent=self.agent, pattern=self.pattern, models=models)


class _Choice(BaseModel):
    """The end of a judge's answer."""

    model_config = ConfigDict(extra="ignore")

    attempt: int
    reason: str = ""


def share_of(limits: Limits, count: int) -> Limits:
    """What each of so many attempts may spend: all alike, so that none takes another's; a tenth is left for the judge."""
    cost, tokens = limits.max_cost, limits.max_tokens
    if cost is not None:
        cost = (cost * _OF_TEN_FOR_THE_ATTEMPTS / (10 * count)).quantize(_SMALLEST_SHARE, ROUND_DOWN)
    if tokens is not None:
        tokens = tokens * _OF_TEN_FOR_THE_ATTEMPTS // (10 * count)
    return replace(limits, max_cost=cost, max_tokens=tokens)


def rest_of(limits: Limits, each: Limits, results: Iterable[RunResult]) -> Limits:
    """What the attempts have left of the limits; one with a call of unknown cost is taken to have used all its share."""
    cost, tokens = limits.max_cost, limits.max_tokens
    for result in results:
        if cost is not None and each.max_cost is not None:
            cost -= max(each.max_cost, result.known_cost) if result.cost is None else result.cost
        if tokens is not None and each.max_tokens is not None:
            used = result.usage.prompt_tokens + result.usage.output_tokens
            tokens -= max(each.max_tokens, used) if result.cost is None else used
    return replace(
        limits,
        max_cost=None if cost is None else max(cost, Decimal(0)),
        max_tokens=None if tokens is None else max(tokens, 0),
    )


async def side_by_side(engines: Sequence[Engine], listeners: Sequence[Sequence[Emit]]) -> list[RunResult]:
    """Runs all to their ends; one that fails leaves the others alone, and a cancellation ends each of them properly.

    Raises:
        Exception: what kept one from having a result, once all have ended.
    """
    heard: list[list[RunResult]] = [[] for _ in engines]
    runs = [
        asyncio.ensure_future(engine.run([*others, _noting(results)]))
        for engine, others, results in zip(engines, listeners, heard, strict=True)
    ]
    try:
        await asyncio.wait(runs)
    except asyncio.CancelledError:
        _uncancel()
        for run in runs:
            run.cancel()
        await asyncio.wait(runs)
    faults = [None if run.cancelled() else run.exception() for run in runs]
    if lost := [fault for fault, results in zip(faults, heard, strict=True) if fault and not results]:
        raise lost[0]
    return [_with_fault(results[-1], fault) for results, fault in zip(heard, faults, strict=True)]


def accepted(results: Sequence[RunResult]) -> list[int]:
    """Places of the results that the gates accept; where some of them changed files, only those."""
    done = [place for place, result in enumerate(results) if result.status is Status.DONE]
    return [place for place in done if results[place].files_changed] or done


def cheapest(results: Sequence[RunResult], among: Iterable[int]) -> int:
    """The place of the one that cost least, those of unknown cost last."""
    return min(among, key=lambda place: (results[place].cost is None, results[place].known_cost))


def is_open(results: Sequence[RunResult], among: Collection[int]) -> bool:
    """Whether there is anything to choose: several, and not all with the same change, or the same answer to a question."""
    changes = {results[place].diff for place in among}
    return len(changes) > 1 or (changes == {""} and len({results[place].answer for place in among}) > 1)


def judging(task: Task, results: Sequence[RunResult], among: Iterable[int], *, diff_chars: int) -> Task:
    """The judge's task, but for its agent and its limits: it reads, in the user's own folder."""
    places = [*among]
    is_change = any(results[place].diff for place in places)
    shown = [
        Candidate(
            place + 1, results[place].diff if is_change else results[place].answer, results[place].gates
        )
        for place in places
    ]
    return replace(
        task,
        text=choice_message(task.text, shown, "diff" if is_change else "answer", diff_chars),
        mode=Mode.PLAN,
        pattern=Pattern.SINGLE,
        complexity=results[0].complexity or Complexity.MEDIUM,
        limits=replace(task.limits, max_turns=min(task.limits.max_turns, _JUDGE_TURNS)),
        command={"name": JUDGE},
    )


def choice(answer: str, among: Collection[int]) -> tuple[int, str] | None:
    """The place that a judge chose and why; None where the answer is no choice."""
    try:
        said = _Choice.model_validate(last_object(answer) or {})
    except ValidationError:
        return None
    place = said.attempt - 1
    return (place, " ".join(said.reason.split())) if place in among else None


def billed(result: RunResult, parts: Sequence[RunResult]) -> RunResult:
    """A result with the bill of several runs."""
    costs = [part.cost for part in parts]
    known = [cost for cost in costs if cost is not None]
    return replace(
        result,
        usage=sum((part.usage for part in parts), Usage()),
        cost=sum(known, Decimal(0)) if len(known) == len(costs) else None,
        known_cost=sum((part.known_cost for part in parts), Decimal(0)),
        unpriced_calls=sum(part.unpriced_calls for part in parts),
        by_agent=_merged(share for part in parts for share in part.by_agent),
        by_model=_merged(share for part in parts for share in part.by_model),
        model_calls=sum(part.model_calls for part in parts),
    )


def common_status(results: Sequence[RunResult]) -> Status:
    """How attempts ended of which none is chosen: as all of them did, else failed; interrupted if one was."""
    statuses = {result.status for result in results}
    if Status.INTERRUPTED in statuses:
        return Status.INTERRUPTED
    only = statuses.pop() if len(statuses) == 1 else Status.FAILED
    return Status.FAILED if only is Status.DONE else only


def _merged(shares: Iterable[Share]) -> tuple[Share, ...]:
    """Shares of one name as one, the dearest first."""
    sums: dict[str, Share] = {}
    for share in shares:
        before = sums.get(share.name)
        sums[share.name] = share if before is None else _both(before, share)
    return tuple(sorted(sums.values(), key=lambda share: (-share.known_cost, share.name)))


def _both(one: Share, other: Share) -> Share:
    return Share(
        name=one.name,
        calls=one.calls + other.calls,
        usage=one.usage + other.usage,
        cost=None if one.cost is None or other.cost is None else one.cost + other.cost,
        known_cost=one.known_cost + other.known_cost,
    )


def _with_fault(result: RunResult, fault: BaseException | None) -> RunResult:
    """The result of a run that a fault inside codeflow may have ended, which is told."""
    if fault is None:
        return result
    told = Redactor(os.environ).redact(f"{result.error}: {type(fault).__name__}: {fault}")
    return replace(result, error=told)


def _noting(results: list[RunResult]) -> Emit:
    """What listeners hear has its credentials taken out, which what an engine returns has not."""

    def note(event: Event) -> None:
        if isinstance(event, RunFinished):
            results.append(event.result)

    return note


def _uncancel() -> None:
    current = asyncio.current_task()
    if current is not None:
        current.uncancel()
