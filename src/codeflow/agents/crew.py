"""The agents of one run: made on first use, kept with their conversation, visited one task at a time."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from strands import Agent
from strands.agent.conversation_manager import SlidingWindowConversationManager
from strands.hooks import BeforeToolCallEvent, MessageAddedEvent
from strands.types.exceptions import (
    ContextWindowOverflowException,
    EventLoopException,
    MaxTokensReachedException,
)

from codeflow.agents.specialists import Specialist, require
from codeflow.agents.toolbox import Bench, PolicedTool
from codeflow.core.errors import CodeflowError, ContextOverflowError
from codeflow.core.events import AgentFinished, AgentStarted, Emit, MessageAdded
from codeflow.core.values import Effect, Mode
from codeflow.models.guarded import GuardedModel
from codeflow.tools.registry import TOOLS

TURNS_PER_INVOCATION = 20
"""Strands' event loop recurses once a turn (RecursionError at 318) and re-serialises what it holds."""

_UNBOUNDED = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What came of one visit: the specialist's last text, or why it did not finish."""

    ok: bool
    text: str


@dataclass(slots=True, kw_only=True)
class Crew:
    """Specialists at work in one run."""

    specialists: Mapping[str, Specialist]
    model_for: Callable[[Specialist], GuardedModel]
    bench: Bench
    emit: Emit
    mode: Mode
    max_turns: int
    instructions: str
    _agents: dict[str, Agent] = field(default_factory=dict)
    _visits: dict[str, int] = field(default_factory=dict)

    async def visit(self, name: str, prompt: str, *, node: str) -> Visit:
        """Give a specialist a task; a second visit continues its conversation, so its prefix stays cached.

        Raises:
            CodeflowError: budget, access and other faults that end the run.
        """
        specialist = require(self.specialists, name)
        agent, model = self._agent(specialist)
        visit = self._visits[name] = self._visits.get(name, 0) + 1
        self.emit(AgentStarted(agent=name, node=node, visit=visit, model=model.model_id))
        outcome = Visit(ok=False, text="interrupted")
        try:
            turns = min(self.max_turns, specialist.max_turns or self.max_turns)
            outcome = await self._drive(agent, prompt, turns)
        except CodeflowError as error:
            outcome = Visit(ok=False, text=str(error))
            raise
        finally:
            self.emit(AgentFinished(agent=name, node=node, visit=visit, ok=outcome.ok, summary=outcome.text))
        return outcome

    def _agent(self, specialist: Specialist) -> tuple[Agent, GuardedModel]:
        agent = self._agents.get(specialist.name)
        if agent is None:
            agent = self._agents[specialist.name] = self._make(specialist)
        return agent, cast("GuardedModel", agent.model)

    def _make(self, specialist: Specialist) -> Agent:
        tools = [TOOLS[name] for name in specialist.tools]
        if self.mode is Mode.PLAN:
            tools = [tool for tool in tools if tool.effect is Effect.READ]
        workspace = self.bench.workspace.for_agent()
        agent = Agent(
            model=self.model_for(specialist),
            tools=[PolicedTool(tool, specialist.name, self.bench, workspace) for tool in tools],
            system_prompt="\n\n".join(filter(None, (specialist.prompt, self.instructions))),
            callback_handler=None,
            # Trims only when the model says the conversation no longer fits; never the task itself.
            conversation_manager=SlidingWindowConversationManager(window_size=_UNBOUNDED, pin_first=1),
            retry_strategy=None,
            name=specialist.name,
            agent_id=specialist.name,
        )

        def log(event: MessageAddedEvent) -> None:
            self.emit(MessageAdded(agent=specialist.name, message=_plain(event.message)))

        def tell(event: BeforeToolCallEvent) -> None:
            if event.selected_tool is None:
                self.bench.tell_unknown(specialist.name, event.tool_use)

        agent.add_hook(log, MessageAddedEvent)
        agent.add_hook(tell, BeforeToolCallEvent)
        return agent

    def _close_turn(self, agent: Agent) -> None:
        """An earlier visit that was stopped ends in tool results; the model has to speak before the next task."""
        if agent.messages and agent.messages[-1]["role"] == "user":
            said: Any = {"role": "assistant", "content": [{"text": "(I was stopped here.)"}]}
            agent.messages.append(said)
            self.emit(MessageAdded(agent=agent.name, message=_plain(said)))

    async def _drive(self, agent: Agent, prompt: str, max_turns: int) -> Visit:
        self._close_turn(agent)
        turns_left = max_turns
        next_prompt: str | None = prompt
        while turns_left > 0:
            turns = min(TURNS_PER_INVOCATION, turns_left)
            try:
                result = await _invoke(agent, next_prompt, turns)
            except MaxTokensReachedException:
                return Visit(ok=False, text="the answer was cut at the model's output limit")
            if result.stop_reason != "limit_turns":
                text = _text(result.message)
                if result.stop_reason == "end_turn" and text:
                    return Visit(ok=True, text=text)
                return Visit(ok=False, text=text or f"ended without an answer ({result.stop_reason})")
            turns_left -= turns
            next_prompt = None
        return Visit(ok=False, text=f"used all of its {max_turns} turns without finishing")


async def _invoke(agent: Agent, prompt: str | None, turns: int) -> Any:
    """One Strands invocation, driven on our own loop so that cancellation reaches the call in flight."""
    result: Any = None
    try:
        async for event in agent.stream_async(prompt, limits={"turns": turns}):
            result = event.get("result", result)
    except EventLoopException as error:
        if isinstance(error.original_exception, CodeflowError):
            raise error.original_exception from error
        raise
    except ContextWindowOverflowException as error:
        raise ContextOverflowError(
            f"{agent.name}'s conversation no longer fits its model",
            hint="Split the task, or give the role a model with a larger context (--model ROLE=ID).",
        ) from error
    return result


def _text(message: Any) -> str:
    return "\n".join(block["text"] for block in message["content"] if "text" in block).strip()


def _plain(value: Any) -> Any:
    """A message as JSON can hold it: bytes, such as encrypted reasoning, become {"$base64": text}."""
    if isinstance(value, bytes):
        return {"$base64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
