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
from codeflow.core.permissions import Reach
from codeflow.core.results import RunResult
from codeflow.core.session_events import CheckpointTaken, FilesCarried, SessionMoved
from codeflow.core.values import GateResult, Mode, Plan, Question, Route, Seen, Spend, Status
from codeflow.sessions.mail import Mail

_OK = "ok"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a visit ended."""

    ok: bool
    text: str


@dataclass(slots=True)
class Conversation:
    """One agent's messages in Converse's shape, and where its visits stand."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    steps: int = 0
    """The number of the last call that was answered."""
    model: str | None = None
    """Who answered last."""
    foreign: int = 0
    """How many messages there were when a model other than `model` answered last."""
    earlier_visits: int = 0
    """Visits of the session's earlier runs."""
    ended: deque[Ended] = field(default_factory=deque)
    """The visits of this run that ended."""
    is_open: bool = False
    """Whether a visit began and did not end."""
    prompted: bool = False
    """Whether the open visit's task is in `messages`."""
    turns: int = 0
    """Answers of the open visit since the run was started or resumed."""
    stop_reason: str | None = None
    begun: dict[str, str] = field(default_factory=dict)
    """Tool calls that began and did not end, with their summaries."""
    results: dict[str, ToolFinished] = field(default_factory=dict)
    """Tool calls of the last message that ended; the others are missing."""
    seen: dict[str, Seen] = field(default_factory=dict)

    def add_message(self, message: dict[str, Any]) -> None:
        """A message that codeflow wrote; logs of older versions hold those of models and tools as well."""
        pending = self._pending()
        is_result = any("toolResult" in block for block in message["content"])
        last = self.messages[-1] if self.messages else None
        if last is not None and last["role"] == message["role"]:
            self.messages[-1] = message
        elif not is_result or pending:
            self.messages.append(message)
            self.results.clear()
        if message["role"] == "user" and not is_result:
            self.prompted = True

    def add_answer(self, called: ModelCalled) -> None:
        """A complete answer of a model."""
        if called.model != self.model:
            self.foreign = len(self.messages) if self.model else 0
            self.model = called.model
        self.messages.append({"role": "assistant", "content": from_plain(called.reply)})
        self.stop_reason = called.stop_reason
        self.turns += 1

    def add_result(self, finished: ToolFinished) -> None:
        """The end of a tool call; the last one of an answer completes the message of results."""
        self.begun.pop(finished.call_id, None)
        for seen in finished.seen:
            self.seen[seen.path] = _both(self.seen.get(seen.path), seen)
        pending = self._pending()
        if finished.call_id not in pending or not finished.content:
            return
        self.results[finished.call_id] = finished
        if pending <= self.results.keys():
            blocks = [{"toolResult": tool_result(result)} for result in self.results.values()]
            self.messages.append({"role": "user", "content": blocks})
            self.results.clear()

    def replace_messages(self, compacted: ConversationCompacted) -> None:
        """The conversation was shortened: nothing of files is known to be in it, and no reasoning."""
        self.messages = from_plain(compacted.messages)
        self.foreign = 0
        self.results.clear()
        self.seen.clear()

    def unanswered(self) -> dict[str, str]:
        """Tool calls of the last answer that have no result yet, with their tools."""
        return {call: tool for call, tool in self._calls().items() if call not in self.results}

    def _calls(self) -> dict[str, str]:
        if not self.messages or self.messages[-1]["role"] != "assistant":
            return {}
        uses = [block["toolUse"] for block in self.messages[-1]["content"] if "toolUse" in block]
        return {use["toolUseId"]: use["name"] for use in uses}

    def _pending(self) -> set[str]:
        return set(self._calls())

    def end_run(self) -> None:
        """A new run begins: its visits are counted after these."""
        self.earlier_visits += len(self.ended) + self.is_open
        self.ended.clear()
        self.is_open = self.prompted = False
        self.turns = 0


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
            case MessageAdded() | ConversationCompacted() | ToolStarted() | ToolFinished():
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

    def _talk(self, event: MessageAdded | ConversationCompacted | ToolStarted | ToolFinished) -> None:
        talk = self.conversations[event.agent]
        match event:
            case MessageAdded():
                talk.add_message(from_plain(event.message))
            case ConversationCompacted():
                talk.replace_messages(event)
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


def tool_result(finished: ToolFinished) -> dict[str, Any]:
    """The content of a logged tool call's result block, in Converse's shape."""
    return {
        "toolUseId": finished.call_id,
        "status": "error" if finished.is_error else "success",
        "content": from_plain(finished.content),
    }


def _both(before: Seen | None, now: Seen) -> Seen:
    if before is None or before.digest != now.digest:
        return now
    return Seen(path=now.path, digest=now.digest, lines=(*before.lines, *now.lines))
