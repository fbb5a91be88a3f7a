"""A session as a page to read: what was asked, who did what, what the gates said, who agreed, what it cost."""

import os
from collections.abc import Iterable, Iterator, Sequence

from codeflow.cli.render.clean import clean, one_line
from codeflow.cli.render.figures import dollars, tokens, total_money
from codeflow.cli.render.html import Html, element, mark_of, page
from codeflow.cli.render.prose import STYLE, code
from codeflow.cli.render.session_end import end_part, gate_part
from codeflow.cli.render.session_turns import ToolCalls, folded, stray_result, told, turn
from codeflow.cli.reports import Report
from codeflow.core.cascade import Escalated
from codeflow.core.events import (
    AgentFinished,
    AgentStarted,
    ApprovalDecided,
    BaselineMeasured,
    BreakerChanged,
    Briefed,
    CallJudged,
    ConversationCompacted,
    Event,
    GateFinished,
    MessageAdded,
    ModelCalled,
    ModelRetried,
    Notice,
    PatternChosen,
    Planned,
    Routed,
    RunFinished,
    RunResumed,
    RunStarted,
    ToolFinished,
)
from codeflow.core.messages import MessageSent, UserHeard, UserSpoke
from codeflow.core.node_events import NodeFinished, NodeStarted
from codeflow.core.notes import NoteRemembered
from codeflow.core.permissions import Reach
from codeflow.core.redacted_events import redacted
from codeflow.core.redaction import Redactor
from codeflow.core.session_events import (
    CheckpointTaken,
    FilesCarried,
    SessionForked,
    SessionMoved,
    SessionNamed,
)
from codeflow.core.values import Plan, Spend

Timed = tuple[str, Event]
"""An event with the time it was written, in ISO form."""

_TITLE = 100
_STYLE = (
    STYLE
    + """
.task { white-space: pre-wrap; font-size: 1.05rem; padding: .6rem .75rem; border-left: 4px solid var(--mark);
  background: var(--box); margin: .5rem 0; }
.turn, .end { border: 1px solid var(--line); border-radius: 6px; padding: .6rem .75rem; margin: .75rem 0; }
.turn header { margin-bottom: .25rem; } .end { border-width: 2px; } .end h3 { margin-top: 0; }
p { margin: .35rem 0; }
"""
)


def session_page(session_id: str, timed: Iterable[Timed], problem: str = "") -> Report:
    """The page; `problem` is why the log could not be read further."""
    redact = Redactor(os.environ).redact  # logs of before 2026-11-21 hold what tools printed as it was
    entries = [(at, redacted(event, redact)) for at, event in timed]
    mark = mark_of(f"session {session_id}")
    title = _title(session_id, [event for _, event in entries])
    body = [*_head(session_id, title, entries), *_Story(entries).parts()]
    if problem:
        body.append(element("p", f"The log cannot be read further: {one_line(problem)}", class_="bad"))
    return Report(page(mark, f"{title} · codeflow", body, style=_STYLE), mark)


def _title(session_id: str, events: Sequence[Event]) -> str:
    names = [event.name for event in events if isinstance(event, SessionNamed)]
    tasks = [event.task for event in events if isinstance(event, RunStarted)]
    return one_line((names and names[-1]) or (tasks and tasks[0]) or session_id, _TITLE)


def _head(session_id: str, title: str, entries: Sequence[Timed]) -> Iterator[Html]:
    yield element("h1", title)
    spend, calls = Spend(), 0
    tasks: list[str] = []
    for _, event in entries:
        if isinstance(event, ModelCalled):
            spend, calls = spend.add(event.cost), calls + 1
        elif isinstance(event, RunStarted):
            tasks.append(one_line(event.task, _TITLE))
    times = [f"{at[:10]} {at[11:19]}" for at, _ in entries if at]
    span = f", {times[0]} to {times[-1]} UTC" if times else ""
    cost = total_money(spend.known, spend.unpriced_calls)
    yield element("p", f"Session {session_id}{span}: {calls} model calls, {cost}.", class_="soft")
    if len(tasks) > 1:
        links = [
            element("li", element("a", task, href=f"#task-{number}")) for number, task in enumerate(tasks, 1)
        ]
        yield element("ol", links)


class _Story:
    """Tells the events in their order; what belongs to an answer stands in it."""

    def __init__(self, entries: Sequence[Timed]) -> None:
        self._entries = entries
        self._calls = ToolCalls.of(event for _, event in entries)
        self._tasks = 0
        self._is_open = False
        self._checkpoint = ""

    def parts(self) -> Iterator[Html]:
        for at, event in self._entries:
            yield from self._part(at, event)
        if self._is_open:
            yield element("p", "The run did not end.", class_="warn")

    def _part(self, at: str, event: Event) -> Iterator[Html]:
        match event:
            case RunStarted():
                self._tasks, self._is_open = self._tasks + 1, True
                yield from _started(event, self._tasks)
            case RunResumed():
                self._is_open = True
                spent = f"{event.calls} model calls, {dollars(event.known_cost)}"
                yield element("h3", f"Resumed {at[:19].replace('T', ' ')} UTC; done before: {spent}")
            case RunFinished(result=result):
                self._is_open = False
                yield end_part(result)
            case MessageAdded():
                yield from told(event)
            case ModelCalled():
                yield turn(at, event, self._calls)
            case ToolFinished():
                if id(event) not in self._calls.shown:
                    yield stray_result(event, self._calls)
            case CheckpointTaken() if event.checkpoint_id == self._checkpoint:
                pass
            case CheckpointTaken():
                self._checkpoint = event.checkpoint_id
                yield _fact("saved", f"{event.checkpoint_id}, {event.files} files ({event.label})", "soft")
            case _:
                yield from _decision(event)


def _started(event: RunStarted, number: int) -> Iterator[Html]:
    yield element("h2", f"Task {number}", id=f"task-{number}")
    yield element("div", clean(event.task).strip(), class_="task")
    about = f"In {event.workspace}, mode {event.mode}, roster {event.roster}, codeflow {event.version}."
    yield element("p", one_line(about), class_="soft")
    for note in (*event.notes, *(f"not as the session left it: {path}" for path in event.not_as_said)):
        yield _fact("note", note, "warn")


def _decision(event: Event) -> Iterator[Html]:
    """What the run decided, and what people did."""
    match event:
        case Routed(route=route):
            yield _fact("route", f"{route.complexity} {route.kind} ({route.source}): {route.reason}")
        case PatternChosen():
            yield _fact("pattern", f"{event.pattern}: {event.reason}")
        case Planned(plan=plan):
            yield _planned(plan)
        case Briefed():
            told = (text for text in (event.instructions, event.facts) if text)
            yield folded("What agents are told of the workspace", map(code, told))
        case ApprovalDecided():
            reach = f"; from now on ({event.reach}): {event.rule}" if event.reach is not Reach.ONCE else ""
            words = f"you allowed it{reach}" if event.agreed else f"you refused: {event.reason}"
            yield _fact("answer", f"{event.tool} {event.summary}: {words}", "warn")
        case CallJudged(outcome="asked"):
            yield _fact("asked", f"{event.tool} {event.summary}: {event.reason}", "warn")
        case CallJudged(agent="gates", outcome="denied"):
            yield _fact("refused", f"{event.tool} {event.summary}: {event.reason}", "bad")
        case GateFinished(result=gate):
            yield gate_part(gate)
        case BaselineMeasured():
            yield _fact("before the first change", "")
            yield from map(gate_part, event.results)
        case _:
            yield from _work(event)


def _work(event: Event) -> Iterator[Html]:
    """Agents and nodes, and what passes between them."""
    match event:
        case Escalated():
            yield _fact("handed", f"{event.from_agent} → {event.to_agent}: {event.reason}", "warn")
        case AgentStarted():
            visit = f", visit {event.visit}" if event.visit > 1 else ""
            yield element("h3", one_line(f"{event.agent} ({event.model}{visit})"))
        case AgentFinished(ok=False):
            yield _fact(event.agent, f"failed: {event.summary}", "bad")
        case NodeStarted():
            visit = f", visit {event.visit}" if event.visit > 1 else ""
            yield _fact("node", f"{event.node}: {event.work}{visit}")
        case NodeFinished():
            said = "" if event.ok else f": {event.summary}"
            yield _fact("node", f"{event.node} {event.status}{said}", "soft" if event.ok else "warn")
        case MessageSent():
            yield _fact("message", f"{event.sender} → {event.to} ({event.purpose}): {event.content}")
        case NoteRemembered(note=note):
            yield _fact("noted", f"{note.id} ({note.scope}): {note.text}")
        case ConversationCompacted():
            change = f"{tokens(event.before_tokens)} → {tokens(event.after_tokens)} tokens"
            yield _fact("context", f"{event.agent}: {change} ({event.method})", "soft")
        case _:
            yield from _trouble(event)


def _trouble(event: Event) -> Iterator[Html]:
    """What went wrong on the way, and what became of the session itself."""
    match event:
        case ModelRetried():
            target = "the same model" if event.next_model == event.model else event.next_model
            yield _fact("retry", f"{event.agent}: {event.reason}; {target} in {event.delay_s:.1f} s", "warn")
        case BreakerChanged():
            yield _fact("circuit", f"{event.model} in {event.region}: {event.state}, {event.reason}", "warn")
        case Notice():
            yield _fact(event.level, event.text, "warn" if event.level == "warning" else "soft")
        case SessionForked():
            yield _fact("forked", f"from {event.checkpoint_id or event.parent}")
        case SessionMoved():
            yield _fact(
                "moved",
                f"to files that it had not left here; put in place: {', '.join(event.written) or 'none'}",
            )
        case FilesCarried():
            yield _fact(
                "carried", f"for other machines: {', '.join(one.path for one in event.files) or 'no file'}"
            )
        case UserSpoke():
            yield _fact("you said", event.content)
        case UserHeard():
            yield _fact("heard", f"{event.agent} was told what you said", "soft")
        case _:
            pass


def _fact(label: str, text: str, kind: str | None = None) -> Html:
    return element("p", element("b", one_line(label)), f" {one_line(text, 4000)}", class_=kind)


def _planned(plan: Plan) -> Html:
    steps = [
        element("li", element("b", one_line(step.specialist)), f": {one_line(step.goal)}", _of(step.files))
        for step in plan.steps
    ]
    accepted = [
        element("p", "Accepted when ", element("code", one_line(one)), " succeeds") for one in plan.acceptance
    ]
    risks = [_fact("risk", one, "warn") for one in plan.risks]
    return element(
        "section", element("h3", f"Plan: {one_line(plan.summary)}"), element("ol", steps), accepted, risks
    )


def _of(files: Sequence[str]) -> str:
    return f" ({', '.join(map(one_line, files))})" if files else ""
