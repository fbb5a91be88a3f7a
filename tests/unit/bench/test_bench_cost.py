"""The arithmetic behind `make bench-cost`, against sums done by hand, simulation of every outcome, and laws."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bench.cost import CHANCES, believed, overridden, rows
from tests.bench.cost_law import Visit, When, average, break_even, cost_per_solved, reached
from tests.bench.cost_runs import WAYS

CHANCE = st.floats(0.01, 0.99)
COST = st.floats(0.001, 10)


def coder(chance, cost, agent="fast_coder"):
    return Visit(agent=agent, when=When.WHILE_RED, chance=chance, cost=cost, calls=1)


def helper(cost, when=When.ALWAYS, agent="reviewer"):
    return Visit(agent=agent, when=when, cost=cost, calls=1)


COURSES = st.builds(
    lambda before, coders, after: [*before, *coders, *after],
    st.lists(st.builds(helper, COST), max_size=2),
    st.lists(st.builds(coder, CHANCE, COST), min_size=1, max_size=4),
    st.lists(st.builds(helper, COST, st.just(When.ONCE_GREEN)), max_size=3),
)


def by_outcome(course):
    """Cost and green of a try, summed over who turns the gates green: the definition, without its recursion."""
    coders = [visit for visit in course if visit.when is When.WHILE_RED]
    always = sum(visit.cost for visit in course if visit.when is When.ALWAYS)
    once_green = sum(visit.cost for visit in course if visit.when is When.ONCE_GREEN)
    cost, red, paid = 0.0, 1.0, always
    for visit in coders:
        paid += visit.cost
        cost += red * visit.chance * (paid + once_green)
        red *= 1 - visit.chance
    return cost + red * paid, 1 - red


def test_a_try_by_hand():
    course = [helper(1), coder(0.5, 2), coder(0.5, 4), helper(8, When.ONCE_GREEN)]
    assert reached(course) == ([1, 1, 0.5, 0.75], 0.75)
    one = average(course)
    assert (one.cost, one.calls, one.green) == (1 + 2 + 2 + 6, 3.25, 0.75)
    assert cost_per_solved(one) == 11 / 0.75
    assert cost_per_solved(one, red_cost=3) == (11 + 0.75) / 0.75


def test_a_break_even_by_hand():
    fast, senior = 1.0, 10.0
    course = [coder(0.5, fast), coder(1.0, senior)]
    assert break_even(course, rival=10.0) == pytest.approx(fast / senior)


def test_what_never_solves_a_task_has_no_finite_price():
    assert cost_per_solved(average([coder(0.0, 1)])) == float("inf")


@given(COURSES)
def test_a_try_is_the_sum_over_its_outcomes(course):
    one = average(course)
    assert (one.cost, one.green) == pytest.approx(by_outcome(course))


@given(COURSES, COST, st.floats(0, 10))
def test_at_the_break_even_both_cost_the_same_and_above_it_the_course_costs_less(course, rival, red_cost):
    first = next(place for place, visit in enumerate(course) if visit.when is When.WHILE_RED)

    def solved(chance):
        changed = [*course[:first], replace(course[first], chance=chance), *course[first + 1 :]]
        return cost_per_solved(average(changed), red_cost)

    threshold = break_even(course, rival, red_cost)
    if threshold is None:
        assert solved(1.0) >= rival * (1 - 1e-9)
        return
    assert 0 <= threshold <= 1
    assert solved(1.0) < rival
    if threshold > 0:
        assert solved(threshold) == pytest.approx(rival)
        assert solved(threshold / 2) >= rival * (1 - 1e-9)
    assert solved((threshold + 1) / 2) <= rival * (1 + 1e-9)


@given(COURSES, COST, COST)
def test_a_dearer_rival_never_raises_the_break_even(course, rival, more):
    cheap, dear = break_even(course, rival), break_even(course, rival + more)
    if cheap is not None:
        assert dear is not None
        assert dear <= cheap + 1e-9


def test_chances_depend_on_who_has_tried_before():
    visits = [
        helper(0, agent="router"),
        coder(0, 1),
        coder(0, 1, "debugger"),
        coder(0, 1, "debugger"),
        coder(0, 1, "lead_coder"),
    ]
    assert [v.chance for v in believed(visits, CHANCES, "SIMPLE")] == [0, 0.85, 0.75, 0.75 * 0.5, 0.95 * 0.75]
    planned = [helper(0, agent="router"), helper(0, agent="architect"), coder(0, 1)]
    assert believed(planned, CHANCES, "MEDIUM")[-1].chance == pytest.approx(1 - 0.55 * 0.75)


def test_every_way_is_compared_with_a_single_agent_that_is_measured_too():
    measured = {way.name: [coder(0, 1.0, way.agent or "senior_coder")] for way in WAYS}
    found = rows(measured, CHANCES, "SIMPLE", 0.0)
    assert [row.rival for row in found] == [way.rival for way in WAYS]
    assert {row.rival for row in found if row.rival} <= {row.way for row in found if not row.rival}


def test_a_file_replaces_some_chances_and_nothing_unknown(tmp_path):
    path = tmp_path / "chances.toml"
    path.write_text("taking_over = 1\n[MEDIUM]\nfast_coder = 0.7\n")
    chances = overridden(path)
    assert (chances["taking_over"], chances["MEDIUM"]["fast_coder"]) == (1, 0.7)
    assert (chances["MEDIUM"]["debugger"], CHANCES["MEDIUM"]["fast_coder"]) == (0.60, 0.45)


@pytest.mark.parametrize(
    "text",
    [
        "HUGE = 1",
        "[MEDIUM]\nslow_coder = 0.7",
        "MEDIUM = 0.7",
        "prepared = 2",
        "prepared = 'much'",
        "[prepared]",
    ],
)
def test_a_chance_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "chances.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"unknown|from 0 to 1"):
        overridden(path)
