"""What the rules say about a call, and what a person says about it."""

from dataclasses import dataclass
from enum import StrEnum

from codeflow.core.values import Verdict


class Layer(StrEnum):
    """Where a rule comes from; MODE is the answer of the run's mode where no rule speaks."""

    PACKAGED = "packaged"
    USER = "user"
    PROJECT = "project"
    REMEMBERED = "remembered"
    SESSION = "session"
    MODE = "mode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The verdict on a call and where it comes from: a rule as it is written, or "" for the mode.

    `offer` is the narrow rule that would allow this call and calls like it, "" where there is none.
    """

    verdict: Verdict
    rule: str = ""
    layer: Layer = Layer.MODE
    offer: str = ""


class Reach(StrEnum):
    """How far a person's yes goes: this call, calls like it in this session, or in this folder from now on."""

    ONCE = "once"
    SESSION = "session"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's answer to a question: `refusal` None agrees, else it is why not, for the model."""

    refusal: str | None = None
    reach: Reach = Reach.ONCE
