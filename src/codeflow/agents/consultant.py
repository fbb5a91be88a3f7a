"""The architect's model as an adviser: one question at a time, without tools and without a memory of earlier ones."""

import asyncio
from dataclasses import dataclass, field

from codeflow.agents.asking import ask_once
from codeflow.agents.crew import DATA_RULE
from codeflow.core.places import resource
from codeflow.models.guarded import GuardedModel

MAX_TOKENS = 4_000
"""Of one answer, thoughts included."""
TIMEOUT_S = 300.0


@dataclass(slots=True)
class Adviser:
    """Asks a guarded model, which answers no two questions at once."""

    model: GuardedModel
    _free: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, question: str) -> str:
        """The answer to a question with its digest.

        Raises:
            BudgetExceededError, CredentialsError: the run cannot go on either.
            ModelError: for every other reason why there is none.
        """
        prompt = (resource("prompts") / "consult.md").read_text(encoding="utf-8").strip()
        timeout_s = self.model.policy.visit_timeout_s or TIMEOUT_S
        async with self._free:
            return await ask_once(self.model, f"{prompt}\n\n{DATA_RULE}", question, timeout_s=timeout_s)
