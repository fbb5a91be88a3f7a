"""A run's events, written down as a transcript that replays it."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from codeflow.core.errors import UsageError
from codeflow.core.events import Event, ModelCalled, PatternChosen, Routed, RunStarted
from codeflow.core.values import Pattern, Usage
from codeflow.models.endpoint.transcript import (
    Call,
    Cut,
    Fault,
    Options,
    Reply,
    ReplyUsage,
    ServiceError,
    Stop,
    Transcript,
    Truncate,
    dump,
)

_FAULTS: Mapping[str, Fault] = {
    "throttled": ServiceError("ThrottlingException"),
    "unavailable": ServiceError("ServiceUnavailableException"),
    "timeout": ServiceError("ModelTimeoutException"),
    "model_error": ServiceError("ModelErrorException"),
    "quota": ServiceError("ServiceQuotaExceededException"),
    "access": ServiceError("AccessDeniedException"),
    "credentials": ServiceError("ExpiredTokenException"),
    "validation": ServiceError("ValidationException"),
    "overflow": ServiceError("ValidationException", "Input is too long for requested model."),
    "stream_cut": Cut(2),
    "truncated": Truncate(10),
}
_UNKNOWN_FAILURE = ServiceError("InternalServerException")


@dataclass(slots=True)
class _Step:
    faults: list[Fault] = field(default_factory=list)
    answer: ModelCalled | None = None


class Recorder:
    """Consumes the events of one run.

    `options` are what the user chose; mode and roster are filled in from the run, complexity and pattern where
    they came from the router's cache, since a replay has no such cache. So is who began a cascade: a replay asks no ledger.
    """

    def __init__(self, *, options: Options | None = None, base: str | None = None) -> None:
        self._task = ""
        self._options = options or Options()
        self._base = base
        self._pinned = False
        self._steps: dict[tuple[str, int], _Step] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._task = event.task
                self._options = replace(self._options, mode=event.mode, roster=event.roster)
            case Routed():
                self._pinned = event.route.source == "cache"
            case PatternChosen():
                self._pin(event)
            case ModelCalled():
                self._record(event)
            case _:
                pass

    def _pin(self, chosen: PatternChosen) -> None:
        if self._pinned:
            self._options = replace(self._options, pattern=chosen.pattern, complexity=chosen.complexity)
        if chosen.pattern is Pattern.CASCADE:
            self._options = replace(self._options, pattern=chosen.pattern, agent=chosen.agent)

    def _record(self, called: ModelCalled) -> None:
        if called.outcome in ("cancelled", "lost"):
            return
        step = self._steps.setdefault((called.agent, called.step), _Step())
        if called.outcome == "ok":
            step.answer = called
        else:
            step.faults.append(_fault(called))

    def transcript(self) -> Transcript:
        """What has been recorded so far."""
        replies = tuple(_reply(agent, number, step) for (agent, number), step in self._steps.items())
        return Transcript(task=self._task, options=self._options, base=self._base, replies=replies)

    def write(self, path: Path) -> None:
        """Write the transcript atomically, readable by its owner only.

        Raises:
            UsageError: when the file cannot be written.
        """
        try:
            _write_private(path, dump(self.transcript()))
        except OSError as error:
            message = f"{path}: cannot be written: {error.strerror}"
            raise UsageError(message, hint="Choose another file for the recording.") from error


def _fault(called: ModelCalled) -> Fault:
    if called.outcome == "malformed":
        return Stop(called.stop_reason or "malformed_tool_use")
    return _FAULTS.get(called.outcome, _UNKNOWN_FAILURE)


def _reply(agent: str, number: int, step: _Step) -> Reply:
    faults = tuple(step.faults)
    if step.answer is None:
        return Reply(agent=agent, step=number, faults=faults)
    blocks = step.answer.reply
    given = Reply(
        agent=agent,
        step=number,
        say="".join(block["text"] for block in blocks if "text" in block),
        think="".join(_thought(block) for block in blocks),
        call=tuple(Call(use["name"], use["input"]) for use in _tool_uses(blocks)),
        usage=_usage(step.answer.usage),
        faults=faults,
    )
    stop = step.answer.stop_reason
    return given if stop in (None, given.stop_reason) else replace(given, stop=stop)


def _thought(block: Mapping[str, Any]) -> str:
    return str(block.get("reasoningContent", {}).get("reasoningText", {}).get("text", ""))


def _tool_uses(blocks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [block["toolUse"] for block in blocks if "toolUse" in block]


def _usage(usage: Usage | None) -> ReplyUsage | None:
    if usage is None:
        return None
    return ReplyUsage(
        input=usage.input_tokens,
        output=usage.output_tokens,
        cache_read=usage.cache_read_tokens,
        cache_write=usage.cache_write_tokens,
        cache_write_1h=usage.cache_write_1h_tokens,
    )


def _write_private(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
