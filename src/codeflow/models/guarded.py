"""The one way to call a model: metered, priced, retried, moved to another model, and never half an answer."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError
from strands.event_loop.streaming import process_stream
from strands.models import Model
from strands.tools import convert_pydantic_to_tool_spec
from strands.types.content import Message, Messages, SystemContentBlock
from strands.types.exceptions import ContextWindowOverflowException
from strands.types.streaming import StreamEvent
from strands.types.tools import ToolChoice, ToolSpec
from typing_extensions import override

from codeflow.core.blocks import without_reasoning
from codeflow.core.errors import BadReplyError
from codeflow.core.events import BreakerChanged, ModelCalled, ModelRetried, ModelStarted, TextDelta
from codeflow.core.ports import Admit, Barrier, Emit, no_barrier
from codeflow.core.reliability import FaultPolicy
from codeflow.core.values import CallEstimate, Usage
from codeflow.models.attempts import Meter, Step, Stop, bill, listen
from codeflow.models.breaker import Breakers, Key, State
from codeflow.models.catalogue import Catalogue, ModelSpec
from codeflow.models.diagnosis import classify
from codeflow.models.faults import Fault, Outcome, to_error
from codeflow.models.patience import allows_retry, breaker_wait_s, retry_wait_s
from codeflow.models.pricing import highest_prices
from codeflow.models.providers import Connect, Connection
from codeflow.models.replies import Answer
from codeflow.models.sizes import GrowingSize, frame_tokens, message_tokens

T = TypeVar("T", bound=BaseModel)
_POLL_S = 0.1
_HANDED_ON = (Outcome.CANCELLED, Outcome.INTERNAL)
"""Exceptions that are not a vendor's: they are metered, then go their way."""


class GuardedModel(Model):
    """A role's models, first choice first, as one Strands model.

    Only a complete, valid answer reaches Strands; text is emitted while it streams. Every attempt emits one
    ModelCalled. After a fallback the agent stays with the model that worked. One call at a time.
    """

    _supports_structured_output = True

    def __init__(
        self,
        *,
        agent: str,
        session_id: str,
        candidates: Sequence[ModelSpec],
        catalogue: Catalogue,
        connect: Connect,
        emit: Emit,
        admit: Admit,
        policy: FaultPolicy,
        breakers: Breakers,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        steps: int = 0,
        foreign_messages: int = 0,
        logged: Barrier = no_barrier,
    ) -> None:
        """`steps` were taken, and `foreign_messages` written by other models, before this process."""
        self._agent = agent
        self._session_id = session_id
        self._candidates = list(candidates)
        self._catalogue = catalogue
        self._connect = connect
        self._emit = emit
        self._admit = admit
        self.policy = policy
        """Of the visit under way; whoever begins another one may replace it."""
        self._breakers = breakers
        self._logged = logged
        self._sleep = sleep
        self._clock = clock
        self.steps = steps
        self.unfinished = ""
        """What the last attempt had said when it failed; "" after a whole answer."""
        self._connection: Connection | None = None
        self._foreign_messages = foreign_messages
        self._size = GrowingSize()
        self.last_usage: Usage | None = None
        """Of the last complete answer, by the model in use."""
        self.tokens_per_estimate = 1.0
        """How many tokens the model in use counted, for each that was estimated."""

    @property
    def spec(self) -> ModelSpec:
        """The model in use."""
        return self._candidates[0]

    @property
    def model_id(self) -> str:
        return self.spec.model_id

    @property
    def config(self) -> dict[str, Any]:
        """Strands' tracer reads the model id here."""
        return self.get_config()

    def get_config(self) -> dict[str, Any]:
        return {"model_id": self.model_id, "context_window_limit": self.spec.context}

    def update_config(self, **model_config: Any) -> None:
        """Change keys of the model in use, such as max_tokens, until a fallback replaces it."""
        self._candidates[0] = ModelSpec.model_validate({**self.spec.model_dump(), **model_config})
        self._connection = None

    def take_as_rewritten(self) -> None:
        """The conversation is not what it was: no model's reasoning is left in it, and its size is unknown."""
        self._foreign_messages = 0
        self._size.forget()

    @override
    async def count_tokens(
        self,
        messages: Messages,
        tool_specs: list[ToolSpec] | None = None,
        system_prompt: str | None = None,
        system_prompt_content: list[SystemContentBlock] | None = None,
    ) -> int:
        """An estimate; unlike Strands' own it counts pictures and documents."""
        parts = [block["text"] for block in system_prompt_content or () if "text" in block]
        return frame_tokens(tool_specs, "".join(parts) or system_prompt) + sum(map(message_tokens, messages))

    async def stream(
        self,
        messages: Messages,
        tool_specs: list[ToolSpec] | None = None,
        system_prompt: str | None = None,
        *,
        cancel_signal: threading.Event | None = None,
        system_prompt_content: list[SystemContentBlock] | None = None,
        **options: Any,
    ) -> AsyncGenerator[StreamEvent, None]:
        """The events of the first complete, valid answer; none when cancelled by the signal.

        Raises:
            BudgetExceededError: from `admit`; no call was made.
            ContextWindowOverflowException: for Strands, which shortens the conversation and comes back.
            ModelError: every attempt allowed failed.
        """
        frame = await self.count_tokens([], tool_specs, system_prompt, system_prompt_content)
        estimate = frame + self._size.of(messages)
        step = Step(
            messages=messages,
            tool_specs=tool_specs,
            options={
                **options,
                "system_prompt": system_prompt,
                "system_prompt_content": system_prompt_content,
            },
            cancel_signal=cancel_signal,
            prompt_tokens=estimate,
        )
        self.steps += 1
        answer = await self._answer(step)
        for event in answer.events if answer else ():
            yield event

    async def structured_output(
        self, output_model: type[T], prompt: Messages, system_prompt: str | None = None, **_kwargs: Any
    ) -> AsyncGenerator[dict[str, T | Any], None]:
        """One answer as an `output_model`, which the model gives by calling a tool of that shape.

        Raises:
            BadReplyError: the model answered without calling it, or with input of another shape.
        """
        tool = convert_pydantic_to_tool_spec(output_model)
        choice = cast("ToolChoice", {"any": {}})
        events = self.stream(prompt, [tool], system_prompt, tool_choice=choice)
        message: Message = {"role": "assistant", "content": []}
        async for event in process_stream(events):
            if "stop" in event:
                message = event["stop"][1]
        inputs = [block["toolUse"]["input"] for block in message["content"] if "toolUse" in block]
        try:
            output = output_model.model_validate(inputs[0])
        except (IndexError, ValidationError) as error:
            raise BadReplyError(f"{self.model_id}: did not answer in the form asked for") from error
        yield {"output": output}

    async def _answer(self, step: Step) -> Answer | None:
        while not step.cancelled:
            if not await self._pass_breaker(step):
                continue
            step.attempt += 1
            result = await self._attempt(step)
            if isinstance(result, Answer):
                return result
            if result.outcome is Outcome.CANCELLED:
                return None
            step.failures.append(result)
            await self._recover(step, result)
        return None

    async def _pass_breaker(self, step: Step) -> bool:
        """Whether the model in use may be called; else it was replaced, or waited for where nothing replaces it."""
        wait_s = self._breakers.wait_s(self._circuit)
        if wait_s == 0:
            return True
        left_alone = self.spec.address
        if len(self._candidates) > 1:
            self._switch(step)
            self._tell_retry(step, left_alone, 0.0, "its circuit is open")
            return False
        delay_s = breaker_wait_s(self.policy, wait_s, left_alone)
        self._tell_retry(step, left_alone, delay_s, "its circuit is open and no other model is left to ask")
        await self._pause(delay_s, step)
        return False

    async def _recover(self, step: Step, failed: Fault) -> None:
        """Prepare the next attempt, or raise what the failure means when there is none."""
        model, delay_s = self.spec.address, 0.0
        if failed.outcome is Outcome.CREDENTIALS and await self._renew(step):
            step.failures.clear()
        elif allows_retry(self.policy, step.failures):
            delay_s = retry_wait_s(self.policy, step.failures)
        elif failed.fallback and len(self._candidates) > 1:
            self._switch(step)
        elif failed.outcome is Outcome.OVERFLOW:
            raise ContextWindowOverflowException(failed.message) from failed.cause
        else:
            raise to_error(failed) from failed.cause
        self._tell_retry(step, model, delay_s, f"{failed.outcome}: {failed.message}")
        await self._pause(delay_s, step)

    def _tell_retry(self, step: Step, model: str, delay_s: float, reason: str) -> None:
        """Once in a row for the same reason: a wait for another agent's probe is made of many short ones."""
        told = ModelRetried(
            agent=self._agent, model=model, next_model=self.spec.address, delay_s=delay_s, reason=reason
        )
        if told != step.told:
            self._emit(told)
        step.told = told

    async def _renew(self, step: Step) -> bool:
        """Once per step: whether the user has renewed the credentials meanwhile, in another window."""
        if step.renewed or self._connection is None:
            return False
        step.renewed = True
        return await asyncio.to_thread(self._connection.renew)

    def _switch(self, step: Step) -> None:
        self._candidates.pop(0)
        self._connection = None
        self._foreign_messages = len(step.messages)
        self.tokens_per_estimate, self.last_usage = 1.0, None
        step.failures.clear()

    async def _pause(self, delay_s: float, step: Step) -> None:
        """Sleep in slices, so that a cancelled run does not wait for its next retry."""
        while delay_s > 0 and not step.cancelled:
            await self._sleep(min(delay_s, _POLL_S))
            delay_s -= _POLL_S

    async def _attempt(self, step: Step) -> Answer | Fault:
        estimate = self._estimate(step)
        max_tokens = self._admit(estimate)
        self._breakers.admit(self._circuit, self._tell_breaker)
        self._announce(estimate, max_tokens)
        await self._logged()
        meter = Meter(self._clock, Answer(input_includes_cache=self.spec.provider == "openai"))
        try:
            await self._collect(step, max_tokens, meter)
        except BaseException as error:
            failed = classify(error, spec=self.spec, profile=self._profile)
            self._report(step, meter, failed)
            if failed.outcome in _HANDED_ON:
                raise
            return failed
        answer = meter.answer
        defect = answer.defect(self.model_id)
        if defect and step.cancelled:
            defect = classify(asyncio.CancelledError(), spec=self.spec)
        self._report(step, meter, defect, () if defect else await answer.content())
        if defect is None and answer.usage:
            self.last_usage = answer.usage
            self.tokens_per_estimate = answer.usage.prompt_tokens / max(1, step.prompt_tokens) or 1.0
        return defect or answer

    def _announce(self, estimate: CallEstimate, max_tokens: int) -> None:
        """Written down before anything is sent, so that a killed run still knows what it may owe."""
        input_price, output_price = estimate.input_price, estimate.output_price
        worst = None
        if input_price is not None and output_price is not None:
            worst = estimate.prompt_tokens * input_price + max_tokens * output_price
        self._emit(
            ModelStarted(
                agent=estimate.agent,
                step=estimate.step,
                attempt=estimate.attempt,
                model=estimate.model,
                worst_cost=worst,
                worst_tokens=estimate.prompt_tokens + max_tokens,
            )
        )

    def _estimate(self, step: Step) -> CallEstimate:
        spec = self.spec
        prompt_tokens = int(step.prompt_tokens * max(1.0, self.tokens_per_estimate))
        input_price, output_price = highest_prices(spec, prompt_tokens)
        return CallEstimate(
            agent=self._agent,
            step=self.steps,
            attempt=step.attempt,
            model=spec.model_id,
            prompt_tokens=prompt_tokens,
            max_output_tokens=spec.max_output if step.truncated else spec.max_tokens,
            input_price=input_price,
            output_price=output_price,
        )

    async def _collect(self, step: Step, max_tokens: int, meter: Meter) -> None:
        if self._connection is None:
            self._connection = self._connect(self.spec)
        metadata = {
            "agent": self._agent,
            "session": self._session_id,
            "step": str(self.steps),
            "attempt": str(step.attempt),
        }
        model = self._connection.prepared(
            max_tokens=max_tokens, metadata=metadata, tools=bool(step.tool_specs)
        )
        stop = Stop(step.cancel_signal)
        meter.sent = True
        events = cast(
            "AsyncGenerator[StreamEvent, None]",
            model.stream(
                self._own(step.messages), step.tool_specs, cancel_signal=stop, **self._accepted(step)
            ),
        )
        await listen(
            events,
            stop=stop,
            meter=meter,
            policy=self.policy,
            say=lambda text: self._emit(TextDelta(agent=self._agent, text=text)),
        )

    def _own(self, messages: Messages) -> Messages:
        """The conversation without reasoning that this model did not write or will not read."""
        foreign = self._foreign_messages if self.spec.reasoning else len(messages)
        return [without_reasoning(message) for message in messages[:foreign]] + messages[foreign:]

    def _accepted(self, step: Step) -> dict[str, Any]:
        """What Strands asks for, minus a forced tool choice that the model would refuse, where the provider knows no
        second way to enforce an output model.
        """
        if self.spec.forced_tool_choice or step.options.get("structured_output_model"):
            return step.options
        return {**step.options, "tool_choice": None}

    @property
    def _profile(self) -> str:
        return self._connection.profile if self._connection else "default"

    @property
    def _circuit(self) -> Key:
        return self.model_id, self.spec.region

    def _tell_breaker(self, state: State, reason: str, cool_down_s: float) -> None:
        region = self._connection.region if self._connection else self.spec.region
        self._emit(
            BreakerChanged(
                model=self.model_id, region=region, state=state, reason=reason, cool_down_s=cool_down_s
            )
        )

    def _report(
        self, step: Step, meter: Meter, failed: Fault | None, reply: tuple[dict[str, Any], ...] = ()
    ) -> None:
        self.unfinished = meter.answer.text if failed else ""
        usage, cost = bill(meter, failed, self.spec, self._catalogue)
        self._emit(
            ModelCalled(
                agent=self._agent,
                step=self.steps,
                attempt=step.attempt,
                model=self.model_id,
                invoked_model=meter.answer.invoked_model or self.model_id,
                usage=usage,
                cost=cost,
                duration_s=meter.elapsed_s(),
                first_token_s=meter.first_token_s,
                outcome=failed.outcome if failed else Outcome.OK,
                stop_reason=meter.answer.stop_reason,
                detail=failed.message if failed else "",
                reply=reply,
            )
        )
        self._breakers.settle(self._circuit, failed, self._tell_breaker)
