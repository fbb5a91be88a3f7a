"""Which reply and which fault a call gets: one reply sequence per session, so parallel runs do not mix."""

import threading
from collections import defaultdict
from dataclasses import dataclass, field

from codeflow.models.endpoint.transcript import Fault, Reply, Transcript


@dataclass(frozen=True, slots=True)
class Turn:
    """What to do with one attempt; without a fault the reply is given."""

    step: int
    reply: Reply
    fault: Fault | None


@dataclass(slots=True)
class _Session:
    chosen: dict[tuple[str, int], int] = field(default_factory=dict)
    """Index of the reply that a step of an agent was given."""
    attempts: dict[tuple[str, int], int] = field(default_factory=dict)
    unnumbered: dict[str, int] = field(default_factory=dict)
    """Steps completed by an agent whose requests carry no step."""


class Script:
    """Thread-safe; the same step asked again gets the same reply, with its next fault first."""

    def __init__(self, transcript: Transcript) -> None:
        self._replies = transcript.replies
        self._sessions: dict[str, _Session] = defaultdict(_Session)
        self._lock = threading.Lock()

    def next_turn(self, *, agent: str, session: str, step: int | None) -> Turn | None:
        """None when the transcript has no reply left for this step."""
        with self._lock:
            state = self._sessions[session]
            number = state.unnumbered.get(agent, 0) + 1 if step is None else step
            index = self._reply_index(state, agent, number)
            if index is None:
                return None
            key = (agent, number)
            state.chosen[key] = index
            reply = self._replies[index]
            attempt = state.attempts.get(key, 0)
            state.attempts[key] = attempt + 1
            fault = reply.faults[attempt] if attempt < len(reply.faults) else None
            if step is None and fault is None:
                state.unnumbered[agent] = number
            return Turn(number, reply, fault)

    def _reply_index(self, state: _Session, agent: str, step: int) -> int | None:
        if (agent, step) in state.chosen:
            return state.chosen[agent, step]
        used = set(state.chosen.values())
        free = [i for i, reply in enumerate(self._replies) if reply.agent == agent and i not in used]
        exact = [i for i in free if self._replies[i].step == step]
        in_order = [i for i in free if self._replies[i].step is None]
        return next(iter(exact + in_order), None)
