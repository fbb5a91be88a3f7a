"""Plain values that every room shares; none of them does I/O."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Literal

from codeflow.core.workflows import GivenWorkflow

Cost = Decimal | None
"""US dollars, or None when the price or the usage is unknown (never 0 for unknown)."""


class Complexity(StrEnum):
    """How much work a task is; decides roster tiers and whether a planner is worth its price."""

    SIMPLE = "SIMPLE"
    MEDIUM = "MEDIUM"
    COMPLEX = "COMPLEX"
    CRITICAL = "CRITICAL"


class TaskKind(StrEnum):
    """What a task asks for; a QUESTION changes no file and runs no gate."""

    QUESTION = "question"
    BUGFIX = "bugfix"
    FEATURE = "feature"
    REFACTOR = "refactor"
    TEST = "test"
    DOCS = "docs"
    OTHER = "other"


class Pattern(StrEnum):
    """How specialists are arranged for one task."""

    SINGLE = "single"
    CASCADE = "cascade"
    GRAPH = "graph"
    WORKFLOW = "workflow"


class Mode(StrEnum):
    """What a run may do without asking: nothing but reads, nothing, edits, everything."""

    PLAN = "plan"
    ASK = "ask"
    EDIT = "edit"
    AUTO = "auto"


class Effect(StrEnum):
    """The worst a tool can do. NETWORK asks the internet, NOTE writes for later runs; both leave the work tree alone."""

    READ = "read"
    NETWORK = "network"
    NOTE = "note"
    WRITE = "write"
    EXECUTE = "execute"


LOOKING = frozenset({Effect.READ, Effect.NETWORK})
"""What changes nothing anywhere."""


class Status(StrEnum):
    """How a run ended; each has one exit code."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    PAUSED = "paused"
    UNAVAILABLE = "unavailable"
    NO_ACCESS = "no_access"
    INTERRUPTED = "interrupted"


EXIT_CODES: Mapping[Status, int] = {
    Status.DONE: 0,
    Status.FAILED: 1,
    Status.STOPPED: 3,
    Status.PAUSED: 4,
    Status.UNAVAILABLE: 75,
    Status.NO_ACCESS: 77,
    Status.INTERRUPTED: 130,
}
EXIT_USAGE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What stops a run: US dollars, tokens read and written, model turns of one agent visit, wall-clock seconds."""

    max_cost: Decimal | None = None
    max_tokens: int | None = None
    max_turns: int = 50
    timeout_s: float = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Worktree:
    """A git worktree that a session has to itself; the session belongs to `origin`, the folder it was started in.

    `path` is the worktree's root, `folder` the place in it that corresponds to `origin`. `branch` began at the commit
    `base`, while `target` was checked out in `origin`; None: HEAD was detached.
    """

    session_id: str
    origin: Path
    path: Path
    folder: Path
    branch: str
    base: str
    target: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One piece of a plan: who does what, after which steps."""

    id: str
    specialist: str
    goal: str
    files: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A design that can be checked: its steps, and the commands whose success means it is done."""

    summary: str
    steps: tuple[PlanStep, ...]
    acceptance: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One request, as the front doors hand it to the engine; None means "decide for me". `workspace` is where the work
    is done: in the `worktree`, when there is one. `command`: the one that shows the result its own way, with its flags.
    """

    text: str
    workspace: Path
    mode: Mode = Mode.EDIT
    pattern: Pattern | None = None
    complexity: Complexity | None = None
    agent: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    dry_run: bool = False
    worktree: Worktree | None = None
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()  # rules for this session, as --allow and --deny gave them
    quotes_strangers: bool = False  # the text has words in it that others wrote
    no_sandbox: bool = False  # --no-sandbox, for this run
    plan: Plan | None = None  # to be carried out as it is
    workflow: GivenWorkflow | None = None
    command: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The folder that the session belongs to, whose settings and trust apply."""
        return self.worktree.origin if self.worktree else self.workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person has to decide before a run goes on; `preview` is what exactly would be done."""

    tool: str
    summary: str
    reason: str
    preview: str
    offer: str = field(default="", compare=False)
    """The narrow rule that would spare this question and those like it, "" where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What the router made of a task. `source` says who decided: router, cache, rules or flag."""

    complexity: Complexity
    kind: TaskKind
    confidence: float
    reason: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one model call. `input_tokens` excludes what was read from or written to the cache."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """Everything the model read, cached or not; price steps are decided by this number."""
        cached = self.cache_read_tokens + self.cache_write_tokens + self.cache_write_1h_tokens
        return self.input_tokens + cached

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            cache_write_1h_tokens=self.cache_write_1h_tokens + other.cache_write_1h_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """A sum of costs that remembers how many of them are unknown."""

    known: Decimal = Decimal(0)
    unpriced_calls: int = 0

    @property
    def total(self) -> Cost:
        """The exact sum, or None as soon as one call's cost is unknown."""
        return None if self.unpriced_calls else self.known

    def add(self, cost: Cost) -> "Spend":
        if cost is None:
            return Spend(known=self.known, unpriced_calls=self.unpriced_calls + 1)
        return Spend(known=self.known + cost, unpriced_calls=self.unpriced_calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """A session that goes on: with its last run when it `resumes`, else with a new one.

    `as_is`: from the files as they are, also where the run has left others.
    """

    session_id: str
    resumes: bool
    as_is: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedFile:
    """A file that a run changed, to go with its session to other machines.

    `before` and `after` are states, `MODE:BLOB` with git's mode and id, "" where there was no file. `content` is the
    new one, zlib-compressed, as base64.
    """

    path: str
    before: str
    after: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A picture or document that a model looks at itself; `format` is Converse's name, such as png or pdf."""

    kind: Literal["image", "document"]
    format: str
    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Lines of a file that an agent was shown: its path in the workspace, SHA-256 in hex, (first, last) pairs."""

    path: str
    digest: str
    lines: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool answers: text for the model, one line for people, and what it did to the workspace."""

    content: str
    """Plain text for the model; bounded, and when cut it says what was left out and how to read it."""
    display: str
    """One line for people, without the tool's name."""
    is_error: bool = False
    changed: tuple[str, ...] = ()
    """Workspace-relative paths that the call created, changed or deleted."""
    attachments: tuple[Attachment, ...] = ()
    source: str = ""
    """Whose words the content is, such as a page's address; empty: the call says it."""


@dataclass(frozen=True, slots=True)
class Allow:
    """The action may go ahead."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A person has to agree first; `reason` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deny:
    """The action is refused; `reason` is shown to the model and to people."""

    reason: str


Verdict = Allow | Ask | Deny


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedVisit:
    """What a person is told who decides how a run goes on after an agent failed."""

    agent: str
    node: str
    problem: str
    hint: str


class Choice(StrEnum):
    """That decision: the same agent again, on with what there is, or the end of the run."""

    RETRY = "retry"
    SKIP = "skip"
    STOP = "stop"


Decide = Callable[[FailedVisit], Awaitable[Choice]]
"""Asks the person at the terminal."""


class GateStatus(StrEnum):
    """GREEN passed; RED failed; ALREADY_RED failed the same way before the run; SKIPPED could not run."""

    GREEN = "green"
    RED = "red"
    ALREADY_RED = "already_red"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A command that decides whether work is accepted: by its exit code, and by the report of a test runner behind it."""

    name: str
    """tests, lint, types, build, or acceptance-N."""
    command: str
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What running a gate showed. `output` is bounded, head and tail kept."""

    name: str
    command: str
    status: GateStatus
    exit_code: int | None
    duration_s: float
    output: str
    tests_ran: int | None = None
    """In a whole run, as the test runner reports; None where none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One file that differs from the checkpoint; `change` is added, modified, deleted or renamed."""

    path: str
    change: str
    added_lines: int
    removed_lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEstimate:
    """What a model call is about to cost at most; the budget answers with the output tokens it can afford.

    Prices are US dollars per token, None when the catalogue does not know the model.
    """

    agent: str
    step: int
    attempt: int
    model: str
    prompt_tokens: int
    max_output_tokens: int
    input_price: Cost
    output_price: Cost
