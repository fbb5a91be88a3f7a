"""What was said between the agents of a run and what happened in it, as its events tell, and who knows of it."""

from dataclasses import dataclass, field

from codeflow.core.events import AgentStarted, Event, GateFinished, MessageAdded, ToolFinished
from codeflow.core.messages import MessageSent, UserHeard, UserSpoke
from codeflow.core.values import GateStatus


@dataclass(frozen=True, slots=True)
class Written:
    """An agent wrote files, by its tools' account."""

    agent: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A gate showed something."""

    gate: str
    status: GateStatus


@dataclass(slots=True)
class Mail:
    """The state that a run's events add up to; a resumed run has that of its log."""

    sent: list[MessageSent] = field(default_factory=list)
    spoken: list[UserSpoke] = field(default_factory=list)
    """By the user."""
    reached: set[tuple[str, str]] = field(default_factory=set)
    """Message and seat."""
    happened: list[Written | Judged] = field(default_factory=list)
    knows: dict[str, int] = field(default_factory=dict)
    """Seat -> how much of what happened it has been told of, or has seen by being there."""
    seats: set[str] = field(default_factory=set)
    """Those that have been visited."""

    def add(self, event: Event) -> None:
        """The run's next event."""
        match event:
            case AgentStarted():
                self.seats.add(event.agent)
            case MessageSent():
                self.sent.append(event)
            case UserSpoke():
                self.spoken.append(event)
            case UserHeard(mail=mail):
                self.reached.update((message_id, event.agent) for message_id in mail)
            case MessageAdded(mail=mail, news=news):
                self.reached.update((message_id, event.agent) for message_id in mail)
                if news is not None:
                    self.knows[event.agent] = news
            case ToolFinished(agent=agent, changed=changed) if changed:
                self.happened.append(Written(agent, changed))
            case GateFinished(result=result) if result.status is not GateStatus.SKIPPED:
                self.happened.append(Judged(result.name, result.status))
            case _:
                pass

    @property
    def unheard(self) -> list[UserSpoke]:
        """What the user said and nobody was told."""
        heard = {message_id for message_id, _ in self.reached}
        return [one for one in self.spoken if one.message_id not in heard]

    @property
    def unread(self) -> list[MessageSent]:
        """Messages that have reached nobody."""
        read = {message_id for message_id, _ in self.reached}
        return [message for message in self.sent if message.message_id not in read]
