"""What a session's log tells about the past: the conversations, and what its last run has already done.

Resuming walks the run's course again and takes every answer that is in the log from here: a verdict, a visit, a
gate, a look at the tree. The first that is missing is where the work goes on.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from codeflow.core.blocks import from_plain
from codeflow.core.cascade import Escalated
from codeflow.core.events import (
    AgentFinished,
    AgentStarted,
    ApprovalDecided,
    BaselineMeasured,
    Briefed,
    ConversationCompacted,
    Decided,
    Event,
    GateFinished,
    MessageAdded,
    ModelCalled,
    ModelStarted,
    PatternChosen,
    Planned,
    Routed,
    RunFinished,
    RunResumed,
    RunStarted,
    ToolFinished,
    ToolStarted,
)
from codeflow.core.messages import UserHeard
from codeflow.core.permissions import Reach
from codeflow.core.results import RunResult
from codeflow.core.session_events import CheckpointTaken, FilesCarried, SessionMoved
from codeflow.core.values import GateResult, Mode, Plan, Question, Route, Spend, Status
from codeflow.sessions.mail import Mail
from codeflow.sessions.talk import Conversation, Ended

_OK = "ok"


@dataclass(slots=True)
class LastRun:
    """What the session's last run has decided and done, as far as it came."""

    started: RunStarted | None = None
    mode: Mode | None = None
    route: Route | None = None
    briefing: Briefed | None = None
    baseline: tuple[GateResult, ...] | None = None
    chosen: PatternChosen | None = None
    plan: Plan | None = None
    escalated: deque[Escalated] = field(default_factory=deque)
    decided: defaultdict[str, deque[Any]] = field(default_factory=lambda: defaultdict(deque))
    gates: defaultdict[str, deque[GateResult]] = field(default_factory=lambda: defaultdict(deque))
    metered: list[ModelStarted | ModelCalled] = field(default_factory=list)
    """Its model calls without their replies, for whoever adds them up."""
    lost: dict[tuple[str, int, int], ModelStarted] = field(default_factory=dict)
    """Calls that were sent and whose end nobody saw."""
    changed: set[str] = field(default_factory=set)
    denied: list[str] = field(default_factory=list)
    checkpoints: dict[str, str] = field(default_factory=dict)
    """Tool call -> the checkpoint taken before it."""
    first: CheckpointTaken | None = None
    """Where it began."""
    last_checkpoint: CheckpointTaken | None = None
    carried: list[FilesCarried] = field(default_factory=list)
    """Each holds all changes since it began."""
    question: Question | None = None
    status: Status | None = None
    """How it ended; None: it did not."""
    duration_s: float = 0.0
    result: RunResult | None = None
    """What it came to, when it ended."""
    visited: bool = False
    """Whether any agent got to work."""
    failed: set[str] = field(default_factory=set)
    """Agents whose failed visits nobody has followed; resuming lets them go on."""
    mail: Mail = field(default_factory=Mail)
    _gates_before: dict[str, int] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether it came to an end of its own, good or bad, so that there is nothing to resume."""
        return self.status is Status.DONE or (
            self.status is Status.FAILED and self.visited and not self.failed
        )

    @property
    def calls(self) -> int:
        return sum(isinstance(event, ModelCalled) for event in self.metered)

    @property
    def spend(self) -> Spend:
        spend = Spend()
        for event in self.metered:
            if isinstance(event, ModelCalled):
                spend = spend.add(event.cost)
        return spend

    def note_files(self, event: CheckpointTaken | FilesCarried | SessionMoved) -> None:
        match event:
            case CheckpointTaken():
                self.first = self.first or event
                self.last_checkpoint = event
                if event.call_id:
                    self.checkpoints[event.call_id] = event.checkpoint_id
            case FilesCarried():
                self.carried.append(event)
            case SessionMoved():  # no checkpoint of before is on this machine
                self.first = None
                self.checkpoints.clear()

    def gate(self, name: str, command: str) -> GateResult | None:
        """The next result of a gate that is in the log; it is not run again."""
        results = self.gates[name]
        return results.popleft() if results and results[0].command == command else None

    def remember_failure(self, agent: str) -> None:
        if not self.failed:
            self._gates_before = {name: len(results) for name, results in self.gates.items()}
        self.failed.add(agent)

    def forget_failure(self) -> None:
        """What the gates said after a failed visit does not count: its agent goes on."""
        for name, results in self.gates.items():
            while len(results) > self._gates_before.get(name, 0):
                results.pop()
        self.failed.clear()


@dataclass(slots=True)
class Past:
    """A session up to now."""

    run: LastRun = field(default_factory=LastRun)
    earlier_runs: list[list[ModelStarted | ModelCalled]] = field(default_factory=list)
    """The model calls of each run before the last one."""
    conversations: defaultdict[str, Conversation] = field(default_factory=lambda: defaultdict(Conversation))
    exchanges: list[tuple[str, str]] = field(default_factory=list)
    """Task and answer of each run that ended, oldest first."""
    approved: list[str] = field(default_factory=list)
    """Rules that a person has added to the session by their answers; those for good are kept elsewhere."""
    used_tools: set[str] = field(default_factory=set)
    """Names of the tools that agents have called, refused calls left out."""
    commands: list[str] = field(default_factory=list)
    """Shell lines that agents have run, as far as their summaries show them."""
    cut_at: float | None = None
    """When the process that changed files after the last checkpoint was alive last, where another one came after it."""

    def reopen(self) -> None:
        """Lets the failed visits that ended the run go on."""
        for agent in self.run.failed:
            visitor = self.conversations[agent]
            visitor.ended.pop()
            visitor.is_open = True
        if self.run.failed:
            self.run.forget_failure()

    def begin_run(self) -> None:
        """A new run: the conversations go on, everything else begins again."""
        self.earlier_runs.append(self.run.metered)
        self.run = LastRun()
        for conversation in self.conversations.values():
            conversation.end_run()

    def add(self, event: Event) -> None:
        """The next event of the log."""
        self.run.mail.add(event)
        match event:
            case RunStarted() | RunResumed() | RunFinished():
                self._run(event)
            case AgentStarted() | AgentFinished():
                self._visit(event)
            case MessageAdded() | ConversationCompacted() | ToolStarted() | ToolFinished() | UserHeard():
                self._talk(event)
            case ModelStarted() | ModelCalled():
                self._meter(event)
            case CheckpointTaken() | FilesCarried() | SessionMoved():
                if not isinstance(event, FilesCarried):
                    self.cut_at = None
                self.run.note_files(event)
            case _:
                self._decide(event)

    def _run(self, event: RunStarted | RunResumed | RunFinished) -> None:
        if self.cut_at is None and not isinstance(event, RunFinished):
            self.cut_at = event.ended_at
        match event:
            case RunStarted():
                self.begin_run()
                self.run.started, self.run.mode = event, event.mode
            case RunResumed():
                self.reopen()
                self.run.status = self.run.question = None
                self.run.mode = event.started.mode
                for conversation in self.conversations.values():
                    conversation.turns = 0
            case RunFinished(result=result):
                self.run.status, self.run.question = result.status, result.question
                self.run.duration_s, self.run.result = result.duration_s, result
                if self.run.started is not None:
                    self.exchanges.append((self.run.started.task, result.answer))

    def _decide(self, event: Event) -> None:
        run = self.run
        match event:
            case ApprovalDecided() if event.agreed and event.rule and event.reach is Reach.SESSION:
                self.approved.append(event.rule)
            case Routed():
                run.route = event.route
            case Briefed():
                run.briefing = event
            case BaselineMeasured():
                run.baseline = event.results
            case PatternChosen():
                run.chosen = event
            case Escalated():
                run.escalated.append(event)
            case Planned():
                run.plan = event.plan
            case Decided():
                run.decided[event.question].append(event.answer)
            case GateFinished():
                run.gates[event.result.name].append(event.result)
            case _:
                pass

    def _visit(self, event: AgentStarted | AgentFinished) -> None:
        visitor = self.conversations[event.agent]
        self.run.visited = True
        if isinstance(event, AgentFinished):
            visitor.is_open = False
            visitor.ended.append(Ended(event.ok, event.summary))
            if not event.ok:
                self.run.remember_failure(event.agent)
            return
        self.run.failed.clear()
        if not visitor.is_open:
            visitor.is_open, visitor.prompted, visitor.turns = True, False, 0

    def _talk(
        self, event: MessageAdded | ConversationCompacted | ToolStarted | ToolFinished | UserHeard
    ) -> None:
        talk = self.conversations[event.agent]
        match event:
            case MessageAdded():
                talk.add_message(from_plain(event.message))
            case ConversationCompacted():
                talk.replace_messages(event)
            case UserHeard():
                talk.add_text(event.text)
            case ToolStarted():
                talk.begun[event.call_id] = event.summary
            case ToolFinished():
                summary = talk.begun.get(event.call_id, "")
                if event.denied:
                    self.run.denied.append(f"{event.tool} {summary}: {event.display}")
                else:
                    self.used_tools.add(event.tool)
                    self.commands += [summary] if event.tool == "run_command" else []
                talk.add_result(event)
                self.run.changed.update(event.changed)

    def _meter(self, event: ModelStarted | ModelCalled) -> None:
        run, talk = self.run, self.conversations[event.agent]
        run.metered.append(replace(event, reply=()) if isinstance(event, ModelCalled) else event)
        call = (event.agent, event.step, event.attempt)
        if isinstance(event, ModelStarted):
            run.lost[call] = event
            return
        run.lost.pop(call, None)
        if event.outcome != _OK:
            return
        talk.steps = event.step
        if talk.messages:
            talk.add_answer(event)


def recall(events: Iterable[Event]) -> Past:
    """The state that a session's events add up to."""
    past = Past()
    for event in events:
        past.add(event)
    return past
