"""The one adapter between our tools and Strands: policy, approval, checkpoint, events, error boundary."""

import contextlib
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, Literal, cast

from docstring_parser import parse as parse_docstring
from pydantic import BaseModel, ValidationError
from strands.interrupt import Interrupt
from strands.types._events import ToolInterruptEvent, ToolResultEvent
from strands.types.tools import AgentTool, ToolGenerator, ToolResultContent, ToolSpec, ToolUse
from strands.types.tools import ToolResult as StrandsResult
from typing_extensions import override

from codeflow.agents.bench import Bench, Change, counts
from codeflow.agents.repetition import STOPPED_AFTER, WARNED_AFTER, Repetition
from codeflow.agents.showing import cleaned, marked, stand_in
from codeflow.core.blocks import to_plain
from codeflow.core.errors import BudgetExceededError, CodeflowError, CredentialsError, RunawayError
from codeflow.core.events import ToolFinished, ToolStarted
from codeflow.core.invisible import spelled_out
from codeflow.core.redacted_events import redacted_value
from codeflow.core.values import LOOKING, Attachment, Effect, ToolResult
from codeflow.sessions.talk import Conversation, tool_result
from codeflow.tools.arguments import arguments_model
from codeflow.tools.registry import Tool
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace


def _untitled(schema: Any) -> Any:
    """The schema without pydantic's titles: they cost tokens and say what the key says."""
    if isinstance(schema, dict):
        return {k: _untitled(v) for k, v in schema.items() if not (k == "title" and isinstance(v, str))}
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    return schema


@cache
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
        *,
        past: Conversation | None = None,
        repetition: Repetition | None = None,
    ) -> None:
        """`past` holds the calls that an earlier process finished, or began; `repetition` is that of the agent."""
        super().__init__()
        self._repetition = repetition or Repetition()
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
        summary = self._tool.summary(redacted_value(arguments, self._workspace.redactor.redact))
        if unknown := stand_in(self._tool, arguments, self._workspace):
            return self._refuse(call_id, unknown, summary=summary, denied=False)
        refusal = await self._bench.permit(self._tool, summary, arguments, agent=self._agent, call_id=call_id)
        if refusal:
            return self._refuse(
                call_id, f"not permitted: {refusal}", summary=summary, denied=counts(self._tool)
            )
        self._bench.emit(
            ToolStarted(agent=self._agent, call_id=call_id, tool=self._tool.name, summary=summary)
        )
        started = time.monotonic()
        result = await self._guarded(call_id, summary, arguments)
        result = cleaned(result, self._workspace.redactor.redact)
        result = self._bench.bounded(result, f"{self._tool.name} {summary}".rstrip())
        result = marked(result, self._tool, summary)
        result = self._with_instructions(result, arguments)
        times = self._repetition.note(self._tool.name, arguments, result.content)
        if times >= WARNED_AFTER:
            note = f"[the same call has had the same result {times} times: do something else, or give your answer]"
            result = replace(result, content=f"{result.content}\n{note}")
        self._finish(call_id, result, duration_s=time.monotonic() - started)
        if times >= STOPPED_AFTER:
            raise RunawayError(
                f"{self._agent} made the same call {times} times with the same result: {self._tool.name} {summary}",
                hint="Look at its session, then give it a clearer task: `codeflow resume ID TASK`.",
            )
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
            result = await self._tool.function(self._workspace, **arguments)
        except (
            BudgetExceededError,
            CredentialsError,
        ):  # of a tool that asks a model: the run cannot go on either
            raise
        except Exception as error:  # noqa: BLE001 - the tool boundary: a tool's fault must not end the run
            fault = f"{type(error).__name__}: {error}"
            return ToolResult(
                content=f"{self._tool.name} failed inside codeflow ({fault}). Try another way.",
                display=f"fault in the tool: {fault}",
                is_error=True,
            )
        self._bench.changed.update(result.changed)  # before anything that an interruption could cut short
        return result

    def _with_instructions(self, result: ToolResult, arguments: Mapping[str, Any]) -> ToolResult:
        path = arguments.get("path")
        paths = [] if result.is_error else [*([path] if isinstance(path, str) else []), *result.changed]
        found = [text for one in dict.fromkeys(paths) if (text := self._bench.instructions_for(one))]
        if not found:
            return result
        extra = spelled_out(self._workspace.redactor.redact("\n\n".join(found)))
        return replace(result, content=f"{result.content}\n\n{extra}")

    def _refuse(self, call_id: str, problem: str, *, denied: bool, summary: str = "") -> ToolResult:
        told = ToolResult(content=f"Error: {problem}.", display=problem, is_error=True)
        result = cleaned(told, self._workspace.redactor.redact)
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
