"""What holds for all rules and all calls."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.policies.test_policies_permissions import POLICY, RANK, rule

from codeflow.app.permitting import of_project
from codeflow.core.permissions import Layer
from codeflow.core.values import Allow, Deny, Effect, Mode
from codeflow.policies.permissions import Call, decide
from codeflow.policies.rules import Action, Rule, flag_rules
from codeflow.tools.registry import TOOLS

TEXTS = st.sampled_from(
    ["run_command", "run_command(ls *)", "run_command(git push *)", "run_command(rm -r|-R * /)", "run_command(make)",
     "write_file", "write_file(src/**)", "edit_file(**)", "read_file(.env)", "fetch_page(https://x.example/*)",
     "git_commit", "install_dependency(x*)", "execute_code(shell)", "remember", "benchmark(make *)", "rename_symbol"]
)  # fmt: skip
RULES = st.builds(
    rule, TEXTS, st.sampled_from(Action), st.sampled_from([x for x in Layer if x is not Layer.MODE])
)
LINES = st.sampled_from(
    ["ls", "ls; make", "make", "git push", "git push $X", "rm -r /", "$X", "python -c 1", "echo x > src/a", "sudo make",
     "ls 'x", "X=1 make", "", "bash -c 'git push'", "find . -exec make {} +"]
) | st.text(max_size=20)  # fmt: skip
CALLS = st.one_of(
    st.builds(
        lambda tool, line: Call(tool=tool, effect=Effect.EXECUTE, arguments={"command": line}),
        st.sampled_from(["run_command", "benchmark"]),
        LINES,
    ),
    st.builds(
        lambda tool, path: Call(tool=tool, effect=Effect.WRITE, arguments={}, paths=(((path,),),)),
        st.sampled_from(["write_file", "edit_file"]),
        st.sampled_from(["src/a", ".env", "/etc/x"]),
    ),
    st.builds(
        lambda tool: Call(
            tool=tool.name, effect=tool.effect, arguments={"scope": "user", "language": "shell"}
        ),
        st.sampled_from(list(TOOLS.values())),
    ),
)
MODES = st.sampled_from(Mode)


def strictness(mode: Mode, call: Call, rules: list[Rule]) -> int:
    return RANK[type(decide(mode, call, POLICY.with_rules(rules)).verdict)]


@given(mode=MODES, call=CALLS, rules=st.lists(RULES, max_size=5), project=st.lists(RULES, max_size=5))
def test_no_project_that_is_not_trusted_widens_what_the_others_allow(mode, call, rules, project):
    counting, left_out = of_project(project, trusted=False)
    assert strictness(mode, call, [*rules, *counting]) >= strictness(mode, call, rules)
    assert all(one.action is Action.ALLOW for one in left_out)


@given(mode=MODES, call=CALLS, rules=st.lists(RULES, max_size=5), text=TEXTS, layer=st.sampled_from(Layer))
def test_one_more_deny_or_ask_never_allows_more_and_one_more_allow_never_less(mode, call, rules, text, layer):
    before = strictness(mode, call, rules)
    assert strictness(mode, call, [*rules, rule(text, Action.DENY, layer)]) >= before
    assert strictness(mode, call, [*rules, rule(text, Action.ASK, layer)]) >= before
    assert strictness(mode, call, [*rules, rule(text, Action.ALLOW, layer)]) <= before


@given(mode=MODES, call=CALLS, rules=st.lists(RULES, max_size=3))
def test_the_order_of_rules_does_not_matter(mode, call, rules):
    rulings = {repr(decide(mode, call, POLICY.with_rules(list(order)))) for order in permutations(rules)}
    assert len(rulings) == 1


@given(
    mode=MODES,
    tool=st.text(max_size=10) | st.sampled_from(list(TOOLS)),
    effect=st.sampled_from(Effect),
    arguments=st.dictionaries(
        st.sampled_from(["command", "path", "url", "name", "code", "language", "scope"]),
        st.text(max_size=30) | st.none() | st.integers(),
    ),
    rules=st.lists(RULES, max_size=3),
)
def test_there_is_a_ruling_on_every_call(mode, tool, effect, arguments, rules):
    call = Call(tool=tool, effect=effect, arguments=arguments)
    ruling = decide(mode, call, POLICY.with_rules(rules))
    assert type(ruling.verdict) in RANK
    assert ruling.rule == "" or ruling.layer is not Layer.MODE


@given(call=CALLS, rules=st.lists(RULES, max_size=5))
def test_no_rule_lets_plan_mode_change_something(call, rules):
    if call.effect in {Effect.WRITE, Effect.EXECUTE} and call.tool != "git_branch":
        assert strictness(Mode.PLAN, call, rules) == RANK[Deny]


@given(mode=MODES, call=CALLS, rules=st.lists(RULES, max_size=4))
def test_what_is_offered_spares_the_question(mode, call, rules):
    ruling = decide(mode, call, POLICY.with_rules(rules))
    if ruling.offer:
        again = decide(mode, call, POLICY.with_rules([*rules, *flag_rules([ruling.offer], [], TOOLS)]))
        assert isinstance(again.verdict, Allow)
