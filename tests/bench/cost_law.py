"""The arithmetic of `make bench-cost`: what a try costs on average, what a solved task costs, where two ways break even.

A course is what a run does while its gates stay red to the last: its visits, one after the other. Whoever may turn
the gates green is reached only while they are red; helpers come before the first of them, or after green.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto


class When(Enum):
    """In which tries a visit takes place: all, those with red gates so far, those with green ones."""

    ALWAYS = auto()
    WHILE_RED = auto()
    ONCE_GREEN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One visit of a course: US dollars, tokens and calls as measured; `chance` of green, 0 to 1, only WHILE_RED."""

    agent: str
    when: When
    chance: float = 0.0
    cost: float = 0.0
    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One try of a task on average: each visit's measures, as likely as it is reached; `green`: 0 to 1."""

    green: float
    cost: float
    calls: float
    prompt_tokens: float
    cached_tokens: float
    output_tokens: float


def reached(course: Sequence[Visit]) -> tuple[list[float], float]:
    """How likely each visit takes place, and how likely the gates are green in the end."""
    red = 1.0
    likely = []
    for visit in course:
        match visit.when:
            case When.ALWAYS:
                likely.append(1.0)
            case When.ONCE_GREEN:
                likely.append(1 - red)
            case When.WHILE_RED:
                likely.append(red)
                red *= 1 - visit.chance
    return likely, 1 - red


def average(course: Sequence[Visit]) -> Try:
    """What one try comes to."""
    likely, green = reached(course)

    def mean(measures: Sequence[float]) -> float:
        return sum(share * measure for share, measure in zip(likely, measures, strict=True))

    return Try(
        green=green,
        cost=mean([visit.cost for visit in course]),
        calls=mean([visit.calls for visit in course]),
        prompt_tokens=mean([visit.prompt_tokens for visit in course]),
        cached_tokens=mean([visit.cached_tokens for visit in course]),
        output_tokens=mean([visit.output_tokens for visit in course]),
    )


def cost_per_solved(one: Try, red_cost: float = 0.0) -> float:
    """US dollars until the task is solved, with tries that are independent of each other and cost the same.

    `red_cost` is what a try that ends red costs a person; infinite where no try ever ends green.
    """
    return (one.cost + (1 - one.green) * red_cost) / one.green if one.green else float("inf")


def break_even(course: Sequence[Visit], rival: float, red_cost: float = 0.0) -> float | None:
    """The chance of the first coder above which the course costs less than `rival` dollars a solved task.

    0: always. None: never, not even if that coder always managed. All other chances stay as they are.
    """
    first = next(place for place, visit in enumerate(course) if visit.when is When.WHILE_RED)

    def excess(chance: float) -> float:
        """Dollars a try, above what the rival takes for as many solved tasks; linear in the chance."""
        one = average([*course[:first], replace(course[first], chance=chance), *course[first + 1 :]])
        return one.cost + (1 - one.green) * red_cost - rival * one.green

    worst, best = excess(0.0), excess(1.0)
    if best >= 0:
        return None
    return worst / (worst - best) if worst > 0 else 0.0
