"""Turns in few words: as a record for a model that summarises them, and as a list of calls when none does."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from codeflow.agents.context.conversation import Message, calls, result_text
from codeflow.agents.context.cutting import clipped
from codeflow.tools.tool import one_line
from codeflow.tools.untrusted import undelimited

_TEXT_CHARS = 4_000
_INPUT_CHARS = 600
_RESULT_CHARS = 1_200
_LINE_CHARS = 160


def record(messages: Sequence[Message], earlier: str, limit_chars: int) -> str:
    """What happened, in full sentences of data, the newest part whole where not all of it fits.

    `earlier` is the summary of what happened before.
    """
    lines = [line for message in messages for line in _lines(message)]
    kept: list[str] = []
    room = limit_chars - len(earlier)
    for line in reversed(lines):
        room -= len(line)
        if room < 0:
            kept.append(f"[{len(lines) - len(kept)} older entries left out]")
            break
        kept.append(line)
    before = [f"<earlier_summary>\n{earlier}\n</earlier_summary>"] if earlier else []
    return "\n".join([*before, "<record>", *reversed(kept), "</record>"])


def digest(messages: Sequence[Message], earlier: str, limit_chars: int) -> str:
    """`earlier`, then one line for each call; the oldest lines give way where not all of it fits."""
    lines = [f"- {called.line}: {_outcome(called.text, ok=called.ok)}" for called in calls(messages)]
    room = limit_chars - min(len(earlier), limit_chars // 2)
    kept: list[str] = []
    for line in reversed(lines):
        room -= len(line) + 1
        if room < 0:
            kept.append(f"- {len(lines) - len(kept)} earlier calls")
            break
        kept.append(line)
    before = [clipped(earlier, limit_chars // 2)] if earlier else []
    return "\n".join([*before, *reversed(kept)])


def _outcome(text: str, *, ok: bool) -> str:
    first = one_line(undelimited(text).strip().partition("\n")[0])[:_LINE_CHARS] or "done"
    return first if ok else f"failed: {first}"


def _lines(message: Message) -> Iterator[str]:
    who = "agent" if message["role"] == "assistant" else "asked"
    for block in message["content"]:
        if "text" in block:
            yield f"{who}: {clipped(block['text'], _TEXT_CHARS)}"
        elif "toolUse" in block:
            yield f"call {block['toolUse']['name']} {_input(block['toolUse']['input'])}"
        elif "toolResult" in block:
            result = block["toolResult"]
            failed = " (failed)" if result.get("status") == "error" else ""
            yield f"result{failed}: {clipped(result_text(result), _RESULT_CHARS)}"


def _input(given: Any) -> str:
    return clipped(json.dumps(given, ensure_ascii=False), _INPUT_CHARS)
