"""A transcript's reply in the shapes of Converse and ConverseStream."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from codeflow.core.values import Usage
from codeflow.models.endpoint.cache import CHARS_PER_TOKEN
from codeflow.models.endpoint.transcript import Fault, Reply, Stop, Truncate

DELTA_CHARS = 40

Event = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call whose input is still JSON text, since a truncated one has no other form."""

    id: str
    name: str
    input_json: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model says, independent of how it is sent."""

    thought: str
    signature: str
    text: str
    tool_uses: tuple[ToolUse, ...]
    stop_reason: str

    @property
    def tokens(self) -> int:
        inputs = "".join(use.name + use.input_json for use in self.tool_uses)
        return max(1, len(self.thought + self.text + inputs) // CHARS_PER_TOKEN)


def answer(reply: Reply, step: int, fault: Fault | None) -> Answer:
    """The reply as the fault, if it concerns content, leaves it; tool use ids name the agent and the step."""
    who = f"{re.sub('[^a-zA-Z0-9_-]', '_', reply.agent)[:32]}_{step}"
    uses = tuple(
        ToolUse(f"call_{who}_{number}", call.name, json.dumps(call.input, ensure_ascii=False))
        for number, call in enumerate(reply.call, start=1)
    )
    whole = Answer(
        thought=reply.think,
        signature=f"signature_{who}",
        text=reply.say,
        tool_uses=uses,
        stop_reason=reply.stop_reason,
    )
    if isinstance(fault, Stop):
        return replace(whole, stop_reason=fault.stop)
    if isinstance(fault, Truncate):
        return _truncated(whole, fault)
    return whole


def _truncated(whole: Answer, fault: Truncate) -> Answer:
    if not whole.tool_uses:
        return replace(whole, text=whole.text[: fault.truncate], stop_reason=fault.stop)
    *complete, last = whole.tool_uses
    cut = replace(last, input_json=last.input_json[:-1][: fault.truncate])
    return replace(whole, tool_uses=(*complete, cut), stop_reason=fault.stop)


def converse_output(said: Answer, usage: Usage, latency_ms: int, echoed: dict[str, Any]) -> dict[str, Any]:
    """The body of a Converse response; a truncated input is an empty one there."""
    content: list[dict[str, Any]] = []
    if said.thought:
        thought = {"text": said.thought, "signature": said.signature}
        content.append({"reasoningContent": {"reasoningText": thought}})
    if said.text:
        content.append({"text": said.text})
    for use in said.tool_uses:
        block = {"toolUseId": use.id, "name": use.name, "input": _object_or_empty(use.input_json)}
        content.append({"toolUse": block})
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": said.stop_reason,
        "usage": token_usage(usage),
        "metrics": {"latencyMs": latency_ms},
        **echoed,
    }


def _object_or_empty(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {}


def stream_events(said: Answer, usage: Usage, latency_ms: int, echoed: dict[str, Any]) -> list[Event]:
    """The events of a ConverseStream response, in order."""
    events: list[Event] = [("messageStart", {"role": "assistant"})]
    for index, block in enumerate(_blocks(said)):
        events += [(name, {**payload, "contentBlockIndex": index}) for name, payload in block]
    events.append(("messageStop", {"stopReason": said.stop_reason}))
    metadata = {"usage": token_usage(usage), "metrics": {"latencyMs": latency_ms}, **echoed}
    return [*events, ("metadata", metadata)]


def _blocks(said: Answer) -> Iterator[list[Event]]:
    stop: Event = ("contentBlockStop", {})
    if said.thought:
        thoughts = [_delta({"reasoningContent": {"text": piece}}) for piece in _pieces(said.thought)]
        yield [*thoughts, _delta({"reasoningContent": {"signature": said.signature}}), stop]
    if said.text:
        yield [*(_delta({"text": piece}) for piece in _pieces(said.text)), stop]
    for use in said.tool_uses:
        start: Event = ("contentBlockStart", {"start": {"toolUse": {"toolUseId": use.id, "name": use.name}}})
        yield [start, *(_delta({"toolUse": {"input": piece}}) for piece in _pieces(use.input_json)), stop]


def _delta(delta: dict[str, Any]) -> Event:
    return "contentBlockDelta", {"delta": delta}


def _pieces(text: str) -> list[str]:
    return [text[start : start + DELTA_CHARS] for start in range(0, len(text), DELTA_CHARS)]


def token_usage(usage: Usage) -> dict[str, Any]:
    """Converse's TokenUsage; `inputTokens` excludes cached tokens, `totalTokens` is the sum of all."""
    written = {"1h": usage.cache_write_1h_tokens, "5m": usage.cache_write_tokens}
    tokens: dict[str, Any] = {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.prompt_tokens + usage.output_tokens,
        "cacheReadInputTokens": usage.cache_read_tokens,
        "cacheWriteInputTokens": sum(written.values()),
    }
    if details := [{"ttl": ttl, "inputTokens": count} for ttl, count in written.items() if count]:
        tokens["cacheDetails"] = details
    return tokens
