from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.errors import UsageError
from codeflow.core.values import Allow, Ask, Deny, Effect, Mode, Verdict
from codeflow.policies.permissions import decide, decide_note, load_rules

RULES = load_rules()


def verdict(mode: Mode, tool: str, effect: Effect, **arguments: object) -> type[Verdict]:
    return type(decide(mode, tool, effect, arguments, RULES))


def shell(command: str, mode: Mode = Mode.EDIT) -> type[Verdict]:
    return verdict(mode, "run_command", Effect.EXECUTE, command=command)


@pytest.mark.parametrize(
    ("tool", "effect", "arguments", "verdicts"),
    [
        ("read_file", Effect.READ, {"path": "x"}, [Allow, Allow, Allow, Allow]),
        ("write_file", Effect.WRITE, {"path": "x"}, [Deny, Ask, Allow, Allow]),
        ("run_tests", Effect.EXECUTE, {}, [Deny, Ask, Allow, Allow]),
        ("run_command", Effect.EXECUTE, {"command": "make"}, [Deny, Ask, Ask, Allow]),
        ("run_command", Effect.EXECUTE, {"command": "ls"}, [Deny, Ask, Allow, Allow]),
        ("git_commit", Effect.EXECUTE, {"message": "m"}, [Deny, Ask, Ask, Allow]),
        ("fetch_page", Effect.NETWORK, {"url": "u"}, [Ask, Ask, Ask, Allow]),
        ("git_branch", Effect.EXECUTE, {"name": "b"}, [Deny, Ask, Ask, Allow]),
        ("git_branch", Effect.EXECUTE, {}, [Allow, Allow, Allow, Allow]),
    ],
)
def test_each_mode_has_its_verdicts(tool, effect, arguments, verdicts):
    assert [verdict(mode, tool, effect, **arguments) for mode in Mode] == verdicts


@pytest.mark.parametrize(
    "command",
    ["ls", "ls -la src tests/unit", "  pwd ", "git log --oneline -20", "git log -n 5 src/a.py", "git show --stat HEAD",
     "git blame -L 10,20 a.py", "wc -l a.py", "python --version", "git show --stat HEAD:src"],
)  # fmt: skip
def test_looking_is_free_in_edit_mode(command: str):
    assert shell(command) is Allow


@pytest.mark.parametrize(
    "command",
    [
        "",
        "ls; make",
        "ls && make",
        "ls | sh",
        "ls &",
        "ls\nmake",
        "ls\rmake",
        "ls $(make)",
        "ls `make`",
        "ls > x",
        "ls < x",
        "ls $HOME",
        "ls ~",
        "ls ~root",
        "ls (x)",
        "ls {a,b}",
        "ls *",
        "ls 'x'",
        "ls \\x",
        "ls !!",
        "ls #x",
        "ls /etc",
        "ls ..",
        "ls ../x",
        "ls a/../../x",
        "git log --output=x",
        "git log --outpu x",
        "git log -p",
        "git log --since=/etc",
        "git show HEAD:../../x",
        "git branch -D main",
        "git -c core.pager=x log",
        "wc --files0-from=/etc/passwd",
        "wc --files0-from x",
        "PAGER=x git log",
        "lsof",
        "/bin/ls",
        "./ls",
        "cat a.py",
        "python -c 1",
        "python --versionx",
        "which -a make\tsh\x00",
        "ls \u2028",
        "ls \uff0fetc",
    ],
)
def test_what_could_do_more_is_asked(command: str):
    assert shell(command) is Ask


@pytest.mark.parametrize("mode", [Mode.ASK, Mode.EDIT, Mode.AUTO])
@pytest.mark.parametrize(
    "command",
    [
        "rm -rf /",
        "rm -r -f /",
        "rm -fr ~/",
        "sudo rm --recursive $HOME",
        "rm  -Rf .",
        "rm -rf src .git",
        "cd /tmp && rm -rf ./*",
        "rm -rf /*",
        "git \\\npush \\\n --force",
        "git push --force",
        "git push origin main -f",
        "git -C . push --force-with-lease",
        "git push origin +main",
        "git push --delete origin main",
        "git reset --hard HEAD~1",
        "git   reset\t--hard",
        "git checkout -- .",
        "git checkout .",
        "git restore .",
        "git clean -fdx",
        "git stash drop",
        "make; git reset --hard; make",
        "mkfs.ext4 /dev/sda",
        "sudo shutdown now",
        "dd if=/dev/zero of=/dev/sda",
    ],
)
def test_what_destroys_is_refused_in_every_mode(mode: Mode, command: str):
    assert shell(command, mode) is Deny


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf build",
        "rm -rf ./build",
        "rm a.py",
        "rm -f .gitignore",
        "rm -rf .git-old",
        "git push",
        "git push\nrm -f x",
        "git checkout main\nls .",
        "git push origin fix-f",
        "git reset HEAD a.py",
        "git checkout main",
        "git restore a.py",
        "git stash",
        "git clean -n",
        "echo shutdown",
        "grep -rf patterns .",
        "npm run halt",
        "dd if=a of=b",
    ],
)
def test_everyday_commands_are_not_refused(command: str):
    assert shell(command, Mode.AUTO) is Allow


@given(command=st.text(max_size=30), mode=st.sampled_from(Mode))
def test_only_a_plain_command_is_ever_free(command: str, mode: Mode):
    free = shell(command, mode) is Allow
    assert (
        not free
        or mode is Mode.AUTO
        or (mode is Mode.EDIT and not set(command) & set(";|&$`<>(){}*?~'\"\\\n\r\t!#"))
    )


@given(mode=st.sampled_from([Mode.PLAN, Mode.ASK]), tool=st.text(), effect=st.sampled_from(Effect))
def test_plan_and_ask_let_nothing_but_reading_through(mode: Mode, tool: str, effect: Effect):
    allowed = verdict(mode, tool, effect, name="x", command="ls") is Allow
    assert allowed == (effect is Effect.READ)


def test_the_reason_is_for_the_model_and_for_people():
    refused = decide(Mode.PLAN, "write_file", Effect.WRITE, {}, RULES)
    assert refused == Deny("plan mode only reads; describe the change instead of making it")


@pytest.mark.parametrize(
    "text", ["[[denied]]\npattern = '('\nreason = ''\n", "nonsense", "[edit]\nfree = 1\n", "\udcff"]
)
def test_unusable_rules_name_their_file(tmp_path: Path, text: str):
    path = tmp_path / "permissions.toml"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(UsageError, match=r"permissions\.toml: cannot be used"):
        load_rules(path)


def test_long_commands_are_judged_quickly():
    for piece in ("git push ", "rm -rf ", "rm - ", "git checkout a ", "dd ", "- "):
        assert shell(piece * 20_000, Mode.AUTO) is Allow


@pytest.mark.parametrize(
    ("scope", "web_was_read", "verdicts"),
    [
        ("session", True, [Deny, Allow, Allow, Allow]),
        ("project", False, [Deny, Ask, Allow, Allow]),
        ("project", True, [Deny, Ask, Ask, Ask]),
        ("user", False, [Deny, Ask, Ask, Ask]),
    ],
)
def test_notes_that_may_carry_a_strangers_words_or_reach_other_projects_are_asked(
    scope, web_was_read, verdicts
):
    assert [type(decide_note(mode, scope, web_was_read=web_was_read)) for mode in Mode] == verdicts
