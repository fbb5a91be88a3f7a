"""A scripted provider under the guarded model; test_models_wire.py drives the real one."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore import exceptions as boto
from strands.models import Model

from codeflow.core.errors import BudgetExceededError
from codeflow.core.events import Event, ModelCalled, ModelRetried
from codeflow.core.reliability import BreakerPolicy, FaultPolicy, OnFailure
from codeflow.core.values import CallEstimate
from codeflow.models.breaker import Breakers
from codeflow.models.catalogue import Catalogue, ModelSpec
from codeflow.models.guarded import GuardedModel

CATALOGUE = Catalogue.load()
OPUS = CATALOGUE.require("global.anthropic.claude-opus-5-5")
HAIKU = CATALOGUE.require("us.anthropic.claude-haiku-5-5")
LLAMA = CATALOGUE.require("us.meta.llama3-3-70b-instruct-v1:0")
ASK: list[Any] = [{"role": "user", "content": [{"text": "Fix it, please."}]}]
TOOLS: list[Any] = [{"name": "read", "description": "Reads", "inputSchema": {"json": {"type": "object"}}}]

Event_ = dict[str, Any]
Script = list[Event_ | BaseException]


def text(content: str) -> Script:
    return [{"contentBlockDelta": {"delta": {"text": content}}}, {"contentBlockStop": {}}]


def call(arguments: str, name: str = "read") -> Script:
    return [
        {"contentBlockStart": {"start": {"toolUse": {"toolUseId": "t1", "name": name}}}},
        {"contentBlockDelta": {"delta": {"toolUse": {"input": arguments}}}},
        {"contentBlockStop": {}},
    ]


def thought(content: str) -> Script:
    reasoning = {"text": content}
    return [{"contentBlockDelta": {"delta": {"reasoningContent": reasoning}}}, {"contentBlockStop": {}}]


def reply(*parts: Script, stop: str = "end_turn", **metadata: Any) -> Script:
    usage = {"inputTokens": 1_000, "outputTokens": 100, "totalTokens": 1_100}
    return [
        {"messageStart": {"role": "assistant"}},
        *[event for part in parts for event in part],
        {"messageStop": {"stopReason": stop}},
        {"metadata": {"usage": usage, "metrics": {"latencyMs": 1}, **metadata}},
    ]


def refused(code: str, message: str = "", status: int = 400) -> boto.ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return boto.ClientError(response, "ConverseStream")


def fault_policy(**different: Any) -> FaultPolicy:
    """A policy without time limits."""
    usual = {
        "max_attempts": 3,
        "max_wait_s": 8.0,
        "first_token_timeout_s": None,
        "call_timeout_s": None,
        "visit_timeout_s": None,
        "fallback_agent": "",
        "required": True,
        "on_failure": OnFailure.STOP,
    }
    return FaultPolicy.model_validate(usual | different)


@dataclass
class Provider(Model):
    """Plays one script per attempt: exceptions in it are raised, "wait" never ends, "pause" does, "cancel" sets the signal."""

    scripts: list[Script]
    seen: list[dict[str, Any]] = field(default_factory=list)
    cancel: threading.Event = field(default_factory=threading.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    def update_config(self, **model_config: Any) -> None:
        raise NotImplementedError

    def get_config(self) -> Any:
        return {}

    def structured_output(
        self, output_model: Any, prompt: Any, system_prompt: Any = None, **kwargs: Any
    ) -> Any:
        raise NotImplementedError

    async def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        self.seen.append({"messages": messages, **kwargs})
        for event in self.scripts.pop(0):
            if isinstance(event, BaseException):
                raise event
            if event == {"wait": True}:
                self.waiting.set()
                await asyncio.Event().wait()
            if "pause" in event:
                await asyncio.sleep(event["pause"])
                continue
            if event == {"cancel": True}:
                self.cancel.set()
                continue
            yield event


@dataclass
class Connection:
    provider: Provider
    fresh: bool = False
    profile: str = "work"
    region: str = "us-east-1"
    prepared_with: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)

    def prepared(self, *, max_tokens: int, metadata: Mapping[str, str], tools: bool) -> Model:
        self.prepared_with.append((max_tokens, metadata))
        return self.provider

    def renew(self) -> bool:
        return self.fresh

    def close(self) -> None:
        """Nothing is open."""


class Bench:
    """A guarded model over scripts, with everything it emitted."""

    def __init__(
        self,
        *scripts: Script,
        candidates: Sequence[ModelSpec] = (OPUS,),
        fresh: bool = False,
        max_attempts: int = 3,
        allowance: int = 1_000_000,
        policy: FaultPolicy | None = None,
        breakers: Breakers | None = None,
    ) -> None:
        self.events: list[Event] = []
        self.estimates: list[CallEstimate] = []
        self.slept: list[float] = []
        self.allowance = allowance
        self.provider = Provider(list(scripts))
        self.connection = Connection(self.provider, fresh)
        self.connected: list[str] = []
        self.model = GuardedModel(
            agent="coder",
            session_id="s1",
            candidates=candidates,
            catalogue=CATALOGUE,
            connect=self.connect,
            emit=self.events.append,
            admit=self.admit,
            policy=policy or fault_policy(max_attempts=max_attempts),
            breakers=breakers or Breakers(BreakerPolicy(threshold=1_000, cool_down_s=30)),
            sleep=self.sleep,
        )

    def connect(self, spec: ModelSpec) -> Connection:
        self.connected.append(spec.model_id)
        return self.connection

    def admit(self, estimate: CallEstimate) -> int:
        self.estimates.append(estimate)
        if self.allowance == 0:
            raise BudgetExceededError("too dear")
        return min(self.allowance, estimate.max_output_tokens)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def ask(self, messages: Any = ASK, **options: Any) -> list[Any]:
        return [event async for event in self.model.stream(messages, TOOLS, "Be brief.", **options)]

    @property
    def calls(self) -> list[ModelCalled]:
        return [event for event in self.events if isinstance(event, ModelCalled)]

    @property
    def outcomes(self) -> list[str]:
        return [str(called.outcome) for called in self.calls]

    @property
    def retries(self) -> list[ModelRetried]:
        return [event for event in self.events if isinstance(event, ModelRetried)]


GOOD = reply(text("Done."))
CUT = [{"messageStart": {"role": "assistant"}}, *text("Half an ans")]
