"""What every tool call of a run goes through: rules, questions to a person, what was changed and refused."""

import asyncio
import difflib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from strands.types.tools import ToolUse

from codeflow.core.errors import CodeflowError, PausedError
from codeflow.core.events import ApprovalDecided, CallJudged, ToolFinished, ToolStarted
from codeflow.core.permissions import Answer, Reach, Ruling
from codeflow.core.ports import Barrier, Emit, no_barrier
from codeflow.core.redacted_events import redacted_value
from codeflow.core.values import Allow, Ask, Deny, Effect, Question, ToolResult
from codeflow.tools.output import HeadTail
from codeflow.tools.registry import Tool
from codeflow.tools.workspace import Workspace

Approve = Callable[[Question], Awaitable[Answer]]
"""Asks a person."""

_Outcome = Literal["allowed", "denied", "asked"]
_AnsweredBy = Literal["rules", "person", "nobody"]
_LINE_CHARS = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A tool call that may change the work tree; `paths` are those it names, relative to the workspace."""

    agent: str
    call_id: str
    tool: str
    summary: str
    effect: Effect
    paths: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Bench:
    """What every tool call of a run goes through, whichever agent makes it."""

    workspace: Workspace
    emit: Emit
    judge: Callable[[Tool, Mapping[str, Any]], Ruling]
    approve: Approve | None
    """None: nobody is here to be asked."""
    pauses: bool
    """Whether the run stops for a question that nobody can answer; else the answer is no."""
    rewind: Callable[[str], Awaitable[None]]
    """Puts the work tree back to before a tool call that was cut short."""
    before_change: Callable[[Change], Awaitable[None]]
    """Awaited before anything that may change the work tree; takes the checkpoint."""
    after_change: Callable[[Change, Sequence[str]], Awaitable[None]]
    """Awaited after it, with the paths that the tool says it changed."""
    learn: Callable[[str, Reach], None]
    """Takes a rule that a person allows calls by from now on."""
    instructions_for: Callable[[str], str | None]
    """Nested instruction files that govern a path and were not shown yet."""
    result_limit_chars: int = 64_000
    """Of one result shown to a model; what is longer is kept whole for read_output."""
    logged: Barrier = no_barrier
    """Awaited before anything that may change something."""
    denied: list[str] = field(default_factory=list)
    """Everything refused, one line each."""
    changed: set[str] = field(default_factory=set)
    """Paths that tools say they changed; without checkpoints nobody knows more."""
    unasked_changes: list[str] = field(default_factory=list)
    """Changes refused because nobody was there to be asked."""
    stopped: CodeflowError | None = None
    """What a tool call of this run stopped at: a question for a person, or work that cannot be made safe."""
    one_writer: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def permit(
        self, tool: Tool, summary: str, arguments: Mapping[str, Any], *, agent: str, call_id: str = ""
    ) -> str | None:
        """None when the call may go ahead, else why not.

        Raises:
            PausedError: a person has to say, and none is here.
        """
        judged = _Judged(tool, summary, self.judge(tool, arguments), agent, call_id)
        refusal = await self._refusal(judged, arguments)
        if refusal is not None and counts(tool):
            self.denied.append(f"{tool.name} {summary}: {refusal}")
        if refusal is not None and self.approve is None and tool.effect is Effect.WRITE:
            self.unasked_changes.append(f"{tool.name} {summary}")
        return refusal

    async def consent(self, question: Question) -> str | None:
        """None when a person agrees to something that is no tool call, else why not.

        Raises:
            PausedError: a person has to say, and none is here.
        """
        if self.approve is None and not self.pauses:
            return f"{question.reason}; nobody is here to be asked"
        answer = await (self.approve or _nobody)(question)
        self._take(question, answer)
        return answer.refusal

    def bounded(self, result: ToolResult, call: str) -> ToolResult:
        """The result, cut to its beginning and its end where it is too long, with the way to all of it."""
        limit = self.result_limit_chars
        if len(result.content) <= limit:
            return result
        name = self.workspace.runs.keep(call, result.content)
        more = (
            f"read_output {name} with a start_line shows all of it" if name else "the rest could not be kept"
        )
        head_and_tail = HeadTail(limit)
        head_and_tail.add(result.content.encode("utf-8", "replace"))
        note = f"[the result had {len(result.content):,} characters; {more}]"
        return replace(result, content=f"{head_and_tail.text()}\n{note}")

    def tell_unknown(self, agent: str, tool_use: ToolUse) -> str:
        """Tells people of a call of a tool that does not exist; returns what to tell the model."""
        call_id, name = tool_use["toolUseId"], tool_use["name"]
        answer = f"There is no tool {name}; use the tools that you were given."
        self.emit(ToolStarted(agent=agent, call_id=call_id, tool=name, summary=""))
        self.emit(
            ToolFinished(
                agent=agent,
                call_id=call_id,
                tool=name,
                is_error=True,
                display="there is no such tool",
                duration_s=0.0,
                content=({"text": answer},),
            )
        )
        return answer

    async def _refusal(self, judged: "_Judged", arguments: Mapping[str, Any]) -> str | None:
        match judged.ruling.verdict:
            case Allow():
                self.emit(judged.told("allowed"))
                return None
            case Deny(reason):
                self.emit(judged.told("denied", reason=reason))
                return reason
            case Ask(reason):
                question = Question(
                    tool=judged.tool.name,
                    summary=judged.summary,
                    reason=reason,
                    preview=preview(redacted_value(arguments, self.workspace.redactor.redact)),
                    offer=judged.ruling.offer,
                )
                return await self._ask(question, judged)

    async def _ask(self, question: Question, judged: "_Judged") -> str | None:
        """A person's answer; a call that does not count goes without one when nobody is here."""
        stops = counts(judged.tool)
        unasked = f"{question.reason}; nobody is here to be asked"
        if self.approve is None and not (self.pauses and stops):
            self.emit(judged.told("denied", "nobody", question.reason))
            return unasked
        try:
            answer = await (self.approve or _nobody)(question)
        except PausedError:
            self.emit(judged.told("asked" if stops else "denied", "nobody", question.reason))
            if not stops:
                return unasked
            raise
        self._take(question, answer)
        outcome: _Outcome = "denied" if answer.refusal else "allowed"
        self.emit(judged.told(outcome, "person", answer.refusal or question.reason))
        return answer.refusal

    def _take(self, question: Question, answer: Answer) -> None:
        agreed = answer.refusal is None
        rule = question.offer if agreed and answer.reach is not Reach.ONCE else ""
        self.emit(
            ApprovalDecided(
                tool=question.tool,
                summary=question.summary,
                agreed=agreed,
                reason=answer.refusal or "",
                reach=answer.reach if rule else Reach.ONCE,
                rule=rule,
            )
        )
        if rule:
            self.learn(rule, answer.reach)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A call and what the rules say of it."""

    tool: Tool
    summary: str
    ruling: Ruling
    agent: str
    call_id: str

    def told(self, outcome: _Outcome, answered_by: _AnsweredBy = "rules", reason: str = "") -> CallJudged:
        return CallJudged(
            agent=self.agent,
            call_id=self.call_id,
            tool=self.tool.name,
            summary=self.summary,
            outcome=outcome,
            answered_by=answered_by,
            reason=reason,
            rule=self.ruling.rule,
            layer=self.ruling.layer,
        )


def counts(tool: Tool) -> bool:
    """Whether the task may depend on a tool's calls; it never does on a note for later runs."""
    return tool.effect is not Effect.NOTE


async def _nobody(question: Question) -> Answer:
    raise PausedError(question)


def preview(arguments: Mapping[str, Any]) -> str:
    """What a call would do, in full: a replacement as a diff, every other argument that is too long for a line as it is."""
    old, new = arguments.get("old_text"), arguments.get("new_text")
    if isinstance(old, str) and isinstance(new, str):
        changed = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2)
        return "\n".join(list(changed)[2:])
    texts = [value for value in arguments.values() if isinstance(value, str)]
    return "\n".join(text for text in texts if "\n" in text or len(text) > _LINE_CHARS)
