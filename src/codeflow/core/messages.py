"""What the agents of a run tell each other, and what of the run's events they may ask to be told of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

SEND_MESSAGE = "send_message"
"""The tool that sends a message; it is offered where more than one agent takes part."""
EVERYONE = "all"
"""As a recipient: whoever else is visited in the run."""

Purpose = Literal["question", "answer", "finding", "handover", "warning"]
Topic = Literal["code_written", "gate_red", "gate_green"]
"""What an agent may subscribe to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSent:
    """An agent said something to others of its run; whom it reached, `MessageAdded.mail` tells.

    `sender` is a seat, `to` an agent, a node, a seat or `all`. `message_id` counts from m1 in a run.
    """

    message_id: str
    sender: str
    to: str
    purpose: Purpose
    content: str
    kind: Literal["message_sent"] = "message_sent"


Hear = Callable[[], Sequence[str]]
"""What the user has said since it was last asked; what was given once is not given again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSpoke:
    """The user said something while a run went on; whom it reached, `MessageAdded.mail` and `UserHeard` tell.

    `message_id` counts from u1 in a run.
    """

    message_id: str
    content: str
    kind: Literal["user_spoke"] = "user_spoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserHeard:
    """An agent at work is told what the user said: `text` stands behind the results of its last calls."""

    agent: str
    text: str
    mail: tuple[str, ...]
    """The ids of what the user said."""
    kind: Literal["user_heard"] = "user_heard"


class Post(Protocol):
    """Where the tools of a run hand in messages."""

    def send(self, *, sender: str, to: str, purpose: Purpose, content: str) -> MessageSent:
        """Send a message; one that the sender has sent before in the very same words is not sent again.

        Raises:
            CodeflowError: nobody is called so, or the sender has sent too many; whoever sent it goes on without.
        """
        ...
