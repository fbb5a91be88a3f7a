"""What agents were told, said and did, as parts of a session's page: a block for each answer, tool calls folded."""

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from codeflow.cli.render.clean import one_line, visible
from codeflow.cli.render.figures import dollars, tokens
from codeflow.cli.render.html import Content, Html, element
from codeflow.cli.render.prose import code, prose
from codeflow.core.events import CallJudged, Event, MessageAdded, ModelCalled, ToolFinished, ToolStarted
from codeflow.tools.untrusted import undelimited

_HEAD = 120
_Key = tuple[str, str]


def folded(summary: Content, *content: Content, class_: str | None = None, is_open: bool = False) -> Html:
    """Something that is opened to be read."""
    opened = "" if is_open else None
    return element("details", element("summary", summary), *content, class_=class_, open=opened)


@dataclass(slots=True)
class ToolCalls:
    """The tool calls of a session by agent and id, each with its results in their order."""

    summaries: dict[_Key, str] = field(default_factory=dict)
    judged: dict[_Key, CallJudged] = field(default_factory=dict)
    results: defaultdict[_Key, deque[ToolFinished]] = field(default_factory=lambda: defaultdict(deque))
    shown: set[int] = field(default_factory=set)
    """The results that stand under the answer that asked for them, by identity."""

    @classmethod
    def of(cls, events: Iterable[Event]) -> "ToolCalls":
        found = cls()
        for event in events:
            match event:
                case ToolStarted():
                    found.summaries[event.agent, event.call_id] = event.summary
                case CallJudged():
                    found.judged[event.agent, event.call_id] = event
                case ToolFinished():
                    found.results[event.agent, event.call_id].append(event)
        return found

    def take(self, key: _Key) -> ToolFinished | None:
        """The next result of a call."""
        if not self.results[key]:
            return None
        result = self.results[key].popleft()
        self.shown.add(id(result))
        return result


def told(event: MessageAdded) -> Iterator[Html]:
    """What codeflow said to an agent; answers come with their model calls."""
    if event.message.get("role") != "user":
        return
    for block in event.message.get("content", ()):
        if isinstance(text := block.get("text"), str):
            yield folded(f"To {one_line(event.agent)}: {one_line(text, _HEAD)}", code(undelimited(text)))
        else:
            yield _other(block)


def turn(at: str, event: ModelCalled, calls: ToolCalls) -> Html:
    """One answer of a model with the tools it called, or why there was none."""
    parts = [element("header", element("b", one_line(event.agent)), " ", _figures(at, event))]
    if event.outcome != "ok":
        parts.append(element("p", f"{event.outcome}: {one_line(event.detail)}", class_="bad"))
    for block in event.reply:
        match block:
            case {"text": str(text)}:
                parts.append(_said(text))
            case {"reasoningContent": {"reasoningText": {"text": str(text)}}}:
                parts.append(folded("Thought", prose(text)))
            case {"toolUse": {"name": str(name)} as use}:
                key = (event.agent, str(use.get("toolUseId", "")))
                parts.append(_tool(name, use.get("input"), key, calls))
            case _:
                parts.append(_other(block))
    return element("article", parts, class_="turn")


def stray_result(event: ToolFinished, calls: ToolCalls) -> Html:
    """A result whose call stands in no answer of the log."""
    return _tool_part(event.tool, None, (event.agent, event.call_id), event, calls)


def _figures(at: str, event: ModelCalled) -> Html:
    words = [one_line(event.model), at[11:19], f"{event.duration_s:.1f} s"]
    if usage := event.usage:
        cached = (
            f" ({usage.cache_read_tokens / usage.prompt_tokens:.0%} cached)"
            if usage.cache_read_tokens
            else ""
        )
        words.append(f"{tokens(usage.prompt_tokens)} read{cached}, {tokens(usage.output_tokens)} written")
    words.append("cost unknown" if event.cost is None else dollars(event.cost))
    return element("span", " · ".join(filter(None, words)), class_="soft")


def _said(text: str) -> Html:
    try:
        data = json.loads(text)
    except ValueError:
        return prose(text)
    return (
        code(json.dumps(data, indent=2, ensure_ascii=False)) if isinstance(data, dict | list) else prose(text)
    )


def _tool(name: str, arguments: Any, key: _Key, calls: ToolCalls) -> Html:
    return _tool_part(name, arguments, key, calls.take(key), calls)


def _tool_part(name: str, arguments: Any, key: _Key, result: ToolFinished | None, calls: ToolCalls) -> Html:
    mark, kind, outcome = _outcome(result)
    what = visible(one_line(calls.summaries.get(key, "")))
    head: Content = [
        element("span", mark, class_=kind),
        " ",
        element("code", name),
        f" {what} ",
        element("span", outcome, class_="soft" if kind == "good" else kind),
    ]
    body = [_ruling(calls.judged.get(key)), *_arguments(arguments)]
    if result:
        body += [_result(block) for block in result.content]
    return folded(head, body, class_="tool")


def _outcome(result: ToolFinished | None) -> tuple[str, str, str]:
    """Mark, class and words of how a call ended."""
    if result is None:
        return "…", "warn", "no end in the log"
    if result.denied:
        return "✗", "bad", f"refused: {one_line(result.display)}"
    mark, kind = ("✗", "bad") if result.is_error else ("✓", "good")
    return mark, kind, f"{one_line(result.display)} · {result.duration_s:.1f} s"


def _ruling(judged: CallJudged | None) -> Html:
    """Who decided, where it was not simply allowed."""
    if judged is None or (judged.outcome == "allowed" and judged.answered_by == "rules"):
        return Html()
    by = {"person": " by you", "nobody": "; nobody was here", "rules": ""}[judged.answered_by]
    rule = f" ({judged.layer} rule {judged.rule})" if judged.rule else ""
    reason = f": {one_line(judged.reason)}" if judged.reason else ""
    return element("p", f"{judged.outcome}{by}{rule}{reason}", class_="warn")


def _arguments(arguments: Any) -> Iterator[Html]:
    """Each argument with every hidden character spelled out: what was asked for is what is seen."""
    if not isinstance(arguments, dict):
        return
    for name, value in arguments.items():
        text = value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)
        if "\n" in text:
            yield element("p", element("code", visible(name)), class_="soft")
            yield code(visible(text))
        else:
            yield element("p", element("code", visible(name)), " ", element("code", visible(text)))


def _result(block: dict[str, Any]) -> Html:
    if isinstance(text := block.get("text"), str):
        return code(undelimited(text))
    return _other(block)


def _other(block: dict[str, Any]) -> Html:
    """A block that is no text, in words; pictures and documents are not in the page."""
    kind = next(iter(block), "empty")
    content = block.get(kind)
    if kind in {"image", "document"} and isinstance(content, dict):
        return element("p", f"[{kind}: {one_line(str(content.get('name') or content.get('format', '')))}]")
    if kind == "toolResult" and isinstance(content, dict):  # logs of older versions
        return folded("Result", [_result(one) for one in content.get("content", ()) if isinstance(one, dict)])
    return element("p", f"[{one_line(kind)}]", class_="soft")
