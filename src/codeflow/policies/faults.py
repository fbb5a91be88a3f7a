"""What follows a visit that failed, and whether enough of a group succeeded: decisions as pure functions."""

import math
from enum import StrEnum

from codeflow.core.reliability import FaultPolicy, Minimum, OnFailure


class Move(StrEnum):
    """What happens after a visit that failed, its model's retries and fallbacks used up."""

    HAND_OVER = "hand_over"
    GO_ON = "go_on"
    ASK = "ask"
    END = "end"


def next_move(policy: FaultPolicy, *, agent: str, dispensable: bool, hopeless: bool) -> Move:
    """The move after `agent` failed.

    `dispensable`: the pattern can go on without the node. `hopeless`: the next agent would fail in the same way.
    """
    if policy.fallback_agent not in ("", agent) and not hopeless:
        return Move.HAND_OVER
    if dispensable and not policy.required and not hopeless:
        return Move.GO_ON
    return Move.ASK if policy.on_failure is OnFailure.ASK else Move.END


def enough(succeeded: int, group: int, minimum: Minimum) -> bool:
    """Whether as many of a group succeeded as have to; a group smaller than the number has to succeed whole."""
    return succeeded >= min(group, max(minimum.count, math.ceil(minimum.share * group)))
