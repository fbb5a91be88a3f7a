"""What the agents of a run tell each other, and what of the run's events they may ask to be told of."""

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


class Post(Protocol):
    """Where the tools of a run hand in messages."""

    def send(self, *, sender: str, to: str, purpose: Purpose, content: str) -> MessageSent:
        """Send a message; one that the sender has sent before in the very same words is not sent again.

        Raises:
            CodeflowError: nobody is called so, or the sender has sent too many; whoever sent it goes on without.
        """
        ...
