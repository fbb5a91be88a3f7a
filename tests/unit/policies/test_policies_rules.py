import stat
from pathlib import Path

import pytest

from codeflow.core.errors import UsageError
from codeflow.core.permissions import Layer
from codeflow.core.places import resource
from codeflow.core.values import Allow, Ask, Mode
from codeflow.policies.patterns import Place
from codeflow.policies.permissions import Call, Policy, decide
from codeflow.policies.remembered import Remembered
from codeflow.policies.rules import (
    NAMES,
    ONLINE,
    READERS,
    SHELL_LINES,
    URLS,
    WRITERS,
    Action,
    EditRules,
    flag_rules,
    packaged_rules,
    parse_rule,
    read_rules,
)
from codeflow.tools.registry import TOOLS


def read(path: Path, text: str):
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    return read_rules(path, Layer.USER, TOOLS)


def test_rules_stand_alone_or_with_a_reason(tmp_path):
    rules = read(
        tmp_path / "permissions.toml",
        'allow = ["run_command(npm test)"]\ndeny = [{ rule = "write_file(a/**)", reason = "theirs" }]\n',
    )
    assert [(rule.action, rule.text, rule.reason, rule.layer) for rule in rules] == [
        (Action.ALLOW, "run_command(npm test)", "", Layer.USER),
        (Action.DENY, "write_file(a/**)", "theirs", Layer.USER),
    ]
    assert read_rules(tmp_path / "none.toml", Layer.USER, TOOLS) == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('allow = ["no_such(x)"]', "allow: no_such(x): there is no tool no_such"),
        ('deny = ["run_command()"]', "deny: run_command(): its pattern is empty"),
        ('deny = ["run_command(*)"]', "deny: run_command(*): it names no program"),
        ('ask = ["run_command(git \\"x)"]', "a quote or a backslash in it is not closed"),
        ('ask = ["git push"]', "ask: git push: it is not of the form"),
        ('allow = ["git_commit(x)"]', "git_commit takes no pattern"),
        ('allow = ["write_file(../x)"]', "goes up with `..`"),
        ('allow = ["fetch_page(docs.python.org)"]', "an address begins with https://HOST"),
        ('allow = ["fetch_page(https://*)"]', "an address begins with https://HOST"),
        ("allow = [1]", "allow: 1 is neither a rule nor"),
        ('allow = [{ rule = "edit_file", why = "x" }]', "is neither a rule nor"),
        ('allow = "edit_file"', "allow: not a list of rules"),
        ("alow = []", "alow: unknown key"),
        ("nonsense", "cannot be used"),
        ("\udcff", "cannot be used"),
    ],
)
def test_what_is_no_rule_is_one_line_naming_file_and_rule(tmp_path, text, problem):
    path = tmp_path / "permissions.toml"
    with pytest.raises(UsageError) as found:
        read(path, text)
    message = str(found.value)
    assert message.startswith(f"{path}: ")
    assert problem in message
    assert "\n" not in message


def test_a_flag_that_is_no_rule_is_named():
    with pytest.raises(UsageError, match=r"--deny nothing\(x\): there is no tool nothing"):
        flag_rules(["edit_file"], ["nothing(x)"], TOOLS)


def test_every_tool_that_rules_know_exists():
    assert {*SHELL_LINES, *WRITERS, *URLS, *NAMES, *READERS} <= set(TOOLS)
    rules, free = packaged_rules(resource("config") / "permissions.toml", TOOLS)
    assert {rule.action for rule in rules} == {Action.DENY}
    assert all(rule.reason for rule in rules)
    assert free.free_tools <= set(TOOLS)


def test_answers_for_good_are_kept_for_a_folder_privately_and_taken_back(tmp_path):
    env = {"XDG_STATE_HOME": str(tmp_path / "state")}
    here, there = tmp_path / "here", tmp_path / "there"
    remembered = Remembered(here, env)
    for rule in ("run_command(npm test)", "edit_file(src/*)", "run_command(npm test)"):
        remembered.add(rule)
    assert [rule.text for rule in Remembered(here, env).rules(TOOLS)] == [
        "run_command(npm test)",
        "edit_file(src/*)",
    ]
    assert not list(Remembered(there, env).rules(TOOLS))
    assert stat.S_IMODE(remembered.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(remembered.path.parent.stat().st_mode) == 0o700
    remembered.remove("run_command(npm test)")
    assert [rule for rule, _at in remembered.entries()] == ["edit_file(src/*)"]


@pytest.mark.parametrize("text", ["{", "[]", '{"allow": 1}', '{"allow": [{"rule": "no_such"}]}'])
def test_a_damaged_file_of_answers_is_named(tmp_path, text):
    remembered = Remembered(tmp_path, {"XDG_STATE_HOME": str(tmp_path)})
    remembered.add("edit_file")
    remembered.path.write_text(text)
    with pytest.raises(UsageError, match=str(remembered.path)):
        list(remembered.rules(TOOLS))


@pytest.mark.parametrize("tool", sorted(ONLINE))
def test_a_package_manager_may_go_online_in_auto_only_by_a_rule(tool):
    call = Call(tool=tool, effect=TOOLS[tool].effect, arguments={"name": "x"})
    policy = Policy(
        rules=(), free=EditRules(frozenset(), {}), place=Place(root="/w", home="/h"), contained=True
    )
    allowed = policy.with_rules([parse_rule(tool, Action.ALLOW, Layer.USER, TOOLS)])
    assert isinstance(decide(Mode.AUTO, call, policy).verdict, Ask)
    assert isinstance(decide(Mode.AUTO, call, allowed).verdict, Allow)
