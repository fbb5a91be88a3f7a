"""The cheap model that sums up what is taken out of a conversation: one for all agents of a run."""

import asyncio
from dataclasses import dataclass, field

from codeflow.agents.asking import ask_once
from codeflow.core.places import resource
from codeflow.models.guarded import GuardedModel

NAME = "summarizer"
"""Its name in events and bills."""
MAX_TOKENS = 2_000
"""Of one summary."""
TIMEOUT_S = 120.0

_LONGEST_RECORD_CHARS = 150_000
_CHARS_PER_WINDOW_TOKEN = 1.5
"""Of a record, so that it fills about half of the summarizer's own window."""


@dataclass(slots=True)
class Summarizer:
    """Asks one question at a time: a guarded model answers no two at once."""

    model: GuardedModel
    _free: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def record_chars(self) -> int:
        """How long a record may be."""
        return min(_LONGEST_RECORD_CHARS, int(self.model.spec.context * _CHARS_PER_WINDOW_TOKEN))

    async def __call__(self, record: str) -> str:
        """The summary of a record.

        Raises:
            BudgetExceededError, CredentialsError: the run cannot go on either.
            ModelError: for every other reason why there is none.
        """
        prompt = (resource("prompts") / "summary.md").read_text(encoding="utf-8")
        async with self._free:
            return await ask_once(self.model, prompt, record, timeout_s=TIMEOUT_S)
