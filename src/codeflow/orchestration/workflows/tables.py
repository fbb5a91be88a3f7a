"""What the tables of a workflow file are made of, whatever kind of node they describe."""

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import NoneType
from typing import Annotated, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from codeflow.core.reliability import Minimum, OnFailure, Seconds


def _name(written: str) -> str:
    if not re.fullmatch(_NAME, written):
        raise ValueError(f"{written!r} is no name: small letters, digits and _, a letter first")
    return written


def _number(written: object) -> object:
    """YAML's own numbers only: pydantic would take texts and true as well, and editors would not.

    Raises:
        ValueError: for anything else.
    """
    if isinstance(written, bool) or not isinstance(written, int | float):
        raise ValueError("has to be a number, without quotes")  # noqa: TRY004 - pydantic takes no TypeError
    return written


def _seconds(written: object) -> object:
    return written if written in (None, "none") else _number(written)


def _dollars(written: object) -> object:
    is_plain = isinstance(written, str) and re.fullmatch(_AMOUNT, written)
    return written if is_plain else _number(written)


def _how_many(written: object) -> Minimum:
    return Minimum.parse(int(written) if isinstance(written, float) and written.is_integer() else written)


_NAME = r"^[a-z][a-z0-9_]*$"
_AMOUNT = r"^(?=.*[1-9])[0-9]{1,9}(\.[0-9]{1,9})?$"
Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": _NAME})]
MaybeTimeout = Annotated[
    Seconds,
    BeforeValidator(_seconds),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"enum": [None, "none"]}]}),
]
"""Seconds; none for no limit."""
Dollars = Annotated[
    Decimal,
    Field(gt=0),
    BeforeValidator(_dollars),
    PlainSerializer(float, when_used="json"),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": _AMOUNT}]}
    ),
]
Template = Annotated[str, Field(min_length=1)]
"""Text in which `{{ expression }}` stands for a value; expressions are JMESPath."""
Place = tuple[str | int, ...]
"""The keys and indexes that lead to a value of the file."""
HowMany = Annotated[
    Minimum,
    BeforeValidator(_how_many),
    PlainSerializer(Minimum.written),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 999_999_999},
                {"type": "string", "pattern": r"^([0-9]{1,9}|0?[0-9]{1,2}%|100%)$"},
            ]
        }
    ),
]
"""A number, or a percentage of those that there are."""


class Form(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _is_yamls_own(cls, written: object, about: ValidationInfo) -> object:
        """Pydantic would take "3" for 3 and "no" for false; editors with the schema would not."""
        wanted = cls.model_fields[str(about.field_name)].annotation
        kinds = {wanted, *get_args(wanted)}
        if written is None and NoneType in kinds:
            return written
        if bool in kinds and not isinstance(written, bool):
            raise ValueError("has to be true or false, without quotes")
        return _number(written) if kinds & {int, float} else written


class NodeFaults(Form):
    """What differs at this node from `[faults]` of the settings, which documents each field."""

    max_attempts: int | None = Field(default=None, ge=1)
    max_wait_s: float | None = Field(default=None, ge=0)
    first_token_timeout_s: MaybeTimeout = None
    call_timeout_s: MaybeTimeout = None
    visit_timeout_s: MaybeTimeout = None
    fallback_agent: str | None = None
    on_failure: OnFailure | None = None


class NodeForm(Form):
    """What every kind of node has."""

    required: bool = True
    """Whether its failure is the run's, unless an edge deals with it."""
    at_least: HowMany | None = None
    """How many of the edges to it have to hold, as a number or a percentage; by default one."""


class PaidNode(NodeForm):
    """A node at which agents work."""

    max_cost: Dollars | None = None
    """US dollars that its agents may spend in the whole run."""


class AskingNode(PaidNode):
    """A node that asks agents itself."""

    faults: NodeFaults = NodeFaults()


class PatternNode(AskingNode):
    """Several agents as one node; the key that says so holds the pattern's table."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What it is, in a few words for people."""

    @abstractmethod
    def agents(self) -> Iterable[tuple[Place, str]]:
        """Every agent that it names, with the place."""

    @abstractmethod
    def seats(self) -> Mapping[str, str]:
        """Its seats that are known before it runs: each one's name below the node's, and the agent that sits there."""

    @abstractmethod
    def templates(self) -> Iterable[tuple[Place, str]]:
        """Every text with expressions in it, with the place."""
