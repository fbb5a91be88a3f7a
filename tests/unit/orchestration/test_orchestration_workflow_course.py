"""The laws of a workflow's course: it ends within its bounds, and a join fires once."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.orchestration.workflows.course import Course, Edge, Shape, State, circle


def edge(text: str, **more) -> Edge:
    source, target = text.split(">")
    return Edge(source=source, target=target, **more)


def walk(nodes, edges, *, fails=(), holds=lambda _edge: True, at_least=None):
    """Runs everything that is ready one after the other; the order of the visits, and the course."""
    course = Course(Shape(nodes, edges), holds, at_least or {})
    order = []
    while ready := course.ready():
        for node in ready:
            course.start(node)
            order.append(node)
            course.settle(node, ok=node not in fails)
    return order, course


def test_a_join_waits_for_branches_of_unequal_length_and_runs_once():
    edges = [edge("a>b"), edge("b>c"), edge("c>join"), edge("a>join")]
    assert walk(["a", "b", "c", "join"], edges)[0] == ["a", "b", "c", "join"]


def test_a_branch_that_is_not_taken_does_not_hold_up_the_join():
    edges = [edge("a>b", when="no"), edge("a>c"), edge("b>d"), edge("d>join"), edge("c>join")]
    order, course = walk(["a", "b", "c", "d", "join"], edges, holds=lambda one: one.when != "no")
    assert order == ["a", "c", "join"]
    assert course.state("d") is State.SKIPPED


def test_a_failure_without_an_edge_for_it_is_unfollowed_and_siblings_go_on():
    edges = [edge("a>b"), edge("a>c"), edge("b>join"), edge("c>join")]
    order, course = walk(["a", "b", "c", "join"], edges, fails={"b"})
    assert order == ["a", "b", "c", "join"]
    assert course.unfollowed == ("b",)


def test_a_failure_with_an_edge_for_it_is_dealt_with():
    edges = [edge("a>b", when="failed"), edge("a>c")]
    order, course = walk(["a", "b", "c"], edges, fails={"a"})
    assert order == ["a", "b"]
    assert course.unfollowed == ()


def test_a_loop_goes_round_until_its_condition_no_longer_holds():
    asked = iter([True, True, False])
    edges = [
        edge("work>check"),
        edge("check>work", when="red", at_most=5),
        edge("check>done", when="green"),
    ]
    order, _ = walk(
        ["work", "check", "done"], edges, holds=lambda one: next(asked) if one.when == "red" else True
    )
    assert order == ["work", "check"] * 3 + ["done"]


def test_a_loop_ends_at_its_bound():
    edges = [edge("work>check"), edge("check>work", at_most=2)]
    assert walk(["work", "check"], edges)[0] == ["work", "check"] * 3


def test_what_lies_behind_a_loop_waits_until_it_is_over():
    """`check` leaves the loop by `report`, which must not run before the last round."""
    rounds = iter([True, False])
    edges = [
        edge("check>debug", when="red"),
        edge("debug>check", at_most=3),
        edge("check>report"),
        edge("report>end"),
    ]
    order, _ = walk(
        ["check", "debug", "report", "end"],
        edges,
        holds=lambda one: next(rounds) if one.when == "red" else True,
    )
    assert order == ["check", "debug", "check", "report", "end"]


def test_an_inner_loop_has_its_rounds_again_in_each_outer_one():
    edges = [
        edge("a>b"),
        edge("b>a", when="inner", at_most=1),
        edge("b>c"),
        edge("c>a", when="outer", at_most=1),
    ]
    assert walk(["a", "b", "c"], edges)[0] == ["a", "b", "a", "b", "c"] * 2


def test_a_join_that_wants_more_than_it_gets_is_left_out_and_named():
    edges = [edge("a>join"), edge("b>join"), edge("c>join")]
    nodes = ["a", "b", "c", "join"]
    order, course = walk(nodes, edges, fails={"b", "c"}, at_least={"join": lambda taken: taken >= 2})
    assert "join" not in order
    assert course.too_few == ("join",)


def test_a_circle_without_a_bound_is_found():
    edges = [edge("a>b"), edge("b>c"), edge("c>b")]
    assert set(circle("abc", edges)) == {"b", "c"}
    assert circle("abc", [*edges[:2], edge("c>b", at_most=1)]) == ()


def test_loops_whose_exits_lead_into_each_other_are_found():
    """Neither could end before the other: `a>d` waits for the last `c`, and `b>c` for the last `d`."""
    edges = [edge("a>c"), edge("a>d"), edge("b>c"), edge("b>d")]
    loops = [edge("c>a", at_most=1), edge("d>b", at_most=1)]
    assert set(Shape("abcd", [*edges, *loops]).deadlock()) == {"c", "d"}
    assert Shape("abcd", [*edges, loops[0]]).deadlock() == ()
    assert Shape("abcd", [*edges[:2], edges[3], *loops]).deadlock() == ()


@st.composite
def shapes(draw):
    """Nodes in order, edges forward, and loops that a check accepts: inside each other, or apart."""
    count = draw(st.integers(2, 8))
    nodes = [f"n{number}" for number in range(count)]
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=14, unique=True))
    edges = [
        Edge(source=nodes[a], target=nodes[b], when=draw(st.sampled_from([None, "x", "y"])))
        for a, b in chosen
    ]
    for _ in range(draw(st.integers(0, 3))):
        a, b = sorted((draw(st.integers(0, count - 1)), draw(st.integers(0, count - 1))))
        loop = Edge(source=nodes[b], target=nodes[a], when="z", at_most=draw(st.integers(1, 3)))
        trial = Shape(nodes, [*edges, loop])
        bodies = [one.body for one in trial.loops]
        nested = all(x <= y or y <= x or not x & y for x in bodies for y in bodies)
        fresh = all((e.source, e.target) != (loop.source, loop.target) for e in edges)
        if trial.loops[-1].body and nested and fresh and not trial.deadlock():
            edges.append(loop)
    return nodes, edges


@given(shapes(), st.integers(0, 2**32))
def test_any_workflow_ends_within_its_bounds_whatever_happens(shape, seed):
    nodes, edges = shape
    whim = random.Random(seed)
    course = Course(Shape(nodes, edges), lambda _edge: whim.random() < 0.6)
    begun: Counter[str] = Counter()
    working: list[str] = []
    while True:
        for node in course.ready():
            begun[node] += 1
            assert course.start(node) == begun[node]
            assert node not in working
            working.append(node)
        if not working:
            break
        node = working.pop(whim.randrange(len(working)))  # side by side, in any order
        course.settle(node, ok=whim.random() < 0.8)
    assert all(begun[node] <= course.shape.most_visits(node) for node in nodes)
    assert all(course.state(node) in {State.DONE, State.FAILED, State.SKIPPED} for node in nodes)


@given(shapes(), st.integers(0, 2**32))
def test_a_join_fires_once_in_a_round_and_after_all_that_leads_to_it(shape, seed):
    nodes, edges = shape
    whim = random.Random(seed)
    plain = [one for one in edges if one.at_most is None]
    course = Course(Shape(nodes, plain), lambda _edge: whim.random() < 0.6)
    ended: set[str] = set()
    begun: list[str] = []
    while ready := course.ready():
        for node in ready:
            before = {one.source for one in plain if one.target == node}
            assert all(one in ended or course.state(one) is State.SKIPPED for one in before)
            course.start(node)
            begun.append(node)
        for node in ready:
            course.settle(node, ok=whim.random() < 0.8)
            ended.add(node)
    assert len(begun) == len(set(begun))


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_parallel_nodes_may_end_in_any_order(order):
    course = Course(Shape(["a", "b", "join"], [edge("a>join"), edge("b>join")]), lambda _edge: True)
    assert course.ready() == ("a", "b")
    for node in ("a", "b"):
        course.start(node)
    course.settle(order[0], ok=True)
    assert course.ready() == ()
    course.settle(order[1], ok=True)
    assert course.ready() == ("join",)
