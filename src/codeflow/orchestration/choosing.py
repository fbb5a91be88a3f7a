"""Which arrangement of specialists a task gets, and who begins."""

from collections.abc import Callable
from decimal import Decimal

from codeflow.core.events import PatternChosen
from codeflow.core.values import Complexity, Mode, Pattern, Route, Task, TaskKind
from codeflow.policies.cascade import Ladder, Rung

_CASCADED = frozenset({Complexity.SIMPLE, Complexity.MEDIUM})
_CODER = {Complexity.SIMPLE: "fast_coder"}


def choose(task: Task, route: Route, ladder: Callable[[Route], Ladder]) -> PatternChosen:
    """The pattern of a task; `ladder` is asked only where a cascade is to begin somewhere."""
    pattern, reason = _pattern(task, route)
    agent = task.agent or ""
    if pattern is Pattern.SINGLE and not agent:
        agent = _CODER.get(route.complexity, "senior_coder")
    if pattern is Pattern.CASCADE and not agent:
        known = ladder(route)
        agent = known.start().agent
        told = explain(route, known)
        reason = f"{reason}; {told}" if reason else told
    return PatternChosen(pattern=pattern, complexity=route.complexity, reason=reason, agent=agent)


def _pattern(task: Task, route: Route) -> tuple[Pattern, str]:
    if task.workflow is not None:
        return Pattern.WORKFLOW, f"{task.workflow.name} of {task.workflow.source}"
    if task.plan is not None:
        return Pattern.GRAPH, "it comes with a plan"
    if task.pattern is not None:
        return task.pattern, "asked for"
    if task.agent is not None:
        return Pattern.SINGLE, f"{task.agent} was asked for"
    if task.mode is Mode.PLAN or route.kind is TaskKind.QUESTION:
        return Pattern.SINGLE, "nothing is to be changed"
    if route.complexity in _CASCADED:
        return Pattern.CASCADE, ""
    return Pattern.GRAPH, f"{route.complexity}: a checked plan, tests and a review earn their price"


def explain(route: Route, ladder: Ladder) -> str:
    """Why a cascade begins where it does, such as
    `MEDIUM bugfix here: fast_coder first (7 of 9 went green; $0.030 against $0.11 with senior_coder first)`.
    """
    start = ladder.start()
    others = [coder for coder in ladder.coders if coder.agent != start.agent]
    seen = [f"{coder.agent} {_record(coder)}" for coder in others if coder.green + coder.red]
    if start.green + start.red:
        evidence = [_record(start), *seen, *_prices(ladder, start)]
    elif seen:
        evidence = [*seen, *_prices(ladder, start)]
    else:
        evidence = ["no run like it here yet"]
    return f"{route.complexity} {route.kind} here: {start.agent} first ({'; '.join(evidence)})"


def _record(coder: Rung) -> str:
    return f"{coder.green} of {coder.green + coder.red} went green"


def _prices(ladder: Ladder, start: Rung) -> list[str]:
    """The expected cost, against the least one of the others that could have begun."""
    costs = {coder.agent: ladder.expected_cost(coder.agent) for coder in ladder.able()}
    own = costs.pop(start.agent, None)
    others = [(cost, agent) for agent, cost in costs.items() if cost is not None]
    if own is None or not others:
        return []
    cost, agent = min(others)
    return [f"{_dollars(own)} against {_dollars(cost)} with {agent} first"]


def _dollars(cost: Decimal) -> str:
    """Two figures, such as $0.031 or $12."""
    if not cost:
        return "$0"
    places = max(0, 1 - cost.adjusted())
    return f"${cost:.{places}f}"
