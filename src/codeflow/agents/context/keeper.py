"""Watches how full an agent's window is, and shortens the conversation between two turns when it has to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from strands import Agent
from strands.hooks import AfterModelCallEvent, BeforeModelCallEvent, HookProvider, HookRegistry
from strands.types.exceptions import ContextWindowOverflowException
from typing_extensions import override

from codeflow.agents.context.conversation import Called, Message
from codeflow.agents.context.cutting import newest, replaced_by, shortened, trimmed
from codeflow.agents.context.digest import digest, record
from codeflow.agents.context.memo import Memo, failing_calls, gathered, recalled, with_memo
from codeflow.agents.context.summary import Summarizer
from codeflow.core.blocks import to_plain
from codeflow.core.errors import BudgetExceededError, CredentialsError, ModelError
from codeflow.core.events import ConversationCompacted, Notice
from codeflow.core.ports import Emit
from codeflow.models.guarded import GuardedModel
from codeflow.models.sizes import message_tokens

_TAIL_SHARE = 0.3
"""Of the room for messages: the newest turns, which stay as they are."""
_MEMO_SHARE = 0.3
_LONGEST_MEMO_CHARS = 40_000
_CHARS_PER_TOKEN = 4
_TRIMMED_ENOUGH = 0.6
"""Of the room: a conversation whose old results alone bring it below needs no summary."""
_WORTH = 0.9
"""A conversation that would not become shorter than this share of itself stays as it is."""
_REST_SHARE = 0.05
"""Of the window, that has to fill up before another attempt, so that attempts do not follow each other turn by turn."""

Method = Literal["summary", "digest", "trimmed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextPolicy:
    """What all agents of a run share: when a conversation is shortened, who sums up, where results are kept."""

    compact_at: float
    """Share of the window."""
    summarize: Summarizer
    keep: Callable[[str, str], str]
    """Stores a text for read_output under what it is, and gives its id; "" when it cannot be stored."""


@dataclass(frozen=True, slots=True)
class _Draft:
    messages: list[Message]
    method: Method


class ContextKeeper(HookProvider):
    """One agent's conversation and its model's window, by the model's own counts.

    Compaction happens before a model call, when every tool call has its result. After an overflow that the service
    reported, it happens at once and the call is made once more.
    """

    def __init__(
        self,
        *,
        agent: str,
        model: GuardedModel,
        policy: ContextPolicy,
        emit: Emit,
        forget: Callable[[], None],
    ) -> None:
        """`forget` is called when the agent no longer sees what it has read."""
        self._name = agent
        self._model = model
        self._policy = policy
        self._emit = emit
        self._forget = forget
        self._counted_tokens = 0
        self._counted_messages = 0
        """How many messages `_counted_tokens` stands for; 0: the model has counted none of them."""
        self._rest_until = 0
        self._overflowed = False

    @override
    def register_hooks(self, registry: HookRegistry, **kwargs: Any) -> None:
        registry.add_callback(BeforeModelCallEvent, self._before)
        registry.add_callback(AfterModelCallEvent, self._after)

    async def _before(self, event: BeforeModelCallEvent) -> None:
        agent = event.agent
        tokens = await self._tokens(agent)
        if tokens >= max(self._limit, self._rest_until):
            await self._compact(agent, tokens, self._model.tokens_per_estimate)

    async def _after(self, event: AfterModelCallEvent) -> None:
        agent = event.agent
        if isinstance(event.exception, ContextWindowOverflowException) and not self._overflowed:
            self._overflowed = True
            event.retry = await self._compact_overflowing(agent)
        elif event.stop_response is not None and event.stop_response.stop_reason != "cancelled":
            self._overflowed = False
            if usage := self._model.last_usage:
                self._counted_tokens = usage.prompt_tokens + usage.output_tokens
                self._counted_messages = len(agent.messages) + 1  # the answer is added after this event

    async def _compact_overflowing(self, agent: Agent) -> bool:
        """The service's count is not told with its refusal, but it was more than the window."""
        window = self._model.spec.context
        before = max(await self._tokens(agent), window)
        estimate = sum(map(message_tokens, agent.messages))
        return await self._compact(agent, before, max(self._model.tokens_per_estimate, before / estimate))

    @property
    def _limit(self) -> int:
        """Tokens at which the conversation is shortened: some models refuse a prompt that leaves no room to answer."""
        spec = self._model.spec
        return int(
            min(self._policy.compact_at * spec.context, max(spec.context / 2, spec.context - spec.max_tokens))
        )

    async def _tokens(self, agent: Agent) -> int:
        """Of the next prompt: what the model counted last, and an estimate of what was added since."""
        counted = self._counted_messages
        if 0 < counted <= len(agent.messages):
            added = sum(map(message_tokens, agent.messages[counted:]))
            return self._counted_tokens + int(added * self._model.tokens_per_estimate)
        specs = agent.tool_registry.get_all_tool_specs()
        whole = await self._model.count_tokens(agent.messages, specs, agent.system_prompt)
        return int(whole * self._model.tokens_per_estimate)

    async def _compact(self, agent: Agent, before: int, per_estimate: float) -> bool:
        """Whether the conversation has become shorter; if not, it is as it was."""
        estimate = sum(map(message_tokens, agent.messages))
        fixed = max(0, before - int(estimate * per_estimate))
        room = int((self._limit - fixed) / per_estimate)
        least_gain = int(before * (1 - _WORTH) / per_estimate)
        draft = await self._draft(agent.messages, room, least_gain) if room > 0 else None
        after = fixed + int(_total(draft.messages) * per_estimate) if draft else before
        self._rest_until = min(before, after) + int(self._model.spec.context * _REST_SHARE)
        if draft is None or after > before * _WORTH:
            self._rest_until = before + int(self._model.spec.context * _REST_SHARE)
            return False
        agent.messages[:] = draft.messages
        self._counted_tokens, self._counted_messages = after, len(draft.messages)
        agent.event_loop_metrics.traces.clear()  # they hold every message of the invocation
        self._model.take_as_rewritten()
        self._forget()
        self._emit(
            ConversationCompacted(
                agent=self._name,
                messages=tuple(to_plain(draft.messages)),
                before_tokens=before,
                after_tokens=after,
                method=draft.method,
            )
        )
        return True

    async def _draft(self, messages: Sequence[Message], room: int, least_gain: int) -> _Draft:
        """Old results go first, which costs nothing; where that is not enough, old turns, if it is worth a summary."""
        start = newest(messages, int(room * _TAIL_SHARE), message_tokens)
        spared = failing_calls(messages[1:])
        if _total(trimmed(messages, start, spared, _placeholder)) <= room * _TRIMMED_ENOUGH:
            return _Draft(trimmed(messages, start, spared, self._stub), "trimmed")
        gone, kept = messages[1:start], messages[start:]
        draft = _Draft(list(messages), "trimmed")
        memo_chars = min(_LONGEST_MEMO_CHARS, int(room * _MEMO_SHARE) * _CHARS_PER_TOKEN)
        if _total(gone) - memo_chars // _CHARS_PER_TOKEN > least_gain:
            memo = gathered(recalled(messages[0]), gone, kept)
            text, method = await self._summed_up(gone, memo, memo_chars // 5)
            task = with_memo(messages[0], replace(memo, summary=text), memo_chars)
            draft = _Draft(replaced_by(messages, start, task), method)
        return replace(draft, messages=shortened(draft.messages, room, message_tokens, self._stub))

    async def _summed_up(self, gone: Sequence[Message], memo: Memo, limit_chars: int) -> tuple[str, Method]:
        summarize = self._policy.summarize
        try:
            return await summarize(record(gone, memo.summary, summarize.record_chars)), "summary"
        except (BudgetExceededError, CredentialsError):
            raise
        except ModelError as error:
            text = f"{self._name}'s conversation could not be summarised ({error}); a list of its calls is kept instead"
            self._emit(Notice(level="warning", text=text))
            return digest(gone, memo.summary, limit_chars), "digest"

    def _stub(self, called: Called) -> str:
        where = self._policy.keep(called.line, called.text)
        again = f"; read_output {where} shows it again" if where else ""
        return f"[{called.line}: {len(called.text):,} characters were taken out to make room{again}]"


def _placeholder(called: Called) -> str:
    return f"[{called.line}: {len(called.text):,} characters were taken out to make room; read_output]"


def _total(messages: Sequence[Message]) -> int:
    return sum(map(message_tokens, messages))
