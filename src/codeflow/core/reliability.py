"""What a run does about faults, as values: `[faults]` of the settings, and the same table in a workflow's node."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def no_limit(value: object) -> object:
    """TOML has no null: "none" stands for it. Nothing at all does not: a variable that is not set lifts no limit.

    Raises:
        ValueError: for an empty text.
    """
    if isinstance(value, str) and not value.strip():
        raise ValueError('is empty; write "none" for no limit')
    return None if value == "none" else value


Money = Annotated[Annotated[Decimal, Field(ge=0)] | None, BeforeValidator(no_limit)]
"""US dollars; None for no limit."""

Seconds = Annotated[Annotated[float, Field(gt=0)] | None, BeforeValidator(no_limit)]
"""A time limit; None for no limit."""


class OnFailure(StrEnum):
    """What happens when a required agent cannot finish and nobody takes over: the run ends, or a person decides."""

    STOP = "stop"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Minimum:
    """How many of a group have to succeed: a number of them, or a share of the group between 0 and 1."""

    count: int = 0
    share: float = 0.0

    @classmethod
    def parse(cls, written: object) -> "Minimum":
        """From a number, or from a percentage as text.

        Raises:
            ValueError: for anything else.
        """
        if isinstance(written, Minimum):
            return written
        text = str(written)
        if re.fullmatch(r"\d{1,9}", text):
            return cls(count=int(text))
        if re.fullmatch(r"\d{1,3}%", text) and int(text[:-1]) <= 100:  # noqa: PLR2004 — per cent
            return cls(share=int(text[:-1]) / 100)
        raise ValueError('is a number such as 2, or a share such as "50%"')

    def written(self) -> int | str:
        """As `parse` reads it."""
        return f"{round(self.share * 100)}%" if self.share else self.count


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FaultPolicy(_Table):
    """How patiently a node of a run is treated; `config/settings.toml` documents each field."""

    max_attempts: int = Field(ge=1)
    max_wait_s: float = Field(ge=0)
    first_token_timeout_s: Seconds
    call_timeout_s: Seconds
    visit_timeout_s: Seconds
    fallback_agent: str
    required: bool
    on_failure: OnFailure


class BreakerPolicy(_Table):
    """When a model is left alone by all agents of a run: failures in a row, seconds until it is tried again."""

    threshold: int = Field(ge=1)
    cool_down_s: float = Field(gt=0)


class FaultSettings(FaultPolicy):
    """The policy of a run, and the policy of each node that differs from it, already complete."""

    minimum_completion: Annotated[Minimum, BeforeValidator(Minimum.parse)]
    breaker: BreakerPolicy
    nodes: dict[str, FaultPolicy]

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, table: Any) -> Any:
        """A node's table says only what is different there."""
        if not isinstance(table, Mapping) or not isinstance(table.get("nodes"), Mapping):
            return table
        common = {key: value for key, value in table.items() if key in FaultPolicy.model_fields}
        nodes = {
            name: {**common, **own} if isinstance(own, Mapping) else own
            for name, own in table["nodes"].items()
        }
        return {**table, "nodes": nodes}

    def of(self, node: str) -> FaultPolicy:
        """The policy of a node."""
        return self.nodes.get(node, self)
