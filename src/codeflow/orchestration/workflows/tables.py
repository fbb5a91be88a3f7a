"""What the tables of a workflow file are made of, whatever kind of node they describe."""

from abc import abstractmethod
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from codeflow.core.reliability import Minimum, OnFailure, Seconds

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Template = Annotated[str, Field(min_length=1)]
"""Text in which `{{ expression }}` stands for a value; expressions are JMESPath."""
Place = tuple[str | int, ...]
"""The keys and indexes that lead to a value of the file."""
HowMany = Annotated[
    Minimum,
    BeforeValidator(Minimum.parse),
    PlainSerializer(Minimum.written),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\d{1,3}%$"}]}
    ),
]
"""A number, or a percentage of those that there are."""


class Form(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NodeFaults(Form):
    """What differs at this node from `[faults]` of the settings, which documents each field."""

    max_attempts: int | None = Field(default=None, ge=1)
    max_wait_s: float | None = Field(default=None, ge=0)
    first_token_timeout_s: Seconds = None
    call_timeout_s: Seconds = None
    visit_timeout_s: Seconds = None
    fallback_agent: str | None = None
    on_failure: OnFailure | None = None


class NodeForm(Form):
    """What every kind of node has."""

    required: bool = True
    """Whether its failure is the run's, unless an edge deals with it."""
    faults: NodeFaults = NodeFaults()
    max_cost: Decimal | None = Field(default=None, gt=0)
    """US dollars that its agents may spend in the whole run."""
    at_least: HowMany | None = None
    """How many of the edges to it have to hold, as a number or a percentage; by default one."""


class PatternNode(NodeForm):
    """Several agents as one node; the key that says so holds the pattern's table."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What it is, in a few words for people."""

    @abstractmethod
    def agents(self) -> Iterable[tuple[Place, str]]:
        """Every agent that it names, with the place."""

    @abstractmethod
    def templates(self) -> Iterable[tuple[Place, str]]:
        """Every text with expressions in it, with the place."""
