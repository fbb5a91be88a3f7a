"""One agent's conversation, as the events of a session's log add up to it."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from codeflow.core.blocks import from_plain
from codeflow.core.events import ConversationCompacted, ModelCalled, ToolFinished
from codeflow.core.values import Seen


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

    def add_text(self, text: str) -> None:
        """Behind the results of the last calls."""
        last = self.messages[-1]
        self.messages[-1] = {**last, "content": [*last["content"], {"text": text}]}

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
