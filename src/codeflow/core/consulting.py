"""What a tool may ask another model, and what it is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

CONSULTANT = "consultant"
"""Its name in events, bills and fault policies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A file that goes along with a question; `text` holds no credentials."""

    path: str
    text: str


class Consultant(Protocol):
    """Where the tools of a run ask for advice."""

    async def ask(self, question: str, excerpts: Sequence[Excerpt]) -> str:
        """The answer.

        Raises:
            BudgetExceededError, CredentialsError: the run cannot go on either.
            CodeflowError: there is no answer, with the reason; whoever asked goes on without.
        """
        ...
