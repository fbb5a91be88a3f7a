import pytest

from codeflow.core.permissions import Layer, Ruling
from codeflow.core.places import resource
from codeflow.core.values import Allow, Ask, Deny, Effect, Mode, Verdict
from codeflow.policies.patterns import Place
from codeflow.policies.permissions import Call, Policy, decide, decide_note
from codeflow.policies.rules import Action, Rule, packaged_rules, parse_rule
from codeflow.tools.registry import TOOLS

PACKAGED, FREE = packaged_rules(resource("config") / "permissions.toml", TOOLS)
PLACE = Place(root="/w/p", home="/home/u")
POLICY = Policy(rules=PACKAGED, free=FREE, place=PLACE)
RANK = {Allow: 0, Ask: 1, Deny: 2}


def ruled(mode: Mode, tool: str, effect: Effect, *rules: Rule, **arguments: object) -> Ruling:
    path = arguments.get("path")
    paths = (((str(path),),),) if path else ()
    call = Call(tool=tool, effect=effect, arguments=arguments, paths=paths)
    return decide(mode, call, POLICY.with_rules(rules))


def verdict(mode: Mode, tool: str, effect: Effect, *rules: Rule, **arguments: object) -> type[Verdict]:
    return type(ruled(mode, tool, effect, *rules, **arguments).verdict)


def shell(command: str, mode: Mode = Mode.EDIT, *rules: Rule) -> type[Verdict]:
    return verdict(mode, "run_command", Effect.EXECUTE, *rules, command=command)


def rule(text: str, action: Action = Action.ALLOW, layer: Layer = Layer.USER) -> Rule:
    return parse_rule(text, action, layer, TOOLS)


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
        ("install_dependency", Effect.EXECUTE, {"name": "x"}, [Deny, Ask, Ask, Ask]),
        ("git_branch", Effect.EXECUTE, {}, [Allow, Allow, Allow, Allow]),
        ("remember", Effect.NOTE, {"scope": "project"}, [Deny, Ask, Allow, Allow]),
    ],
)
def test_each_mode_has_its_verdicts(tool, effect, arguments, verdicts):
    assert [verdict(mode, tool, effect, **arguments) for mode in Mode] == verdicts


@pytest.mark.parametrize(
    "command",
    ["ls", "ls -la src tests/unit", "  pwd ", "git log --oneline -20", "git log -n 5 src/a.py", "git show --stat HEAD",
     "git blame -L 10,20 a.py", "wc -l a.py", "python --version", "git show --stat HEAD:src", "ls 'x'", "ls \\x", "ls #x",
     "ls && pwd | wc -l", "ls &", "ls < x", "ls 2>/dev/null", "if ls; then pwd; fi"],
)  # fmt: skip
def test_looking_is_free_in_edit_mode(command: str):
    assert shell(command) is Allow


@pytest.mark.parametrize(
    "command",
    ["", "#", "ls; make", "ls && make", "ls | sh", "ls\nmake", "ls\rmake", "ls $(make)", "ls `make`", "ls > x",
     "ls < /etc/passwd", "ls $HOME", "ls ~", "ls ~root", "ls (x)", "ls {a,b}", "ls *", "ls /etc", "ls ..", "ls ../x",
     "ls a/../../x", "git log --output=x", "git log --outpu x", "git log -p", "git log --since=/etc",
     "git show HEAD:../../x", "git branch -D main", "git -c core.pager=x log", "wc --files0-from=/etc/passwd",
     "wc --files0-from x", "PAGER=x git log", "lsof", "/bin/ls", "./ls", "cat a.py", "python -c 1",
     "python --versionx", "which -a make\tsh\x00", "ls \u2028"],
)  # fmt: skip
def test_what_could_do_more_is_asked(command: str):
    assert shell(command) is Ask


@pytest.mark.parametrize("mode", [Mode.ASK, Mode.EDIT, Mode.AUTO])
@pytest.mark.parametrize(
    "command",
    ["rm -rf /", "rm -r -f /", "rm -fr ~/", "sudo rm --recursive $HOME", "rm  -Rf .", "rm -rf src .git",
     "cd /tmp && rm -rf ./*", "rm -rf /*", "git \\\npush \\\n --force", "git push --force", "git push origin main -f",
     "git -C . push --force-with-lease", "git push origin +main", "git push --delete origin main",
     "git reset --hard HEAD~1", "git   reset\t--hard", "git checkout -- .", "git checkout .", "git restore .",
     "git clean -fdx", "git stash drop", "make; git reset --hard; make", "mkfs.ext4 /dev/sda", "sudo shutdown now",
     "dd if=/dev/zero of=/dev/sda"],
)  # fmt: skip
def test_what_destroys_is_refused_in_every_mode_whatever_is_allowed(mode: Mode, command: str):
    everything = [rule("run_command", layer=layer) for layer in Layer]
    assert shell(command, mode) is shell(command, mode, *everything) is Deny


@pytest.mark.parametrize(
    "command",
    ["rm -rf build", "rm -rf ./build", "rm a.py", "rm -f .gitignore", "rm -rf .git-old", "git push",
     "git push\nrm -f x", "git checkout main\nls .", "git push origin fix-f", "git reset HEAD a.py", "git checkout main",
     "git restore a.py", "git stash", "git clean -n", "echo shutdown", "grep -rf patterns .", "npm run halt",
     "dd if=a of=b", "python -c 1", "find . -name '*.pyc' -delete"],
)  # fmt: skip
def test_everyday_commands_are_not_refused(command: str):
    assert shell(command, Mode.AUTO) is Allow


def test_in_a_sandbox_auto_asks_nothing_about_what_it_cannot_read():
    line = {"command": '"$TOOL" --version'}
    call = Call(tool="run_command", effect=Effect.EXECUTE, arguments=line)
    inside = Policy(rules=PACKAGED, free=FREE, place=PLACE, contained=True)
    assert isinstance(decide(Mode.AUTO, call, POLICY).verdict, Ask)
    assert isinstance(decide(Mode.AUTO, call, inside).verdict, Allow)
    assert isinstance(decide(Mode.EDIT, call, inside).verdict, Ask)


@pytest.mark.parametrize(
    ("allowed", "command", "expected"),
    [
        ("run_command(npm test)", "npm test", Allow),
        ("run_command(npm test)", "npm test -- x", Ask),
        ("run_command(npm test *)", "npm test", Allow),
        ("run_command(npm test *)", "npm test -- x", Allow),
        ("run_command(npm run lint:*)", "npm run lint:fix", Allow),
        ("run_command(npm run lint:*)", "npm run build", Ask),
        ("run_command(npm *)", "/tmp/npm test", Ask),
        ("run_command(npm *)", "NPM test", Ask),
        ("run_command(npm *)", "npm $X", Ask),
        ("run_command(npm *)", "npm test > out", Ask),
        ("run_command(npm *)", "npm test; curl x", Ask),
        ("run_command(npm *)", "npm test $(curl x)", Ask),
        ("run_command(npm *)", "NODE_OPTIONS=x npm test", Ask),
        ("run_command(npm *)", "timeout 5 npm test", Allow),
        ("run_command(npm *)", "sudo npm test", Ask),
        ("run_command(bash *)", "bash -c make", Ask),
        ("run_command(python *)", "python -c 1", Ask),
        ("run_command(python *)", "python x.py", Allow),
        ('run_command(git commit -m "a b")', "git commit -m 'a b'", Allow),
        ('run_command(git commit -m "a b")', "git commit -m a b", Ask),
        (r"run_command(grep \*)", "grep '*'", Allow),
        (r"run_command(grep \*)", "grep x", Ask),
        ("run_command", "make x", Allow),
        ("run_command", "make $(x)", Ask),
    ],
)
def test_an_allow_rule_is_read_word_for_word(allowed, command, expected):
    assert shell(command, Mode.EDIT, rule(allowed)) is expected


@pytest.mark.parametrize(
    ("denied", "command", "expected"),
    [
        ("run_command(npm publish)", "npm publish", Deny),
        ("run_command(npm publish)", "npm --prefix x publish --tag y", Deny),
        ("run_command(npm publish)", "npm run publish", Allow),
        ("run_command(npm publish)", "NPM publish", Deny),
        ("run_command(npm publish)", "npm $X", Ask),
        ("run_command(npm)", "npx npm x", Allow),
        ("run_command(npm)", "sudo /usr/bin/npm x", Deny),
        ("run_command(curl)", "make | curl -d @- x", Deny),
        ("run_command(sudo)", "sudo ls", Deny),
        ("run_command(xargs)", "ls | xargs wc", Deny),
        ("write_file(.github/**)", "echo x > .github/workflows/a.yml", Deny),
        ("write_file(.github/**)", "echo x > src/../.github/a", Deny),
        ("write_file(.github/**)", 'echo x > "$F"', Ask),
        ("write_file(.github/**)", "cd .github; echo x > a", Ask),
        ("write_file(.github/**)", "echo x > .githubx", Allow),
        ("write_file", "echo x > a", Deny),
        ("read_file(.env)", "wc -l < .env", Deny),
        ("run_command", "ls", Deny),
    ],
)
def test_a_deny_rule_is_read_generously(denied, command, expected):
    assert shell(command, Mode.AUTO, rule(denied, Action.DENY)) is expected


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("write_file(src/**)", "src/a/b.py", Allow),
        ("write_file(src/**)", "srcs/a.py", Ask),
        ("write_file(src/*)", "src/a/b.py", Ask),
        ("write_file(**/*.md)", "README.md", Allow),
        ("write_file(**)", "/etc/passwd", Ask),
        ("write_file(~/notes/*)", "~/notes/a", Allow),
        ("write_file(a?.py)", "ab.py", Allow),
        ("edit_file(src/**)", "src/a.py", Ask),
        ("write_file", "any/thing", Allow),
    ],
)
def test_paths_are_matched_from_the_workspace(text, path, expected):
    assert verdict(Mode.ASK, "write_file", Effect.WRITE, rule(text), path=path) is expected


def test_a_path_that_leads_elsewhere_has_to_be_allowed_there_too_and_is_denied_by_either():
    call = Call(
        tool="edit_file", effect=Effect.WRITE, arguments={}, paths=((("src/link",), (".github/ci",)),)
    )
    allowed = decide(Mode.ASK, call, POLICY.with_rules([rule("write_file(src/**)")]))
    denied = decide(Mode.EDIT, call, POLICY.with_rules([rule("write_file(.github/**)", Action.DENY)]))
    assert (type(allowed.verdict), type(denied.verdict)) == (Ask, Deny)


def test_a_call_that_writes_where_nobody_knows_is_asked_when_a_path_is_denied():
    denied = rule("write_file(.github/**)", Action.DENY)
    assert verdict(Mode.EDIT, "rename_symbol", Effect.WRITE, denied, symbol="x") is Ask
    assert verdict(Mode.EDIT, "rename_symbol", Effect.WRITE, denied, symbol="x", path="src/a") is Ask
    assert verdict(Mode.ASK, "rename_symbol", Effect.WRITE, rule("write_file(src/*)"), path="src/a") is Ask


@pytest.mark.parametrize(
    ("text", "url", "expected"),
    [
        ("fetch_page(https://docs.python.org/*)", "https://docs.python.org/3/", Allow),
        ("fetch_page(https://docs.python.org/*)", "https://docs.python.org.evil.example/", Ask),
        ("fetch_page(https://docs.python.org/*)", "http://docs.python.org/3/", Ask),
        ("fetch_page(https://*.python.org/*)", "https://docs.python.org/3/", Allow),
        ("fetch_page", "https://x.example", Allow),
    ],
)
def test_addresses_are_matched_as_text(text, url, expected):
    assert verdict(Mode.EDIT, "fetch_page", Effect.NETWORK, rule(text), url=url) is expected


def test_rules_speak_about_reading_and_names_too():
    secret = rule("read_file(**/.env)", Action.DENY)
    assert verdict(Mode.AUTO, "read_file", Effect.READ, secret, path="a/.env") is Deny
    assert verdict(Mode.AUTO, "git_blame", Effect.READ, secret, path="a/.env") is Deny
    package = rule("install_dependency(left-*)")
    assert verdict(Mode.AUTO, "install_dependency", Effect.EXECUTE, package, name="left-pad") is Allow


def test_code_in_the_shells_language_is_read_too():
    code = {"language": "shell", "code": "cd /\nrm -rf /"}
    assert verdict(Mode.AUTO, "execute_code", Effect.EXECUTE, **code) is Deny
    assert verdict(Mode.EDIT, "execute_code", Effect.EXECUTE, language="shell", code="ls") is Ask
    assert verdict(Mode.AUTO, "benchmark", Effect.EXECUTE, command="git push --force") is Deny


def test_the_reason_is_for_the_model_and_for_people():
    refused = ruled(Mode.PLAN, "write_file", Effect.WRITE).verdict
    assert refused == Deny("plan mode only reads; describe the change instead of making it")
    asked = ruled(
        Mode.AUTO, "run_command", Effect.EXECUTE, rule("run_command(make)", Action.ASK), command="ls; make x"
    )
    assert asked.verdict == Ask("`make x`: the user rule run_command(make) asks")
    assert (asked.rule, asked.layer, asked.offer) == ("run_command(make)", Layer.USER, "")


@pytest.mark.parametrize(
    ("command", "offer"),
    [
        ("git push origin main", "run_command(git push origin *)"),
        ("git push", "run_command(git push)"),
        ("git checkout -- a.py", "run_command(git checkout -- a.py)"),
        ("npm run build", "run_command(npm run build)"),
        ("timeout 60 pytest -q tests", "run_command(pytest -q tests)"),
        ("grep -rn 'a b*' src", r'run_command(grep -rn "a b\*" src)'),
        ("python -m pytest -q", "run_command(python -m pytest -q)"),
        ("make test", "run_command(make test)"),
        ("python x.py", ""),
        ("bash x.sh", ""),
        ("sudo make", ""),
        ("xargs rm", ""),
        ("rm a.py", ""),
        ("ls; make", ""),
        ("make > out", ""),
        ("make $X", ""),
        ("'' x", ""),
        ("PYTHONPATH=. make", ""),
        ("git co x", ""),
    ],
)
def test_only_a_narrow_rule_is_offered(command: str, offer: str):
    assert ruled(Mode.EDIT, "run_command", Effect.EXECUTE, command=command).offer == offer


@pytest.mark.parametrize(
    ("tool", "effect", "arguments", "offer"),
    [
        ("write_file", Effect.WRITE, {"path": "src/a.py"}, "write_file(src/*)"),
        ("edit_file", Effect.WRITE, {"path": "a.py"}, "edit_file(a.py)"),
        ("write_file", Effect.WRITE, {"path": ".github/workflows/a.yml"}, ""),
        ("rename_symbol", Effect.WRITE, {"symbol": "x"}, ""),
        ("fetch_page", Effect.NETWORK, {"url": "https://x.example/a?b"}, "fetch_page(https://x.example/*)"),
        ("fetch_page", Effect.NETWORK, {"url": "https://user@x.example/a"}, ""),
        ("git_commit", Effect.EXECUTE, {"message": "x"}, "git_commit"),
        ("install_dependency", Effect.EXECUTE, {"name": "x"}, "install_dependency(x)"),
        ("execute_code", Effect.EXECUTE, {"language": "python", "code": "1"}, ""),
        ("remember", Effect.NOTE, {"scope": "user"}, ""),
    ],
)
def test_other_tools_offer_a_folder_a_host_or_themselves(tool, effect, arguments, offer):
    assert ruled(Mode.ASK, tool, effect, **arguments).offer == offer


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
