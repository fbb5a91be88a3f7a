"""Patterns of several agents: what their answers add up to, quorums, notes, plans, and what a file may say."""

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.agents.specialists import load_specialists
from codeflow.core.errors import UsageError
from codeflow.core.reliability import Minimum
from codeflow.core.workflows import GivenWorkflow
from codeflow.orchestration.workflows.form import PATTERNS
from codeflow.orchestration.workflows.loading import Shelf, as_data, revived
from codeflow.orchestration.workflows.patterns.aggregation import (
    canonical,
    counted,
    is_tie,
    lines,
    merged,
)
from codeflow.orchestration.workflows.patterns.coordinator import StepPlan, plan_problems
from codeflow.orchestration.workflows.patterns.members import UnusableError, form_in
from codeflow.orchestration.workflows.patterns.notes import Note, agreed, peers_for, quorum_for, revised
from codeflow.orchestration.workflows.tables import PatternNode
from codeflow.orchestration.workflows.work import kind_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
FEW = st.sampled_from(["plus", "Plus ", "minus", 1, None])


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.lists(VALUES, max_size=6), max_size=4))
def test_merging_loses_nothing_and_keeps_nothing_twice(groups):
    found = merged(groups)
    keys = [canonical(one.value) for one in found]
    given_keys = [canonical(item) for items in groups.values() for item in items]
    assert keys == list(dict.fromkeys(given_keys))
    for one in found:
        assert list(one.members) == [
            member for member, items in groups.items() if canonical(one.value) in map(canonical, items)
        ]
    again = merged({"all": [one.value for one in found]})
    assert [one.value for one in again] == [one.value for one in found]


def test_items_are_the_same_by_the_fields_that_are_named_and_whole_where_they_have_none():
    first = {"file": "a.py", "line": 3, "problem": "x"}
    other_words = {"file": "A.py ", "line": 3, "problem": "y"}
    elsewhere = {"file": "a.py", "line": 4, "problem": "x"}
    found = merged({"a": [first, "odd"], "b": [other_words, elsewhere, "odd"]}, by=["file", "line"])
    assert [(one.value, one.members) for one in found] == [
        (first, ("a", "b")),
        ("odd", ("a", "b")),
        (elsewhere, ("b",)),
    ]


def test_lines_are_taken_without_their_markers():
    assert lines("- one\n\n* two\n  3. three\n-4 is four\n") == ["one", "two", "three", "-4 is four"]


@given(st.dictionaries(st.integers().map(str), FEW, min_size=1, max_size=9))
def test_votes_are_counted_the_most_first_and_a_tie_is_told(ballots):
    counts = counted(ballots)
    sizes = [len(one.members) for one in counts]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == len(ballots)
    assert is_tie(counts) == (len(sizes) > 1 and sizes[0] == sizes[1])
    first = next(value for value in ballots.values() if canonical(value) == canonical(counts[0].value))
    assert counts[0].value == first


@st.composite
def elections(draw):
    """So many faulty peers as a mesh bears, and everyone's ballots."""
    faulty = draw(st.integers(1, 4))
    values = draw(st.lists(FEW, min_size=peers_for(faulty), max_size=peers_for(faulty)))
    return faulty, {f"p{number}": value for number, value in enumerate(values)}


@given(elections())
def test_no_two_values_have_a_quorum_and_without_one_nothing_is_decided(election):
    faulty, ballots = election
    votes = Counter(canonical(value) for value in ballots.values())
    with_quorum = [value for value, count in votes.items() if count >= quorum_for(faulty)]
    decided = agreed(ballots, faulty)
    assert ([] if decided is None else [canonical(decided.value)]) == with_quorum
    assert 2 * quorum_for(faulty) - peers_for(faulty) > faulty  # two quorums share an honest peer


@given(elections(), st.data())
def test_as_many_as_may_be_faulty_turn_no_decision(election, data):
    faulty, ballots = election
    traitors = data.draw(st.lists(st.sampled_from(sorted(ballots)), max_size=faulty, unique=True))
    turned = {name: value for name, value in ballots.items() if name not in traitors}
    turned |= {name: data.draw(FEW) for name in traitors if data.draw(st.booleans())}
    before, after = agreed(ballots, faulty), agreed(turned, faulty)
    if before and after:
        assert canonical(after.value) == canonical(before.value)


@given(elections(), st.data())
def test_the_honest_decide_alone_whatever_the_others_say_or_do_not_say(election, data):
    faulty, ballots = election
    traitors = data.draw(st.lists(st.sampled_from(sorted(ballots)), max_size=faulty, unique=True))
    said = {name: "plus" for name in ballots if name not in traitors}
    said |= {name: data.draw(FEW) for name in traitors if data.draw(st.booleans())}
    decided = agreed(said, faulty)
    assert decided is not None
    assert canonical(decided.value) == "plus"


async def revise(notes, writes, strategy, merge=None):
    async def never(_key, _values):
        raise AssertionError("nothing was to be merged")

    return await revised(notes, writes, strategy=strategy, faulty=1, merge=merge or never)


def note(value, author="a", version=1):
    return Note(key="k", version=version, author=author, value=value)


@pytest.mark.parametrize(
    ("old", "writes", "strategy", "becomes"),
    [
        (None, {"a": 1}, "vote", note(1)),
        (None, {"a": 1, "b": 1}, "vote", note(1, "a, b")),
        (None, {"a": 1, "b": 2}, "vote", None),
        (None, {"a": 1, "b": 2, "c": 2}, "vote", note(2, "b, c")),
        (None, {"a": 1, "b": 1, "c": 2, "d": 2}, "vote", None),
        (note(1), {"a": 2}, "vote", note(2, "a", 2)),
        (note(1), {"b": 2}, "vote", note(1)),
        (note(1), {"b": 2, "c": 2}, "vote", note(2, "b, c", 2)),
        (note(1), {"b": 1}, "vote", note(1)),
        (None, {"a": 1, "b": 2}, "last_write", note(2, "b")),
        (note(1), {"b": 2}, "last_write", note(2, "b", 2)),
    ],
)
async def test_notes_that_contradict_each_other(old, writes, strategy, becomes):
    notes = {} if old is None else {"k": old}
    after = await revise(notes, {peer: {"k": value} for peer, value in writes.items()}, strategy)
    assert after == ({} if becomes is None else {"k": becomes})


async def test_only_contradicting_notes_are_merged_and_a_failed_merge_leaves_them():
    async def both(key, values):
        return f"{key}: {values}"

    async def fails(_key, _values):
        return None

    old = {"k": note(1)}
    assert await revise(old, {"b": {"j": 5}}, "merge") == {
        **old,
        "j": Note(key="j", version=1, author="b", value=5),
    }
    assert await revise(old, {"b": {"k": 2}, "c": {"k": 3}}, "merge", both) == {
        "k": note("k: [1, 2, 3]", "b, c", 2)
    }
    assert await revise(old, {"b": {"k": 2}}, "merge", fails) == old


@given(st.lists(st.tuples(st.sampled_from("bcd"), st.integers(0, 3)), max_size=6))
async def test_one_peer_alone_never_changes_what_another_wrote_when_notes_are_voted(rounds):
    notes = {"k": note(9)}
    for peer, value in rounds:
        notes = await revise(notes, {peer: {"k": value}}, "vote")
    assert notes == {"k": note(9)}


def plan(*steps, final="{{ a }}"):
    return StepPlan.model_validate(
        {
            "steps": [
                {"id": name, "agent": agent, "task": task, "requires_results_from": needs}
                for name, agent, task, *needs in steps
            ],
            "final_format": final,
        }
    )


@pytest.mark.parametrize(
    ("given_plan", "reason"),
    [
        (plan(("a", "x", "t")), None),
        (plan(("a", "x", "t"), ("b", "x", "{{ a }}", "a"), final="{{b}} of {{ a }}"), None),
        (plan(("a", "x", "t"), ("a", "x", "t")), "two steps have the same id"),
        (plan(("a", "y", "t")), "step a: no agent is called y here; there are: x"),
        (plan(("a", "x", "t", "z")), "step a: requires the results of z, which is no step"),
        (plan(("a", "x", "t"), ("b", "x", "{{ a }}")), "step b: {{ a }} is the result of no step that it"),
        (plan(("a", "x", "t"), final="{{ c }}"), "final_format: {{ c }} is the result of no step"),
        (plan(("a", "x", "t", "b"), ("b", "x", "t", "a")), "the steps wait for each other in a circle"),
        (plan(("a", "x", "t", "a")), "the steps wait for each other in a circle: a -> a"),
        (plan(*((f"s{n}", "x", "t") for n in range(4)), final="!"), "4 steps, where 3 are allowed"),
    ],
)
def test_what_makes_a_plan_impossible_is_said(given_plan, reason):
    found = list(plan_problems(given_plan, ["x"], 3))
    if reason is None:
        assert found == []
    else:
        assert [one for one in found if one.startswith(reason)]


def test_an_answer_without_its_form_says_why():
    with pytest.raises(UnusableError, match="no JSON object"):
        form_in("no", StepPlan)
    with pytest.raises(UnusableError, match="final_format: Field required"):
        form_in('{"steps": [{"id": "a", "agent": "x", "task": "t"}]}', StepPlan)


HEAD = "codeflow_workflow: 1\nname: tiny\ndescription: a test's\nnodes:\n"
MESH = "peers: {p: x, q: x, r: x, s: x}, task: t"


def check(tmp_path, body):
    (tmp_path / "tiny.yaml").write_text(HEAD + body)
    return Shelf(paths={}, agents=["x"], tools={}).check(tmp_path / "tiny.yaml")


@pytest.mark.parametrize(
    "body",
    [
        "fanout: {members: {p: x, q: {agent: x, task: t}}, task: t, minimum: 50%}, at_least: 1",
        "fanout: {members: {p: x, q: x}, task: t, merge: {items: found, by: [file]}}",
        "fanout: {members: {p: x, q: x}, task: t, vote: {key: ok, tie: fail}}",
        "debate: {proposer: x, critic: x, judge: x, task: t}",
        "hierarchy: {supervisor: x, leads: {l: {agent: x, workers: {w: x}}}, task: t}",
        "coordinator: {planner: x, agents: [x], task: t}",
        f"mesh: {{{MESH}, conflicts: merge, merger: x}}",
    ],
)
def test_a_pattern_is_the_same_when_a_task_has_carried_it(tmp_path, body):
    loaded = check(tmp_path, f"  a: {{{body}}}\n")
    files = {name: as_data(form) for name, form in loaded.forms.items()}
    task = GivenWorkflow(name="tiny", source="tiny.yaml", files=files, inputs={})
    assert revived(task) == loaded.forms


@pytest.mark.parametrize(
    ("body", "line", "said"),
    [
        ("fanout:\n      members:\n        p: x\n        q: y\n      task: t\n", 9, "no agent is called 'y'"),
        ("fanout:\n      members: {p: x, q: x}\n", 6, "p, q: no task"),
        ("fanout:\n      members: {p: x, q: x}\n      task: '{{ b.text }}'\n", 8, "called 'b'"),
        ("fanout: {members: {p: x}, task: t}\n", 6, "at least 2 items"),
        ("fanout: {members: {p: x, q: x}, task: t, vote: {key: a}, merge: {}}\n", 6, "exclude each other"),
        ("fanout: {members: {p: x, q: x}, task: t, merge: {by: [a]}}\n", 6, "with items"),
        ("debate: {proposer: x, critic: x, judge: y, task: t}\n", 6, "no agent is called 'y'"),
        ("debate: {proposer: x, critic: x, judge: x, task: t, rounds: 9}\n", 6, "less than or equal to 5"),
        ("hierarchy: {supervisor: x, leads: {supervisor: {agent: x}}, task: t}\n", 6, "cannot be called"),
        ("hierarchy: {supervisor: x, leads: {l: {agent: x, workers: {w: y}}}, task: t}\n", 6, "called 'y'"),
        ("coordinator: {planner: x, agents: [x, y], task: t}\n", 6, "no agent is called 'y'"),
        ("mesh: {peers: {p: x, q: x, r: x}, task: t}\n", 6, "3 peers; for 1 faulty it takes 4"),
        (f"mesh: {{{MESH}, conflicts: merge}}\n", 6, "merge and merger go together"),
        (f"mesh: {{{MESH}, merger: y, conflicts: merge}}\n", 6, "no agent is called 'y'"),
    ],
)
def test_what_is_wrong_with_a_pattern_is_said_with_its_line(tmp_path, body, line, said):
    with pytest.raises(UsageError) as raised:
        check(tmp_path, f"  a:\n    {body}")
    assert f"tiny.yaml:{line}: " in str(raised.value)
    assert said in str(raised.value)


@pytest.mark.parametrize("written", [0, 3, "0%", "50%", "100%"])
def test_a_minimum_is_written_as_it_is_read(written):
    minimum = Minimum.parse(written)
    assert Minimum.parse(minimum.written()) == Minimum.parse(written)


DOC = (Path(__file__).parents[3] / "docs" / "workflows.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PATTERNS)
def test_the_documented_example_of_each_pattern_is_one(tmp_path, name):
    (example,) = re.findall(rf"### {name}\n\n```yaml\n(.*?)```", DOC, re.DOTALL)
    head = HEAD.removesuffix("nodes:\n")
    (tmp_path / "tiny.yaml").write_text(head + example)
    shelf = Shelf(paths={}, agents=load_specialists(tmp_path), tools={})
    (node,) = shelf.check(tmp_path / "tiny.yaml").form.nodes.values()
    assert isinstance(node, PatternNode)
    assert name in type(node).model_fields
    assert kind_of(node) == node.words
