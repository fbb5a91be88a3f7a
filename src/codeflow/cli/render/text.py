"""A run for people: permanent lines for what happened, then the answer and what it took."""

import os
from functools import cached_property
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from codeflow.cli.render.clean import first_lines, one_line
from codeflow.cli.render.console import is_rich
from codeflow.cli.render.ending import show_answer, show_evidence
from codeflow.cli.render.figures import dollars, tokens
from codeflow.cli.render.progress import Moving, Progress
from codeflow.core.cascade import Escalated
from codeflow.core.events import (
    AgentFinished,
    AgentStarted,
    ApprovalDecided,
    BreakerChanged,
    ConversationCompacted,
    Event,
    GateFinished,
    ModelCalled,
    ModelRetried,
    Notice,
    PatternChosen,
    Planned,
    Routed,
    RunFinished,
    RunResumed,
    RunStarted,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from codeflow.core.messages import SEND_MESSAGE, MessageSent, UserHeard, UserSpoke
from codeflow.core.node_events import NodeFinished, NodeStarted
from codeflow.core.notes import Note, NoteRemembered
from codeflow.core.redaction import Redactor
from codeflow.core.session_events import CheckpointTaken
from codeflow.core.values import GateResult, GateStatus, Plan

if TYPE_CHECKING:
    from codeflow.cli.render.markdown import Stream

_AGENT_LINES = 3
_GATE_LINES = 5
_GATE_MARKS = {
    GateStatus.GREEN: ("✓", "green"),
    GateStatus.RED: ("✗", "red"),
    GateStatus.ALREADY_RED: ("!", "yellow"),
    GateStatus.SKIPPED: ("-", "dim"),
}


class TextRenderer:
    """Progress and evidence go to `err`; the answer and the list of changed files to `out`, so that they pipe."""

    def __init__(self, out: Console, err: Console, line: Moving, *, quiet: bool = False) -> None:
        self._out = out
        self._err = err
        self._line = line
        self._quiet = quiet
        self._progress = Progress()
        self._summaries: dict[str, str] = {}
        self._last_words: tuple[str, str] = ("", "")
        self._is_saved = False
        self._stream: Stream | None = None
        self._speaker = ""
        self._said = ""
        """What the agent at work has said in full, while it said it."""

    def __call__(self, event: Event) -> None:
        if isinstance(event, TextDelta):
            self._say_on(event)
            return
        self._finish_saying(event)
        if isinstance(event, RunFinished):
            self._line.stop()
            answer = event.result.answer
            if self._last_words[1] != answer:
                self._show_last_words()
            was_said = bool(answer) and self._said.strip() == answer.strip()
            show_answer(self._out, self._err, event.result, was_said=was_said, quiet=self._quiet)
            if not self._quiet:
                show_evidence(self._err, event.result)
            return
        self._progress.note(event)
        self._line.show(self._progress.line())
        if not self._quiet:
            self._decision(event)
            self._node(event)
            self._work(event)

    def _say_on(self, piece: TextDelta) -> None:
        """What one agent alone says is shown as it comes, where somebody watches; the rest is told afterwards."""
        if self._quiet or piece.agent != self._progress.alone or not self._is_watched:
            return
        if self._stream is None:
            from codeflow.cli.render.markdown import Stream

            self._stream = Stream(self._err, Redactor(os.environ).redact)
            self._speaker = piece.agent
        self._stream.feed(piece.text)

    @cached_property
    def _is_watched(self) -> bool:
        return is_rich(self._out) and is_rich(self._err)

    def _finish_saying(self, event: Event) -> None:
        """An answer ends with its call; whatever else happens meanwhile is told between its blocks."""
        is_end = isinstance(event, RunFinished) or (
            isinstance(event, ModelCalled) and event.agent == self._speaker
        )
        if self._stream and is_end:
            self._stream.finish()
            self._said = self._stream.text
            self._stream = None

    def _decision(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._started(event)
            case RunResumed():
                self._started(event.started)
                spent = f"{event.calls} model calls, {dollars(event.known_cost)}"
                self._fact("resumed", f"{event.started.session_id}; done before: {spent}")
            case ApprovalDecided():
                words = "allowed" if event.agreed else f"refused ({event.reason})"
                self._fact("answer", f"{event.tool} {event.summary}: {words}", "" if event.agreed else "red")
            case Routed(route=route):
                self._fact("route", f"{route.complexity} {route.kind} ({route.source}): {route.reason}")
            case PatternChosen():
                self._fact("pattern", f"{event.pattern}: {event.reason}")
            case Planned(plan=plan):
                self._planned(plan)
            case CheckpointTaken() if (
                not self._is_saved
            ):  # there is one for each step: `codeflow checkpoints list`
                self._is_saved = True
                self._fact("saved", f"{event.files} files ({event.label})", "dim")
            case ModelRetried():
                self._retried(event)
            case Notice():
                self._fact(event.level, event.text, "yellow" if event.level == "warning" else "dim")
            case _:
                pass

    def _work(self, event: Event) -> None:
        match event:
            case AgentStarted():
                self._show_last_words()
                visit = f", visit {event.visit}" if event.visit > 1 else ""
                self._say(f"{event.agent} ({event.model}{visit})", "bold cyan")
            case AgentFinished():
                self._agent_finished(event)
            case ToolStarted():
                self._summaries[event.call_id] = event.summary
            case ToolFinished():
                self._tool_finished(event)
            case ConversationCompacted():
                change = f"{tokens(event.before_tokens)} → {tokens(event.after_tokens)} tokens"
                self._fact("context", f"{event.agent}: {change} ({event.method})", "dim")
            case NoteRemembered():
                self._noted(event.note)
            case GateFinished(result=result):
                self._gate_finished(result)
            case BreakerChanged():
                self._breaker(event)
            case _:
                self._between(event)

    def _between(self, event: Event) -> None:
        """What passes from one agent to another."""
        if isinstance(event, Escalated):
            self._fact("handed", f"{event.from_agent} → {event.to_agent}: {event.reason}", "yellow")
        elif isinstance(event, MessageSent):
            said = f"{event.sender} → {event.to} ({event.purpose}): {event.content}"
            self._fact("message", said, "cyan")
        elif isinstance(event, UserHeard):
            self._fact("heard", f"{event.agent} is told what you said", "cyan")
        elif isinstance(event, UserSpoke):
            self._fact("you", event.content, "cyan")

    def _say(self, text: str, style: str = "") -> None:
        self._err.print(Text(one_line(text), style=style))

    def _fact(self, label: str, text: str, style: str = "") -> None:
        self._err.print(Text(f"{label:<8} {one_line(text)}", style=style))

    def _started(self, event: RunStarted) -> None:
        self._say(f"codeflow {event.version}, mode {event.mode}, roster {event.roster}", "bold")
        self._fact("task", event.task)
        for note in event.notes:
            self._fact("note", note, "yellow")

    def _planned(self, plan: Plan) -> None:
        self._fact("plan", plan.summary)
        for step in plan.steps:
            self._fact("", f"{step.id}. {step.specialist}: {step.goal}")
        for command in plan.acceptance:
            self._fact("", f"accepted when `{command}` succeeds")

    def _agent_finished(self, event: AgentFinished) -> None:
        if not event.ok:
            self._say(f"✗ {event.agent} did not finish: {event.summary}", "red")
        else:
            self._last_words = (event.agent, event.summary)

    def _node(self, event: Event) -> None:
        """Where a workflow stands."""
        if isinstance(event, NodeStarted):
            visit = f", visit {event.visit}" if event.visit > 1 else ""
            self._fact("node", f"{event.node}: {event.work}{visit}", "bold")
        elif isinstance(event, NodeFinished):
            said = "" if event.ok else f": {first_lines(event.summary, 1)}"
            self._fact("node", f"{event.node} {event.status}{said}", "dim" if event.ok else "yellow")

    def _show_last_words(self) -> None:
        """What the last agent said, unless it turns out to be the run's answer or was shown while it was said."""
        agent, words = self._last_words
        if (
            not self._quiet
            and words.strip() != self._said.strip()
            and (summary := first_lines(words, _AGENT_LINES))
        ):
            self._err.print(Text(f"{agent}: {summary}", style="dim"))
        self._last_words = ("", "")

    def _tool_finished(self, event: ToolFinished) -> None:
        if event.tool in ("remember", SEND_MESSAGE) and not event.is_error:
            return  # the note or message itself has been shown
        mark, style = ("✗", "red" if event.denied else "yellow") if event.is_error else ("•", "")
        call = f"{event.tool} {self._summaries.pop(event.call_id, '')}".rstrip()
        self._say(f"{mark} {call}: {event.display}" if event.display else f"{mark} {call}", style)

    def _noted(self, note: Note) -> None:
        until = f", until {note.expires:%Y-%m-%d}" if note.expires else ""
        self._fact("noted", f"{note.id} ({note.scope}{until}): {note.text}", "cyan")

    def _gate_finished(self, gate: GateResult) -> None:
        mark, style = _GATE_MARKS[gate.status]
        words = gate.status.replace("_", " ")
        self._say(f"{mark} gate {gate.name} {words}: {gate.command} ({gate.duration_s:.1f} s)", style)
        if gate.status is GateStatus.RED:
            for line in gate.output.splitlines()[-_GATE_LINES:]:
                self._err.print(Text(f"    {one_line(line)}", style="dim"))

    def _breaker(self, event: BreakerChanged) -> None:
        rest = f"; no agent calls it for {event.cool_down_s:g} s" if event.cool_down_s else ""
        state = event.state.replace("_", " ")
        self._fact("circuit", f"{event.model} in {event.region}: {state}, {event.reason}{rest}", "yellow")

    def _retried(self, event: ModelRetried) -> None:
        target = "the same model" if event.next_model == event.model else event.next_model
        self._fact("retry", f"{event.agent}: {event.reason}; {target} in {event.delay_s:.1f} s", "yellow")
