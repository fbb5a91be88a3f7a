"""Settings of several attempts at one task."""

from pydantic import BaseModel, ConfigDict, Field

from codeflow.core.reliability import Money

JUDGE = "judge of attempts"
"""The command's name in a judge's task: its choice means nothing once the process of the attempts is gone."""


class AttemptSettings(BaseModel):
    """When they have to be agreed to, and who chooses among them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ask_over_usd: Money
    judge: str = Field(min_length=1)
    diff_chars: int = Field(ge=1000)
