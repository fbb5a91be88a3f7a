"""A session in short: what was asked, what came of it, what it cost. From the log alone, so it costs nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from codeflow.cli.render.clean import one_line
from codeflow.cli.render.figures import total_money
from codeflow.core.events import (
    ApprovalDecided,
    Event,
    ModelCalled,
    Planned,
    RunFinished,
    RunStarted,
    ToolFinished,
)
from codeflow.core.messages import UserSpoke
from codeflow.core.results import RunResult
from codeflow.core.session_events import SessionForked
from codeflow.core.values import FileChange, Plan, Spend

_ANSWER_CHARS = 400


@dataclass(slots=True)
class _Run:
    task: str
    result: RunResult | None = None
    plan: Plan | None = None
    answers: list[str] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)

    def lines(self) -> Iterator[str]:
        yield f"asked: {one_line(self.task, _ANSWER_CHARS)}"
        if self.plan:
            yield f"plan: {one_line(self.plan.summary)} ({len(self.plan.steps)} steps)"
        yield from self.answers
        if self.result is None:
            yield "did not end" + (
                f"; changed so far: {', '.join(sorted(self.changed))}" if self.changed else ""
            )
        else:
            yield from _outcome(self.result)


def summary(events: Iterable[Event]) -> Iterator[str]:
    """A line for each fact; the runs in order, then the whole."""
    runs: list[_Run] = []
    spend, calls = Spend(), 0
    for event in events:
        match event:
            case SessionForked():
                yield f"forked from {event.checkpoint_id or event.parent}"
            case RunStarted():
                runs.append(_Run(event.task))
            case ModelCalled():
                spend, calls = spend.add(event.cost), calls + 1
            case _ if runs:
                _note(runs[-1], event)
    for number, run in enumerate(runs, 1):
        first, *rest = run.lines()
        yield f"{number}. {first}"
        yield from (f"   {line}" for line in rest)
    yield f"in all: {len(runs)} tasks, {calls} model calls, {total_money(spend.known, spend.unpriced_calls)}"


def _note(run: _Run, event: Event) -> None:
    match event:
        case Planned(plan=plan):
            run.plan = plan
        case ApprovalDecided():
            words = "you agreed to" if event.agreed else f"you refused ({one_line(event.reason)})"
            run.answers.append(f"{words} {event.tool} {one_line(event.summary)}")
        case UserSpoke():
            run.answers.append(f"you said: {one_line(event.content, _ANSWER_CHARS)}")
        case ToolFinished():
            run.changed.update(event.changed)
        case RunFinished(result=result):
            run.result = result
        case _:
            pass


def _outcome(result: RunResult) -> Iterator[str]:
    words = result.status.replace("_", " ")
    yield f"{words}: {one_line(result.answer or result.error or 'without an answer', _ANSWER_CHARS)}"
    if result.error and result.answer:
        yield f"because: {one_line(result.error)}"
    if result.question:
        yield f"waits for: {one_line(f'{result.question.tool} {result.question.summary}')}"
    if result.files_changed:
        yield f"files: {', '.join(map(_change, result.files_changed))}"
    if result.gates:
        verdicts = (f"{gate.name} {gate.status.replace('_', ' ')}" for gate in result.gates)
        yield f"gates: {', '.join(verdicts)}"


def _change(change: FileChange) -> str:
    return f"{one_line(change.path)} +{change.added_lines} -{change.removed_lines}"
