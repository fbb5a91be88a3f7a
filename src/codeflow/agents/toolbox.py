"""The one adapter between our tools and Strands: policy, approval, checkpoint, events, error boundary."""

import asyncio
import contextlib
import difflib
import inspect
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from docstring_parser import parse as parse_docstring
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from strands.interrupt import Interrupt
from strands.types._events import ToolInterruptEvent, ToolResultEvent
from strands.types.tools import AgentTool, ToolGenerator, ToolResultContent, ToolSpec, ToolUse
from strands.types.tools import ToolResult as StrandsResult
from typing_extensions import override

from codeflow.core.blocks import to_plain
from codeflow.core.errors import CodeflowError, PausedError
from codeflow.core.events import ApprovalDecided, ToolFinished, ToolStarted
from codeflow.core.ports import Barrier, Emit, no_barrier
from codeflow.core.values import LOOKING, Allow, Ask, Attachment, Deny, Effect, Question, ToolResult, Verdict
from codeflow.sessions.past import Conversation, tool_result
from codeflow.tools.output import HeadTail
from codeflow.tools.registry import Tool
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

Approve = Callable[[Question], Awaitable[str | None]]
"""A person's answer: None when they agree, else why not, for the model."""


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
    judge: Callable[[Tool, Mapping[str, Any]], Verdict]
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

    async def permit(self, tool: Tool, summary: str, arguments: Mapping[str, Any]) -> str | None:
        """None when the call may go ahead, else why not.

        Raises:
            PausedError: a person has to say, and none is here.
        """
        refusal = await self._refusal(tool, summary, arguments)
        if refusal is not None and counts(tool):
            self.denied.append(f"{tool.name} {summary}: {refusal}")
        if refusal is not None and self.approve is None and tool.effect is Effect.WRITE:
            self.unasked_changes.append(f"{tool.name} {summary}")
        return refusal

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

    async def _refusal(self, tool: Tool, summary: str, arguments: Mapping[str, Any]) -> str | None:
        match self.judge(tool, arguments):
            case Allow():
                return None
            case Deny(reason):
                return reason
            case Ask(reason):
                question = Question(
                    tool=tool.name, summary=summary, reason=reason, preview=preview(arguments)
                )
                return await self._ask(question, pauses=counts(tool))

    async def _ask(self, question: Question, *, pauses: bool) -> str | None:
        """A person's answer; without `pauses` the run goes on when nobody is here."""
        unasked = f"{question.reason}; nobody is here to be asked"
        if self.approve is None and not (self.pauses and pauses):
            return unasked
        try:
            refusal = await (self.approve or _nobody)(question)
        except PausedError:
            if not pauses:
                return unasked
            raise
        self.emit(
            ApprovalDecided(
                tool=question.tool, summary=question.summary, agreed=refusal is None, reason=refusal or ""
            )
        )
        return refusal


def counts(tool: Tool) -> bool:
    """Whether the task may depend on a tool's calls; it never does on a note for later runs."""
    return tool.effect is not Effect.NOTE


async def _nobody(question: Question) -> str | None:
    raise PausedError(question)


def preview(arguments: Mapping[str, Any]) -> str:
    """What a call would do, in full: a replacement as a diff, every other argument that is too long for a line as it is."""
    old, new = arguments.get("old_text"), arguments.get("new_text")
    if isinstance(old, str) and isinstance(new, str):
        changed = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2)
        return "\n".join(list(changed)[2:])
    texts = [value for value in arguments.values() if isinstance(value, str)]
    return "\n".join(text for text in texts if "\n" in text or len(text) > _LINE_CHARS)


def arguments_model(tool: Tool) -> type[BaseModel]:
    """A pydantic model of a tool's arguments, described by its docstring; the workspace is not one of them."""
    described = {p.arg_name: p.description or "" for p in parse_docstring(tool.function.__doc__ or "").params}
    hints = inspect.get_annotations(tool.function, eval_str=True)
    fields: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(tool.function).parameters.items())[1:]:
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[name] = (hints[name], Field(default, description=" ".join(described.get(name, "").split())))
    return cast("type[BaseModel]", create_model(tool.name, __config__=ConfigDict(extra="forbid"), **fields))


def _untitled(schema: Any) -> Any:
    """The schema without pydantic's titles: they cost tokens and say what the key says."""
    if isinstance(schema, dict):
        return {k: _untitled(v) for k, v in schema.items() if not (k == "title" and isinstance(v, str))}
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    return schema


def tool_spec(tool: Tool, model: type[BaseModel]) -> ToolSpec:
    """What a model is told about a tool."""
    documentation = parse_docstring(tool.function.__doc__ or "")
    text = "\n".join(filter(None, (documentation.short_description, documentation.long_description)))
    return {
        "name": tool.name,
        "description": text,
        "inputSchema": {"json": _untitled(model.model_json_schema())},
    }


class PolicedTool(AgentTool):
    """A tool as Strands sees it."""

    def __init__(
        self,
        tool: Tool,
        agent: str,
        bench: Bench,
        workspace: Workspace,
        past: Conversation | None = None,
    ) -> None:
        """`past` holds the calls that an earlier process finished, or began."""
        super().__init__()
        self._past = past or Conversation()
        self._tool = tool
        self._agent = agent
        self._bench = bench
        self._workspace = workspace
        self._arguments = arguments_model(tool)
        self._spec = tool_spec(tool, self._arguments)

    @property
    @override
    def tool_name(self) -> str:
        return self._tool.name

    @property
    @override
    def tool_spec(self) -> ToolSpec:
        return self._spec

    @property
    @override
    def tool_type(self) -> str:
        return "codeflow"

    @override
    async def stream(
        self,
        tool_use: ToolUse,
        invocation_state: dict[str, Any],
        **kwargs: Any,
    ) -> ToolGenerator:
        call_id = tool_use["toolUseId"]
        if finished := self._past.results.pop(call_id, None):
            yield ToolResultEvent(cast("StrandsResult", tool_result(finished)))
            return
        try:
            result = await self.call(call_id, tool_use["input"])
        except CodeflowError as stopped:  # Strands would hand it to the model as a result
            self._bench.stopped = stopped
            yield ToolInterruptEvent(
                tool_use, [Interrupt(id=call_id, name=self.tool_name, reason=str(stopped))]
            )
            return
        status: Literal["error", "success"] = "error" if result.is_error else "success"
        yield ToolResultEvent({"toolUseId": call_id, "status": status, "content": _blocks(result)})

    async def call(self, call_id: str, given: Any) -> ToolResult:
        """One call from the arguments as they came, which are checked, to its result."""
        try:
            parsed = self._arguments.model_validate(given)
        except ValidationError as error:
            return self._refuse(call_id, f"wrong arguments: {_first_problem(error)}", denied=False)
        arguments = {name: getattr(parsed, name) for name in type(parsed).model_fields}
        summary = self._tool.summary(arguments)
        refusal = await self._bench.permit(self._tool, summary, arguments)
        if refusal:
            return self._refuse(
                call_id, f"not permitted: {refusal}", summary=summary, denied=counts(self._tool)
            )
        self._bench.emit(
            ToolStarted(agent=self._agent, call_id=call_id, tool=self._tool.name, summary=summary)
        )
        started = time.monotonic()
        result = await self._guarded(call_id, summary, arguments)
        result = self._bench.bounded(result, f"{self._tool.name} {summary}".rstrip())
        result = self._with_instructions(result, arguments)
        self._bench.changed.update(result.changed)
        self._finish(call_id, result, duration_s=time.monotonic() - started)
        return result

    async def _guarded(self, call_id: str, summary: str, arguments: dict[str, Any]) -> ToolResult:
        """One writer at a time, after the checkpoint; what leaves the work tree alone runs freely."""
        if self._tool.effect in {*LOOKING, Effect.NOTE}:
            return await self._run(arguments)
        change = Change(
            agent=self._agent,
            call_id=call_id,
            tool=self._tool.name,
            summary=summary,
            effect=self._tool.effect,
            paths=tuple(self._named(arguments)),
        )
        async with self._bench.one_writer:
            if self._past.begun.pop(call_id, None) is not None:
                await self._bench.rewind(call_id)
            await self._bench.before_change(change)
            await self._bench.logged()
            result = await self._run(arguments)
            await self._bench.after_change(change, result.changed)
        return result

    def _named(self, arguments: Mapping[str, Any]) -> Iterator[str]:
        for path in self._tool.names(arguments):
            with contextlib.suppress(Mistake):
                yield self._workspace.relative(self._workspace.resolve(path))

    async def _run(self, arguments: dict[str, Any]) -> ToolResult:
        try:
            return await self._tool.function(self._workspace, **arguments)
        except Exception as error:  # noqa: BLE001 - the tool boundary: a tool's fault must not end the run
            fault = f"{type(error).__name__}: {error}"
            return ToolResult(
                content=f"{self._tool.name} failed inside codeflow ({fault}). Try another way.",
                display=f"fault in the tool: {fault}",
                is_error=True,
            )

    def _with_instructions(self, result: ToolResult, arguments: Mapping[str, Any]) -> ToolResult:
        path = arguments.get("path")
        paths = [] if result.is_error else [*([path] if isinstance(path, str) else []), *result.changed]
        found = [text for one in dict.fromkeys(paths) if (text := self._bench.instructions_for(one))]
        if not found:
            return result
        extra = "\n\n".join(found)
        return replace(result, content=f"{result.content}\n\n{extra}")

    def _refuse(self, call_id: str, problem: str, *, denied: bool, summary: str = "") -> ToolResult:
        result = ToolResult(content=f"Error: {problem}.", display=problem, is_error=True)
        self._bench.emit(
            ToolStarted(agent=self._agent, call_id=call_id, tool=self._tool.name, summary=summary)
        )
        self._finish(call_id, result, duration_s=0.0, denied=denied)
        return result

    def _finish(self, call_id: str, result: ToolResult, *, duration_s: float, denied: bool = False) -> None:
        self._bench.emit(
            ToolFinished(
                agent=self._agent,
                call_id=call_id,
                tool=self._tool.name,
                is_error=result.is_error,
                display=result.display,
                duration_s=duration_s,
                changed=result.changed,
                denied=denied,
                content=tuple(to_plain(_blocks(result))),
                seen=self._workspace.take_shown(),
            )
        )


def _sendable(text: str) -> str:
    """Text that UTF-8 can carry: a file name or output may hold lone surrogates, which the service refuses."""
    return text.encode("utf-8", "replace").decode()


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def _blocks(result: ToolResult) -> list[ToolResultContent]:
    return [{"text": _sendable(result.content) or "(no output)"}, *map(_block, result.attachments)]


def _block(attachment: Attachment) -> ToolResultContent:
    """The content block of an attachment; Converse takes few characters in the name of a document."""
    source = {"bytes": attachment.data}
    if attachment.kind == "image":
        return cast("ToolResultContent", {"image": {"format": attachment.format, "source": source}})
    name = " ".join(re.sub(r"[^A-Za-z0-9()\[\]-]+", " ", attachment.name).split())
    document = {"format": attachment.format, "name": name or "document", "source": source}
    return cast("ToolResultContent", {"document": document})
