"""Workflow files: the JSON Schema accepts what is read as one, and what cannot work is refused with its line."""

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types of its own

from codeflow.core.errors import UsageError
from codeflow.core.places import resource
from codeflow.core.settings import load_settings
from codeflow.orchestration.workflows.loading import Shelf, given
from codeflow.orchestration.workflows.schema import workflow_schema
from codeflow.orchestration.workflows.terms import addresses, with_policies
from codeflow.tools.registry import TOOLS

DOC = (Path(__file__).parents[3] / "docs" / "workflows.md").read_text(encoding="utf-8")
HEAD = "codeflow_workflow: 1\nname: tiny\ndescription: a test's\n"
SHIPPED = sorted((resource("config") / "workflows").glob("*.yaml"))
DOCUMENTED = [
    text if "codeflow_workflow" in text else HEAD + text
    for text in re.findall(r"```yaml\n(.*?)```", DOC, re.DOTALL)
    if "nodes:" in text
]
SCHEMA = Draft202012Validator(workflow_schema())


def shelf_of(**paths):
    return Shelf(paths=paths, agents=["x", "y"], tools=TOOLS)


def refusal(tmp_path, text):
    """Why a file is refused, without its folder; None when it is not."""
    path = tmp_path / "tiny.yaml"
    path.write_text(text)
    try:
        shelf_of(part=PART).check(path)
    except UsageError as error:
        return str(error).removeprefix(f"{tmp_path}/")
    return None


PART = Path(__file__).with_name("part.yaml")


def test_the_schema_is_one():
    Draft202012Validator.check_schema(workflow_schema())


@pytest.mark.parametrize("text", [*(path.read_text() for path in SHIPPED), *DOCUMENTED])
def test_the_schema_accepts_every_workflow_that_is_shipped_or_documented(text):
    assert [error.message for error in SCHEMA.iter_errors(yaml.safe_load(text))] == []


def node(text, more=""):
    return f"{HEAD}nodes:\n  a: {{gate: all}}\n  b: {text}\nedges:\n  - {{from: a, to: b}}\n{more}"


FANOUT = "{fanout: {members: {p: x, q: x}, "
MESH = "{mesh: {peers: {p: x, q: x, r: x, s: x}, task: t"
RIGHT = [
    node("{gate: [tests, lint], expect: red, required: no}"),
    node("{agent: x, task: t, max_cost: 0.5}"),
    node('{agent: x, task: t, max_cost: "0.5", at_least: 1.0}'),
    node('{agent: x, task: t, at_least: "100%"}'),
    node("{agent: x, task: t, faults: {visit_timeout_s: none, call_timeout_s: null, max_attempts: 3}}"),
    node("{gate: all, at_least: null}"),
    node(FANOUT + "task: t, merge: {}}}"),
    node(FANOUT + "task: t, merge: null, vote: {key: k}}}"),
    node("{fanout: {members: {p: {agent: x, task: t}, q: {agent: x, task: t}}}}"),
    node(FANOUT + "task: t, merge: {by: []}}}"),
    node(MESH + ", conflicts: merge, merger: x}}"),
    node("{mesh: {faulty: 2, peers: {a: x, b: x, c: x, d: x, e: x, f: x, g: x}, task: t}}"),
    node("{hierarchy: {supervisor: x, leads: {l: {agent: x}}, task: t, reads_only: true}}"),
    HEAD
    + "nodes: {a: {gate: all}, b: {gate: all}}\nedges: [{from: [a], to: b}, {from: b, to: [a], at_most: 2}]\n",
]
WRONG = [
    HEAD,
    HEAD + "nodes: {}\n",
    HEAD + "nodes: {my-node: {gate: all}}\n",
    HEAD + "nodes: {A: {gate: all}}\n",
    HEAD + "nodes: {task: {gate: all}}\n",
    HEAD + "nodes: {a: {gate: all}}\ninputs: {task: {}}\n",
    HEAD + "nodes: {a: {gate: all}}\ninputs: {my-x: {default: a}}\n",
    HEAD + "nodes: {a: {gate: all}}\noutputs: {A: x}\n",
    HEAD + "nodes: {a: {gate: all}}\nedges: {a: b}\n",
    HEAD + "nodes: {a: {gate: all}}\nedges: [{from: [], to: a}]\n",
    HEAD + "nodes: {a: {gate: all}}\nmax_parallel: '2'\n",
    HEAD + "nodes: {a: {gate: all}}\nmax_parallel: true\n",
    HEAD + "nodes: {a: {gate: all}}\nlimits: {max_cost: 0}\n",
    HEAD + "nodes: {a: {gate: all}}\nlimits: {max_cost: much}\n",
    HEAD + "nodes: {a: {gate: all}}\nlimits: {max_cost: '0.0'}\n",
    HEAD + "nodes: {a: {gate: all}}\nlimits: {timeout_s: '5'}\n",
    HEAD.replace(": 1", ": true") + "nodes: {a: {gate: all}}\n",
    HEAD.replace(": 1", ": 2") + "nodes: {a: {gate: all}}\n",
    HEAD.replace("tiny", "Tiny") + "nodes: {a: {gate: all}}\n",
    node("{agent: x}"),
    node("{agent: x, gate: all, task: t}"),
    node("{agent: x, task: t, required: 'no'}"),
    node("{agent: x, task: t, required: 1}"),
    node("{agent: x, task: t, result: findings}"),
    node("{agent: x, task: t, faults: {max_attempts: '3'}}"),
    node("{agent: x, task: t, faults: {visit_timeout_s: never}}"),
    node("{agent: x, task: t, faults: {visit_timeout_s: 0}}"),
    node("{agent: x, task: t, faults: {on_failure: explode}}"),
    node("{agent: x, task: t, at_least: true}"),
    node("{agent: x, task: t, at_least: '150%'}"),
    node("{agent: x, task: t, at_least: 1.5}"),
    node("{gate: tests}"),
    node("{gate: [all]}"),
    node("{gate: []}"),
    node("{gate: [test]}"),
    node("{gate: all, max_cost: 1}"),
    node("{gate: all, faults: {max_attempts: 2}}"),
    node("{command: ''}"),
    node("{command: x, timeout_s: -1}"),
    node("{approve: true}"),
    node("{fanout: {members: {p: x}, task: t}}"),
    node("{fanout: {members: {p: x, q: {agent: x, task: t}}}}"),
    node(FANOUT + "task: t, merge: {}, vote: {key: k}}}"),
    node(FANOUT + "task: t, merge: {by: [file]}}}"),
    node(FANOUT + "task: t, minimum: null}}"),
    node("{hierarchy: {supervisor: x, leads: {supervisor: {agent: x}}, task: t}}"),
    node("{coordinator: {planner: x, agents: [x], task: t, max_steps: '3'}}"),
    node("{coordinator: {planner: x, agents: [x], task: t, reads_only: 'yes'}}"),
    node("{mesh: {peers: {p: x, q: x, r: x}, task: t}}"),
    node("{mesh: {faulty: 2, peers: {p: x, q: x, r: x, s: x}, task: t}}"),
    node("{mesh: {peers: {merger: x, q: x, r: x, s: x}, task: t}}"),
    node(MESH + ", conflicts: merge}}"),
    node(MESH + ", merger: x}}"),
    node(MESH + ", choices: [yes, no]}}"),
    node("{explore: {agents: {p: x, synthesis: x}, start: p, task: t, writer: x}}"),
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_read_fits_the_schema(tmp_path, text):
    assert refusal(tmp_path, text) is None
    assert SCHEMA.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize("text", WRONG)
def test_what_does_not_fit_the_schema_is_not_read(tmp_path, text):
    assert not SCHEMA.is_valid(yaml.safe_load(text))
    assert "tiny.yaml:" in (refusal(tmp_path, text) or "")


@pytest.mark.parametrize(
    "said",
    [
        "nodes.b.gate: has to be a list: [tests]",
        "nodes.b.gate: all stands alone, without brackets",
        "nodes.b.gate: no gate is called 'test' (did you mean: ",
        "nodes.b.required: has to be true or false, without quotes",
        "nodes.b.max_cost: unknown key",
        "nodes.task: the run's own task has this name: choose another",
        "nodes.my-node: 'my-node' is no name: small letters, digits and _, a letter first",
        "edges: has to be a list, such as [a, b]",
        "codeflow_workflow: has to be 1",
        "limits.max_cost: has to be greater than 0",
        "nodes: has to have at least 1 item, not 0",
    ],
)
def test_why_a_file_does_not_fit_is_said_in_words_that_help(tmp_path, said):
    assert any(said in (refusal(tmp_path, text) or "") for text in WRONG)


def test_a_workflow_that_is_not_there_is_told_with_those_that_are(tmp_path):
    assert "no workflow is called 'prt' (did you mean: part)" in (
        refusal(tmp_path, node("{workflow: prt}")) or ""
    )


def test_null_in_faults_lifts_a_time_limit_and_else_says_nothing(tmp_path):
    (tmp_path / "tiny.yaml").write_text(
        node("{agent: x, task: t, faults: {max_attempts: null, max_wait_s: null, visit_timeout_s: null}}")
    )
    nodes = shelf_of().check(tmp_path / "tiny.yaml").form.nodes
    settings = load_settings(tmp_path, env={}).faults
    policy = with_policies(settings, nodes).of("b")
    assert policy.visit_timeout_s is None
    assert (policy.max_attempts, policy.max_wait_s) == (settings.max_attempts, settings.max_wait_s)


def asking(expression):
    """A workflow in which a text asks for something of a node before it."""
    return (
        f"{HEAD}inputs: {{path: {{default: x}}}}\nnodes:\n"
        "  keys: {agent: x, task: t, result: [found]}\n  bare: {agent: x, task: t}\n  check: {gate: all}\n"
        "  call: {tool: git_status}\n  agree: {approve: t}\n  part: {workflow: part}\n"
        "  talk: {debate: {proposer: x, critic: x, judge: x, task: t}}\n"
        "  look: {fanout: {members: {p: x, q: x}, task: t}}\n"
        "  vote: {fanout: {members: {p: x, q: x}, task: t, vote: {key: v}}}\n"
        "  lead: {hierarchy: {supervisor: x, leads: {l: {agent: x}}, task: t}}\n"
        "  plan: {coordinator: {planner: x, agents: [x], task: t}}\n"
        f"  b: {{agent: x, task: {json.dumps(expression)}}}\n"
        "edges:\n  - {from: [keys, bare, check, call, agree, part, talk, look, vote, lead, plan], to: b}\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "{{ inputs.path }} {{ task }} {{ diff }} {{ inputs }}",
        "{{ keys.result.found[].merge(@, {kind: 'a'}) }} {{ keys.result.found[?severity == 'high'].file }}",
        "{{ sort_by(keys.result.found, &line)[0].text }} {{ bare.result }} {{ check.result[0].name }}",
        "{{ part.result.shade }} {{ talk.result.agreed }} {{ talk.status == 'failed' || check.status != 'red' }}",
        "{{ join(', ', keys.result.found) }} {{ contains(check.text, 'E501') }} {{ not_null(bare.text, 'x') }}",
        "{{ look.result.members.p.text }} {{ look.result.members.*.text }} {{ vote.result.choice.x }}",
        "{{ length(vote.result.votes) }} {{ keys(look.result.members) }} {{ lead.result.reports.l.ok }}",
        "{{ plan.result.steps.any.text }} {{ sort_by(vote.result.votes, &length(members))[0].value }}",
        "{{ contains(['red', 'green'], check.status) }} {{ check.result[?length(name) > `3`] | [0].name }}",
        "{{ join(', ', [keys.text, bare.text]) }} {{ length(look.result) }} {{ check.result[].{n: length(name)} }}",
        'a JSON object {"a": {"b": 1}} is no expression',
    ],
)
def test_what_will_be_there_may_be_asked_for(tmp_path, text):
    assert refusal(tmp_path, asking(text)) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ inputs.pth }}", "no input is called 'pth' (did you mean: path)"),
        ("{{ inputs.path.x }}", "inputs.path is a text, without parts"),
        ("{{ task.text }}", "task is a text, without parts"),
        ("{{ keys.state }}", "keys has no 'state', only status, text, result"),
        ("{{ keys.text.x }}", "keys.text is a text, without parts"),
        ("{{ keys.result.other }}", "keys.result has no 'other': name it at keys, as result: [found, other]"),
        ("{{ bare.result.k[0] }}", "name it at bare, as result: [k]"),
        ("{{ check.result.name }}", "check.result is a list"),
        ("{{ call.result.x }}", "call has no result: what it says is call.text"),
        ("{{ part.result.colour }}", "part has no output 'colour', only shade"),
        ("{{ talk.result.winner }}", "talk.result has no 'winner', only agreed"),
        ("{{ check.status == 'failed' }}", "check.status is never 'failed': it is green or red or unchecked"),
        ("{{ 'red' == keys.status }}", "keys.status is never 'red': it is done or failed"),
        ("{{ agree.status == 'done' }}", "agree.status is never 'done': it is approved or refused"),
        ("{{ upper(keys.text) }}", "no function is called 'upper'"),
        ("{{ [keys.text][?uper(@)] }}", "no function is called 'uper'"),
        ("{{ starts_with(keys.text) }}", "starts_with() takes 2 arguments, not 1"),
        ("{{ starts_with(keys.text, `5`) }}", "starts_with() takes string, not 5"),
        ("{{ keys.text ", "a {{ has no }}"),
        ("{{ look.result.members.z.text }}", "look.result.members has no 'z', only p, q"),
        ("{{ look.result.members.p.txt }}", "look.result.members.p has no 'txt', only ok, text"),
        ("{{ look.result.members.p.text.x }}", "look.result.members.p.text is a text, without the key 'x'"),
        ("{{ look.result.choice }}", "look.result has no 'choice', only members; choice is there with vote"),
        ("{{ vote.result.items }}", "items is there with merge"),
        ("{{ vote.result.votes.x }}", "vote.result.votes is a list, without the key 'x'"),
        ("{{ lead.result.reports.m }}", "lead.result.reports has no 'm', only l"),
        ("{{ plan.result.plan.final }}", "plan.result.plan has no 'final', only steps, final_format"),
        (
            "{{ join(check.status, keys.text) }}",
            "join() takes array-string, not keys.text, which is of type str",
        ),
        ("{{ length(talk.result.agreed) }}", "not talk.result.agreed, which is of type boolean"),
        ("{{ length(bare.result) }}", "not bare.result, which is of type null"),
        ("{{ length(keys.text == 'x') }}", "not what is of type boolean"),
        ("{{ contains(['failed', 'red'], check.status) }}", "check.status is never 'failed'"),
        ('{{ contains(`["failed"]`, check.status) }}', "check.status is never 'failed'"),
    ],
)
def test_what_will_never_be_there_is_refused(tmp_path, text, said):
    refused = refusal(tmp_path, asking(text)) or ""
    assert "tiny.yaml:17: nodes.b.task: " in refused
    assert said in refused


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{gate: all, at_least: 2}", "nodes.b.at_least: 2 of 1 edge to it cannot hold"),
        (FANOUT + "task: t, minimum: 3}}", "nodes.b.fanout.minimum: 3 of 2 members cannot succeed"),
        (
            "{hierarchy: {supervisor: x, leads: {l: {agent: x}}, task: t, minimum: 2}}",
            "nodes.b.hierarchy.minimum: 2 of 1 lead cannot succeed",
        ),
        (
            "{coordinator: {planner: x, agents: [x], task: t, max_steps: 2, minimum: 3}}",
            "nodes.b.coordinator.minimum: 3 of 2 steps cannot succeed",
        ),
        (MESH + ", choices: [Keep, 'keep ']}}", "two of them are the same"),
        ("{tool: glob, with: {patern: x}}", "no argument of glob is called 'patern' (did you mean: pattern"),
        ("{tool: glob, with: {pattern: x, dept: '{{ a.text }}'}}", "no argument of glob is called 'dept'"),
        ("{tool: glob}", "nodes.b.with.pattern: glob needs it"),
        ("{tool: read_file, with: {path: 5}}", "nodes.b.with.path: "),
        ("{agent: x, task: t, continues: a}", "takes a node of x with reads_only: false"),
    ],
)
def test_what_can_never_work_is_refused(tmp_path, text, said):
    refused = refusal(tmp_path, node(text)) or ""
    assert "tiny.yaml:6: nodes.b." in refused
    assert said in refused


def test_arguments_that_are_computed_are_the_tools_to_judge(tmp_path):
    assert (
        refusal(
            tmp_path, node('{tool: read_file, with: {path: "{{ a.text }}", start_line: "{{ a.result }}"}}')
        )
        is None
    )
    text = node("{gate: all}").replace("to: b", 'to: b, when: "{{ a.text }}"')
    assert "a condition stands without {{ }}" in (refusal(tmp_path, text) or "")


def test_a_node_is_one_thing(tmp_path):
    refused = refusal(tmp_path, node("{gate: all, command: ls}")) or ""
    assert (
        "tiny.yaml:6: nodes.b: a node is one thing, and gate and command are 2: make a node of each"
        in refused
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "outputs: {x: a.result.zz}",
            "outputs.x: a.result.zz without braces is only these words: write {{ a.",
        ),
        ("answer: a.text", "answer: a.text without braces is only these words: write {{ a.text }}"),
        ("outputs: {x: inputs.y}", "outputs.x: inputs.y without braces"),
        ("outputs: {x: '{{ a.result.zz }}'}", "outputs.x: a.result is a list"),
        ("outputs: {x: bugfix, y: a.b, z: 'See a.text.', w: '{{ a.status }}'}", None),
    ],
)
def test_what_a_workflow_gives_is_looked_at_as_well(tmp_path, more, said):
    refused = refusal(tmp_path, node("{gate: all}", more))
    assert (refused is None) if said is None else f"tiny.yaml:9: {said}" in (refused or "")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{agent: x, task: t}", ""),
        (FANOUT + "task: t}}", "b b.p b.q x x@b.p x@b.q"),
        ("{debate: {proposer: x, critic: y, judge: x, task: t}}", "b.critic b.judge x y@b.critic x@b.judge"),
        (
            "{hierarchy: {supervisor: x, leads: {l: {agent: x, workers: {w: y}}}, task: t}}",
            "x@b.supervisor x@b.l y@b.l.w b.l.w",
        ),
        ("{coordinator: {planner: x, agents: [y], task: t}}", "b x y x@b.planner"),
        (MESH + ", conflicts: merge, merger: y}}", "x@b.p x@b.s y@b.merger"),
        ("{explore: {agents: {p: x, q: x}, start: p, task: t, writer: y}}", "x@b.q y@b.synthesis"),
    ],
)
def test_every_seat_of_a_workflow_has_an_address(tmp_path, text, names):
    (tmp_path / "tiny.yaml").write_text(node(text))
    found = addresses(given(shelf_of().check(tmp_path / "tiny.yaml"), {}))
    assert found >= {*names.split()}
    assert bool(found) == bool(names)


def test_a_conversation_that_goes_on_has_the_seat_in_which_it_began(tmp_path):
    more = "  - {from: b, to: c}\n"
    text = node("{agent: x, task: t}\n  c: {agent: x, task: t, continues: b}", more)
    (tmp_path / "tiny.yaml").write_text(text)
    assert addresses(given(shelf_of().check(tmp_path / "tiny.yaml"), {})) == {"b", "c", "x", "x@b"}
