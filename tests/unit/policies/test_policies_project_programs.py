"""Tools that run the project's own test runner, linters and formatters are ruled like its tests."""

import pytest

from codeflow.core.permissions import Layer
from codeflow.core.places import resource
from codeflow.core.values import Allow, Ask, Deny, Effect, Mode, Verdict
from codeflow.policies.patterns import Place
from codeflow.policies.permissions import Call, Policy, decide
from codeflow.policies.rules import Action, packaged_rules, parse_rule
from codeflow.tools.registry import TOOLS

PACKAGED, FREE = packaged_rules(resource("config") / "permissions.toml", TOOLS)


def verdict(mode: Mode, tool: str, *rules: tuple[Action, str]) -> type[Verdict]:
    call = Call(tool=tool, effect=Effect.EXECUTE, arguments={"paths": ["a.py"]})
    policy = Policy(rules=PACKAGED, free=FREE, place=Place(root="/w", home="/home/u"))
    own = [parse_rule(text, action, Layer.USER, TOOLS) for action, text in rules]
    return type(decide(mode, call, policy.with_rules(own)).verdict)


@pytest.mark.parametrize("tool", ["run_tests", "coverage_report", "run_linter", "format_code"])
def test_they_are_free_in_edit_mode(tool: str):
    assert TOOLS[tool].effect is Effect.EXECUTE
    assert [verdict(mode, tool) for mode in Mode] == [Deny, Ask, Allow, Allow]


@pytest.mark.parametrize(
    ("mode", "action", "rule", "expected"),
    [
        (Mode.AUTO, Action.DENY, "write_file", Deny),
        (Mode.AUTO, Action.DENY, "write_file(migrations/**)", Ask),
        (Mode.EDIT, Action.ASK, "write_file(migrations/**)", Ask),
        (Mode.ASK, Action.ALLOW, "write_file", Ask),
        (Mode.ASK, Action.ALLOW, "format_code", Allow),
    ],
)
def test_formatting_is_writing_to_rules_that_deny_or_ask_and_running_to_those_that_allow(
    mode: Mode, action: Action, rule: str, expected: type[Verdict]
):
    assert verdict(mode, "format_code", (action, rule)) is expected
