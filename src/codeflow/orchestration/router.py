"""What kind of task this is: a small model's verdict, cached; a rule set when it gives none."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from codeflow.core.errors import CredentialsError, ModelError
from codeflow.core.events import Notice
from codeflow.core.places import private_file, private_folder, resource
from codeflow.core.ports import Emit
from codeflow.core.values import Complexity, Route, TaskKind
from codeflow.orchestration.replies import last_object

TIMEOUT_S = 20.0
"""A verdict is a prior, not worth a longer wait; the rule set answers instead."""

_MAX_TASK_CHARS = 6000
_ORDER = tuple(Complexity)

_KINDS: tuple[tuple[TaskKind, str], ...] = (
    (TaskKind.BUGFIX, r"\b(fix|bug|broken|crash\w*|fail\w*|error|traceback|regression|wrong|repair)\b"),
    (TaskKind.TEST, r"\b(add|write|extend|improve) (\w+ ){0,3}tests?\b|\btest coverage\b"),
    (TaskKind.REFACTOR, r"\b(refactor|rename|clean ?up|extract|simplify|move|split|deduplicate)\b"),
    (TaskKind.DOCS, r"\b(document\w*|docs?|docstrings?|readme|changelog|typo)\b"),
    (TaskKind.FEATURE, r"\b(add|implement|create|build|support|introduce|write|migrate|upgrade)\b"),
)
_QUESTION = re.compile(
    r"^\s*(what|why|how|where|which|who|when|does|is|are|can|explain|describe)\b", re.IGNORECASE
)
_CRITICAL = re.compile(
    r"\b(security|vulnerab\w*|auth\w*|password|payment|billing|encrypt\w*|migrat\w* (the )?data\w*|"
    r"production|data loss|permission\w*)\b",
    re.IGNORECASE,
)
_COMPLEX = re.compile(
    r"\b(architect\w*|design|redesign|concurren\w*|thread.?safe|distributed|performance|across|rewrite|"
    r"new (service|module|component|subsystem)|cache|protocol|plugin)\b",
    re.IGNORECASE,
)
_SIMPLE = re.compile(
    r"\b(typo|rename|failing test|one[- ]line|comment|constant|import|version|format|log message)\b",
    re.IGNORECASE,
)
_LONG_TASK_WORDS = 120
_SHORT_TASK_WORDS = 12


class StreamingModel(Protocol):
    """What the router needs of a guarded model."""

    @property
    def model_id(self) -> str: ...

    def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: str | None = None
    ) -> AsyncIterable[Any]: ...


class _Verdict(BaseModel):
    model_config = ConfigDict(extra="ignore")

    complexity: Complexity
    kind: TaskKind
    confidence: float = Field(ge=0, le=1)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """Classifies tasks. With no model, the rule set decides."""

    model: StreamingModel | None
    cache_folder: Path
    min_confidence: float
    emit: Emit

    async def classify(self, text: str, complexity: Complexity | None = None) -> Route:
        """The route of a task; a given complexity is taken as it is and no model is asked.

        Raises:
            CredentialsError: no other model could be asked either.
        """
        by_rules = rules(text)
        if complexity is not None:
            return replace(by_rules, complexity=complexity, confidence=1.0, reason="given", source="flag")
        if self.model is None:
            return by_rules
        prompt = (resource("prompts") / "router.md").read_text(encoding="utf-8")
        cached = self._cache_file(self.model.model_id, prompt, text)
        verdict = _read(cached)
        if verdict:
            return self._careful(verdict, by_rules, source="cache")
        verdict = await self._ask(self.model, prompt, text)
        if verdict is None:
            return by_rules
        self._remember(cached, verdict)
        return self._careful(verdict, by_rules, source="router")

    async def _ask(self, model: StreamingModel, prompt: str, text: str) -> _Verdict | None:
        request = [
            {"role": "user", "content": [{"text": f"<request>\n{text[:_MAX_TASK_CHARS]}\n</request>"}]}
        ]
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await _collect(model.stream(request, None, prompt))
        except CredentialsError:
            raise
        except ModelError as error:
            self._notice(f"the router could not be asked ({error})")
            return None
        except TimeoutError:
            self._notice(f"the router gave no answer within {TIMEOUT_S:g} s")
            return None
        found = last_object(answer)
        try:
            return _Verdict.model_validate(found)
        except ValidationError:
            self._notice("the router's answer was not a verdict")
            return None

    def _remember(self, path: Path, verdict: _Verdict) -> None:
        try:
            private_folder(path.parent)
            private_file(path).write_text(verdict.model_dump_json(), encoding="utf-8")
        except OSError as error:
            self.emit(Notice(level="warning", text=f"the router's verdict could not be cached: {error}"))

    def _notice(self, problem: str) -> None:
        self.emit(Notice(level="warning", text=f"{problem}; the rule set decided instead"))

    def _careful(self, verdict: _Verdict, by_rules: Route, *, source: str) -> Route:
        """An unsure verdict gives way to the rule set's where that one is the more careful."""
        unsure = verdict.confidence < self.min_confidence
        if unsure and _ORDER.index(by_rules.complexity) > _ORDER.index(verdict.complexity):
            return replace(by_rules, reason=f"{by_rules.reason}; the router was unsure")
        return Route(
            complexity=verdict.complexity,
            kind=verdict.kind,
            confidence=verdict.confidence,
            reason=verdict.reason,
            source=source,
        )

    def _cache_file(self, model: str, prompt: str, text: str) -> Path:
        key = hashlib.sha256(f"{model}\0{prompt}\0{text}".encode()).hexdigest()
        return self.cache_folder / "router" / f"{key}.json"


def rules(text: str) -> Route:
    """A verdict from words alone; total: every text gets one."""
    lowered = text.lower()
    words = len(text.split())
    kind = next((kind for kind, pattern in _KINDS if re.search(pattern, lowered)), TaskKind.OTHER)
    if _QUESTION.search(text):
        kind = TaskKind.QUESTION
    if _CRITICAL.search(text) and kind is not TaskKind.QUESTION:
        complexity, reason = Complexity.CRITICAL, "names something that is expensive to get wrong"
    elif _COMPLEX.search(text) or words > _LONG_TASK_WORDS:
        complexity, reason = Complexity.COMPLEX, "names design work, or is long"
    elif _SIMPLE.search(text) or words <= _SHORT_TASK_WORDS:
        complexity, reason = Complexity.SIMPLE, "short or small"
    else:
        complexity, reason = Complexity.MEDIUM, "no sign of either extreme"
    return Route(complexity=complexity, kind=kind, confidence=0.5, reason=f"rules: {reason}", source="rules")


def _read(path: Path) -> _Verdict | None:
    """A cached verdict; one that cannot be read is asked for again."""
    try:
        return _Verdict.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


async def _collect(stream: AsyncIterable[Any]) -> str:
    deltas = [chunk["contentBlockDelta"]["delta"] async for chunk in stream if "contentBlockDelta" in chunk]
    return "".join(delta.get("text", "") for delta in deltas)
