"""A model's streamed answer, gathered until it is complete and found usable, or not."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from strands.event_loop.streaming import process_stream
from strands.types.streaming import StreamEvent

from codeflow.core.blocks import to_plain
from codeflow.core.values import Usage
from codeflow.models.faults import Fault, Outcome, fault

_GOOD_STOPS = frozenset(
    {"end_turn", "tool_use", "max_tokens", "stop_sequence", "guardrail_intervened", "content_filtered"}
)
MAX_DEPTH = 50
_OVERFLOW_STOP = "model_context_window_exceeded"


@dataclass(slots=True)
class Answer:
    """What has arrived of one attempt; `events` are Converse's stream events in order."""

    events: list[StreamEvent] = field(default_factory=list)
    stop_reason: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    tool_inputs: list[str] = field(default_factory=list)
    """The JSON text of every tool call, as far as it came."""
    tool_ids: list[str] = field(default_factory=list)
    input_includes_cache: bool = False
    """OpenAI counts cached tokens as input too, Bedrock apart from it."""
    _in_call: bool = False

    def add(self, event: StreamEvent) -> str:
        """Take one event; returns the text it carries for people, or ""."""
        self.events.append(event)
        if "messageStop" in event:
            self.stop_reason = event["messageStop"]["stopReason"]
        elif "metadata" in event:
            self.metadata = dict(event["metadata"])
        elif "contentBlockStart" in event and (
            call := event["contentBlockStart"].get("start", {}).get("toolUse")
        ):
            self.tool_ids.append(call.get("toolUseId", ""))
            self._open_call()
        elif "contentBlockStop" in event:
            self._in_call = False
        elif "contentBlockDelta" in event:
            return self._add_delta(dict(event["contentBlockDelta"]["delta"]))
        return ""

    def _add_delta(self, delta: dict[str, Any]) -> str:
        if "toolUse" in delta:
            if not self._in_call:
                self._open_call()
            self.tool_inputs[-1] += delta["toolUse"].get("input", "")
        text: str = delta.get("text", "")
        self.text += text
        return text

    def _open_call(self) -> None:
        self.tool_inputs.append("")
        self._in_call = True

    @property
    def usage(self) -> Usage | None:
        """None when the service did not report it."""
        reported = self.metadata.get("usage")
        if reported is None:
            return None
        details = reported.get("cacheDetails", [])
        hour = sum(entry["inputTokens"] for entry in details if entry.get("ttl") == "1h")
        read, written = reported.get("cacheReadInputTokens", 0), reported.get("cacheWriteInputTokens", 0)
        cached = read + written if self.input_includes_cache else 0
        return Usage(
            input_tokens=reported.get("inputTokens", 0) - cached,
            output_tokens=reported.get("outputTokens", 0),
            cache_read_tokens=read,
            cache_write_tokens=written - hour,
            cache_write_1h_tokens=hour,
        )

    @property
    def service_tier(self) -> str | None:
        """The tier that served the call, which need not be the one asked for."""
        tier: str | None = self.metadata.get("serviceTier", {}).get("type")
        return tier

    @property
    def invoked_model(self) -> str | None:
        """The model that a prompt router chose."""
        model: str | None = self.metadata.get("trace", {}).get("promptRouter", {}).get("invokedModelId")
        return model

    def defect(self, model_id: str) -> Fault | None:
        """Why this answer must not enter the conversation, or None when it may."""
        if self.stop_reason is None:
            return fault(Outcome.STREAM_CUT, f"{model_id}: the stream ended before the answer did")
        if self.stop_reason == _OVERFLOW_STOP:
            return fault(Outcome.OVERFLOW, f"{model_id}: the context window was exceeded while answering")
        if self.stop_reason not in _GOOD_STOPS:
            return fault(Outcome.MALFORMED, f"{model_id}: stopped with {self.stop_reason}")
        if self.stop_reason == "max_tokens" and (self.tool_inputs or not self.text.strip()):
            return fault(Outcome.TRUNCATED, f"{model_id}: the output limit was reached inside a tool call")
        malformed = self._malformed()
        return fault(Outcome.MALFORMED, f"{model_id}: {malformed}") if malformed else None

    def _malformed(self) -> str | None:
        if not all(_is_object(arguments) for arguments in self.tool_inputs):
            return "a tool call's arguments are not a JSON object"
        if len(set(self.tool_ids)) < len(self.tool_ids) or not all(self.tool_ids):
            return "tool calls without an id of their own"
        if self.stop_reason == "tool_use" and not self.tool_inputs:
            return "announced a tool call and made none"
        return "empty answer" if not self.tool_inputs and not self.text.strip() else None

    async def content(self) -> tuple[dict[str, Any], ...]:
        """The content blocks as Strands will store them, bytes as `core.blocks` writes them."""
        message: dict[str, Any] = {}
        async for event in process_stream(_replay(self.events)):
            if "stop" in event:
                message = event["stop"][1]
        return tuple(to_plain(message["content"]))


async def _replay(events: Sequence[StreamEvent]) -> AsyncIterator[StreamEvent]:
    for event in events:
        yield event


def _is_object(arguments: str) -> bool:
    """No text at all is a call without arguments: Strands reads it as {}."""
    if not arguments.strip():
        return True
    try:
        parsed = json.loads(arguments)
    except (ValueError, RecursionError):
        return False
    return isinstance(parsed, dict) and _is_shallow(parsed, MAX_DEPTH)


def _is_shallow(value: Any, depth: int) -> bool:
    """Whether nothing is nested deeper; Strands walks arguments recursively, and no tool takes such a thing."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_shallow(item, depth - 1) for item in inner)
