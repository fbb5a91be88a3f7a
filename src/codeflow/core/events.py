"""Everything that happens in a run, as one closed union; renderers, log, ledger and trace consume it.

Events are values: they hold no live object and survive a round trip through `codec`.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from codeflow.core.cascade import Escalated
from codeflow.core.messages import MessageSent, UserHeard, UserSpoke
from codeflow.core.node_events import NodeFinished, NodeStarted
from codeflow.core.notes import NoteRemembered
from codeflow.core.permissions import Layer, Reach
from codeflow.core.results import RunResult
from codeflow.core.session_events import (
    CheckpointTaken,
    FilesCarried,
    SessionForked,
    SessionMoved,
    SessionNamed,
)
from codeflow.core.values import (
    Complexity,
    Cost,
    GateResult,
    Mode,
    Pattern,
    Plan,
    Route,
    Seen,
    Task,
    Usage,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """First event of every run. `notes` are facts the user should know (no git, no tests found, …).

    `request` is the task with all that was asked for; logs of before 2026-11-21 do not have it. `ended_at` is the last
    sign of life of the process that wrote this session before, in seconds since 1970. `not_as_said` are files that are
    not as the session's conversation says any more.
    """

    session_id: str
    task: str
    workspace: str
    mode: Mode
    roster: str
    version: str
    notes: tuple[str, ...] = ()
    request: Task | None = None
    ended_at: float | None = None
    not_as_said: tuple[str, ...] = ()
    kind: Literal["run_started"] = "run_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResumed:
    """A run that had ended early goes on; what it had done is taken from the log and not done again.

    `ended_at` is the last sign of life of the process that ended, in seconds since 1970.
    """

    started: RunStarted
    """What would be the first event if it began now."""
    calls: int
    """Model calls made before."""
    known_cost: Decimal
    ended_at: float | None = None
    kind: Literal["run_resumed"] = "run_resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Briefed:
    """What the agents are told of the workspace: `instructions` in the system prompt, `facts` with the task."""

    instructions: str
    facts: str
    kind: Literal["briefed"] = "briefed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineMeasured:
    """What the gates said before the first change, as far as that could be measured in time."""

    results: tuple[GateResult, ...]
    kind: Literal["baseline_measured"] = "baseline_measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A look at the world that the run's course depends on: a resumed run takes the answer from here."""

    question: str
    answer: Any
    kind: Literal["decided"] = "decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDecided:
    """A person agreed to a call or a gate, or refused it, with the reason that the model is told.

    `rule` is what they allow from now on, in this session or always, as `reach` says; logs of before 2026-11-22 have
    neither.
    """

    tool: str
    summary: str
    agreed: bool
    reason: str
    reach: Reach = Reach.ONCE
    rule: str = ""
    kind: Literal["approval_decided"] = "approval_decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallJudged:
    """The rules spoke about a call or a gate (agent `gates`), and a person where they were asked.

    `outcome` is asked when the run stopped for the question. `rule` is "" where the `layer`, the mode, gave the answer.
    """

    agent: str
    call_id: str
    tool: str
    summary: str
    outcome: Literal["allowed", "denied", "asked"]
    answered_by: Literal["rules", "person", "nobody"]
    reason: str
    rule: str
    layer: Layer
    kind: Literal["call_judged"] = "call_judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """The router's verdict."""

    route: Route
    kind: Literal["routed"] = "routed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternChosen:
    """Which arrangement of specialists the task gets, and why; `agent` begins, "" where the arrangement says who does."""

    pattern: Pattern
    complexity: Complexity
    reason: str
    agent: str = ""
    kind: Literal["pattern_chosen"] = "pattern_chosen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan that passed the design check."""

    plan: Plan
    kind: Literal["planned"] = "planned"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStarted:
    """A specialist begins a visit; `node` is its place in the pattern, `visit` counts from 1."""

    agent: str
    node: str
    visit: int
    model: str
    kind: Literal["agent_started"] = "agent_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFinished:
    """A specialist's visit ended; `summary` is its last text, or why it failed."""

    agent: str
    node: str
    visit: int
    ok: bool
    summary: str
    kind: Literal["agent_finished"] = "agent_finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    """A piece of a model's answer while it streams; not logged."""

    agent: str
    text: str
    kind: Literal["text_delta"] = "text_delta"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAdded:
    """A message that codeflow wrote into an agent's conversation, in Converse's own shape.

    The rest of a conversation are the replies of ModelCalled and the contents of ToolFinished. `mail` are the ids of
    other agents' messages and of what the user said in it; `news` says up to where the agent knows what happened, None where it tells nothing.
    """

    agent: str
    message: dict[str, Any]
    mail: tuple[str, ...] = ()
    news: int | None = None
    kind: Literal["message_added"] = "message_added"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationCompacted:
    """An agent's conversation was shortened to fit its model; `messages` is all of it from now on, in Converse's shape.

    Tokens are those of the whole prompt: the model's own count before, an estimate after. `trimmed` took old tool
    results out, `summary` put a model's summary in place of old turns, `digest` a list of their calls.
    """

    agent: str
    messages: tuple[dict[str, Any], ...]
    before_tokens: int
    after_tokens: int
    method: Literal["summary", "digest", "trimmed"]
    kind: Literal["conversation_compacted"] = "conversation_compacted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStarted:
    """An attempt is about to be sent; a log that ends without its ModelCalled lost the answer, not the bill.

    `worst_tokens` are those of the prompt and of the longest answer; logs of before 2026-11-22 do not have them.
    """

    agent: str
    step: int
    attempt: int
    model: str
    worst_cost: Cost
    worst_tokens: int = 0
    kind: Literal["model_started"] = "model_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCalled:
    """One attempt at a model call, successful or not; the unit of metering.

    `step` counts an agent's calls in a session from 1, `attempt` the tries of one step from 1. `usage` is None
    when the service never reported it (a cut or cancelled stream); `cost` is then None as well.
    `outcome` is ok, cancelled, lost (codeflow was killed meanwhile), or an error class of `models.faults`.
    """

    agent: str
    step: int
    attempt: int
    model: str
    invoked_model: str
    usage: Usage | None
    cost: Cost
    duration_s: float
    first_token_s: float | None
    outcome: str
    stop_reason: str | None = None
    detail: str = ""
    reply: tuple[dict[str, Any], ...] = ()
    """The answer's content blocks in Converse's shape, bytes as `core.blocks` writes them; empty when it failed."""
    kind: Literal["model_called"] = "model_called"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRetried:
    """The guarded model waits and tries again, or moves on to another model."""

    agent: str
    model: str
    next_model: str
    delay_s: float
    reason: str
    kind: Literal["model_retried"] = "model_retried"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerChanged:
    """A model's circuit opened (no agent calls it for `cool_down_s`), is probed by one call, or closed again."""

    model: str
    region: str
    state: Literal["closed", "open", "half_open"]
    reason: str
    cool_down_s: float
    kind: Literal["breaker_changed"] = "breaker_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted:
    """A tool call passed the policy and begins. `summary` is one line for people."""

    agent: str
    call_id: str
    tool: str
    summary: str
    kind: Literal["tool_started"] = "tool_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished:
    """A tool call ended; a denied one is an error whose display says why."""

    agent: str
    call_id: str
    tool: str
    is_error: bool
    display: str
    duration_s: float
    changed: tuple[str, ...] = ()
    denied: bool = False
    content: tuple[dict[str, Any], ...] = ()
    """What the model is told: content blocks in Converse's shape, bytes as `core.blocks` writes them."""
    seen: tuple[Seen, ...] = ()
    """What of the workspace's files this shows the agent."""
    kind: Literal["tool_finished"] = "tool_finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateStarted:
    """A gate's command begins."""

    name: str
    command: str
    kind: Literal["gate_started"] = "gate_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFinished:
    """A gate's verdict."""

    result: GateResult
    kind: Literal["gate_finished"] = "gate_finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a person should know; `level` is info or warning."""

    level: Literal["info", "warning"]
    text: str
    kind: Literal["notice"] = "notice"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """Last event of every run."""

    result: RunResult
    kind: Literal["run_finished"] = "run_finished"


Event = (
    RunStarted
    | RunResumed
    | Briefed
    | BaselineMeasured
    | Decided
    | ApprovalDecided
    | CallJudged
    | Routed
    | PatternChosen
    | Planned
    | Escalated
    | CheckpointTaken
    | NodeStarted
    | NodeFinished
    | AgentStarted
    | AgentFinished
    | TextDelta
    | MessageAdded
    | MessageSent
    | UserSpoke
    | UserHeard
    | ConversationCompacted
    | ModelStarted
    | ModelCalled
    | ModelRetried
    | BreakerChanged
    | ToolStarted
    | ToolFinished
    | NoteRemembered
    | GateStarted
    | GateFinished
    | Notice
    | SessionNamed
    | SessionForked
    | FilesCarried
    | SessionMoved
    | RunFinished
)
