from decimal import Decimal
from pathlib import Path

import pytest

from codeflow.core.values import Complexity, Mode, Pattern, Route, Task, TaskKind
from codeflow.orchestration.choosing import choose
from codeflow.policies.cascade import Ladder, Rung


def route(complexity: Complexity = Complexity.MEDIUM, kind: TaskKind = TaskKind.BUGFIX) -> Route:
    return Route(complexity=complexity, kind=kind, confidence=1.0, reason="", source="flag")


def task(**more) -> Task:
    return Task(text="t", workspace=Path("/w"), **more)


def rung(agent: str, chance: float, cost: str | None, green: int = 0, red: int = 0) -> Rung:
    price = None if cost is None else Decimal(cost)
    return Rung(agent=agent, model=agent, chance=chance, cost=price, green=green, red=red)


def ladder(*coders: Rung) -> Ladder:
    debugger = Rung(agent="debugger", model="d", chance=0.5, cost=Decimal(0))
    return Ladder(coders=coders, debugger=debugger, capable=0.6, escalations=0)


UNKNOWN = ladder(rung("fast_coder", 0.5, "0.03"), rung("senior_coder", 0.8, "0.11"))


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (UNKNOWN, "senior_coder first (no run like it here yet)"),
        (
            ladder(rung("fast_coder", 0.8, "0.03", 7, 2), rung("senior_coder", 0.8, "0.11")),
            "fast_coder first (7 of 9 went green; $0.030 against $0.11 with senior_coder first)",
        ),
        (
            ladder(rung("fast_coder", 0.5, "0.03", 0, 2), rung("senior_coder", 0.8, "0.11")),
            "senior_coder first (fast_coder 0 of 2 went green)",
        ),
        (
            ladder(rung("fast_coder", 0.8, None, 1, 0), rung("senior_coder", 0.8, "12.345")),
            "fast_coder first (1 of 1 went green)",
        ),
        (
            ladder(rung("fast_coder", 0.8, "0", 1, 0), rung("senior_coder", 0.8, "12.345")),
            "fast_coder first (1 of 1 went green; $0 against $12 with senior_coder first)",
        ),
    ],
)
def test_the_choice_is_explained(known, told):
    chosen = choose(task(), route(), lambda _: known)
    assert (chosen.pattern, chosen.reason) == (Pattern.CASCADE, f"MEDIUM bugfix here: {told}")
    assert chosen.reason.endswith(")")
    assert chosen.agent == told.partition(" ")[0]


@pytest.mark.parametrize(
    ("asked", "routed", "pattern", "agent"),
    [
        ({}, route(Complexity.SIMPLE), Pattern.CASCADE, "senior_coder"),
        ({}, route(Complexity.COMPLEX), Pattern.GRAPH, ""),
        ({}, route(kind=TaskKind.QUESTION), Pattern.SINGLE, "senior_coder"),
        ({"mode": Mode.PLAN}, route(Complexity.SIMPLE), Pattern.SINGLE, "fast_coder"),
        ({"pattern": Pattern.SINGLE}, route(), Pattern.SINGLE, "senior_coder"),
        ({"agent": "mine"}, route(), Pattern.SINGLE, "mine"),
        ({"agent": "mine", "pattern": Pattern.CASCADE}, route(), Pattern.CASCADE, "mine"),
        ({"pattern": Pattern.CASCADE}, route(Complexity.CRITICAL), Pattern.CASCADE, "senior_coder"),
    ],
)
def test_what_was_asked_for_holds(asked, routed, pattern, agent):
    chosen = choose(task(**asked), routed, lambda _: UNKNOWN)
    assert (chosen.pattern, chosen.agent) == (pattern, agent)
