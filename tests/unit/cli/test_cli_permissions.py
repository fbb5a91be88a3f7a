import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.person import Person


def write(folder: Path, text: str, name: str = "permissions.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture
def user(home: dict[str, str]) -> Path:
    return Path(home["XDG_CONFIG_HOME"]) / "codeflow"


def rules(cli) -> list[dict[str, object]]:
    done = cli("permissions", "--output", "json")
    assert done.returncode == 0, done.stderr
    return [row for row in json.loads(done.stdout) if row["layer"] != "packaged"]


def at_terminal(home: dict[str, str], folder: Path, typed: bytes, *argv: str) -> tuple[int, str]:
    with Person(typed) as person:
        done = subprocess.run(
            [sys.executable, "-m", "codeflow", *argv],
            stdin=person.terminal, stderr=person.terminal, stdout=subprocess.PIPE, check=False, cwd=folder, env=home,
            timeout=60,
        )  # fmt: skip
    return done.returncode, person.shown


def test_rules_are_listed_with_their_layers_and_a_project_only_tightens(cli, folder, user):
    write(user, 'allow = ["run_command(make *)"]\nask = ["fetch_page"]\n')
    write(
        folder / ".codeflow",
        'allow = ["run_command(curl *)"]\ndeny = [{ rule = "write_file(db/**)", reason = "generated" }]\n',
    )
    assert [(row["layer"], row["says"], row["rule"], row["counts"]) for row in rules(cli)] == [
        ("user", "allow", "run_command(make *)", True),
        ("user", "ask", "fetch_page", True),
        ("project", "deny", "write_file(db/**)", True),
        ("project", "allow", "run_command(curl *)", False),
    ]
    text = cli("permissions", COLUMNS="200").stdout
    assert "does not count until you trust this folder" in text
    assert "run_command(git push -f|--force*)" in text


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["edit", "auto"])
def test_a_command_that_shows_credentials_is_asked_about_in_every_mode(cli, folder, user, mode):
    (folder / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (folder / "own.pem").write_text("-----BEGIN PRIVATE " + "KEY-----\n")

    def tried(line: str) -> str:
        return str(cli("permissions", "check", "run_command", line, "--mode", mode).stdout)

    asked = "ask, by mode " + mode
    assert f"{asked}: `git show HEAD:.env` would show .env, which is an environment file" in tried(
        "git show HEAD:.env"
    )
    assert "own.pem, which is a private key" in tried("git show HEAD:own.pem && git blame own.pem")
    assert tried("git show HEAD:ca.txt").startswith("allow")
    assert tried("git blame ca.pem").startswith("allow")
    write(user, 'allow = ["run_command(git show HEAD:.env)"]\n')
    assert tried("git show HEAD:.env").startswith("allow, by user rule")
    write(user, 'tools.readable_secrets = [".env"]\n', "settings.toml")
    assert tried("git show HEAD~1:.env").startswith("allow")


@pytest.mark.slow
def test_a_call_can_be_tried(cli, folder, user):
    write(user, 'allow = ["run_command(make *)", "write_file(src/**)"]\n')

    def check(*argv: str) -> str:
        done = cli("permissions", "check", *argv)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    assert check("run_command", "make all").startswith("allow, by user rule run_command(make *)")
    assert check("run_command", "git", "push", "-f").startswith("deny, by packaged rule run_command(git push")
    asked = check("run_command", "git push origin main")
    assert asked.startswith("ask, by mode edit: edit mode asks")
    assert "this would allow it: run_command(git push origin *)" in asked
    assert check("--mode", "plan", "run_command", "make all").startswith("deny, by mode plan")
    assert check("write_file", "src/a.py", "--mode", "ask").startswith(
        "allow, by user rule write_file(src/**)"
    )
    assert check("--mode", "ask", "multi_edit", "src/a", "b").startswith("ask, by mode ask")
    assert check("fetch_page", "https://x.example/").startswith("ask, by mode edit")
    answer = json.loads(check("--output", "json", "run_command", "$X"))
    assert answer == {
        "verdict": "ask", "reason": "$X says only when it runs what it runs", "rule": None, "layer": "mode", "offer": None,
    }  # fmt: skip


def test_a_link_does_not_hide_where_a_write_goes(cli, folder, user):
    write(user, 'deny = ["write_file(ci/**)"]\nallow = ["write_file(build/**)", "run_command(echo *)"]\n')
    (folder / "ci").mkdir()
    (folder / "build").symlink_to(folder / "ci")
    done = cli("permissions", "check", "run_command", "echo x > build/a")
    assert done.stdout.startswith("deny, by user rule write_file(ci/**)")


def test_an_escape_in_a_name_does_not_hide_where_a_write_goes(cli, folder, user):
    write(user, 'deny = ["write_file(ci\xa0x/**)"]\nallow = ["write_file(**)"]\n')
    (folder / "ci\xa0x").mkdir()
    for name in ("ci\xa0x", r"ci\xa0x"):
        done = cli("permissions", "check", "write_file", f"{name}/a")
        assert done.stdout.startswith("deny, by user rule write_file(ci"), name


@pytest.mark.parametrize(
    "argv",
    [("check", "no_such", "x"), ("check", "rename_symbol", "a", "b"), ("check", "read_file", "{"), ("revoke", "1"),
     ("revoke", "edit_file")],
)  # fmt: skip
def test_what_cannot_be_checked_or_revoked_is_one_line(cli, argv):
    done = cli("permissions", *argv)
    assert done.returncode == 2
    assert done.stderr.startswith("codeflow: ")


@pytest.mark.slow
@pytest.mark.parametrize("place", ["user", "project"])
def test_a_file_with_a_wrong_rule_stops_before_anything_is_done(cli, folder, user, place):
    path = write(user if place == "user" else folder / ".codeflow", 'deny = ["no_such(x)"]\n')
    for command in (("permissions",), ("run", "hello"), ("tools", "run", "git_status")):
        done = cli(*command)
        assert done.returncode == 2
        assert f"{path}: deny: no_such(x): there is no tool no_such" in done.stderr


def test_a_wrong_flag_stops_too(cli):
    done = cli("run", "hello", "--allow", "no_such")
    assert done.returncode == 2
    assert "--allow no_such: there is no tool no_such" in done.stderr


@pytest.mark.slow
def test_an_answer_for_good_is_remembered_shown_and_taken_back(cli, home, folder):
    command = ("tools", "run", "run_command", "--json", '{"command": "touch made"}')
    code, shown = at_terminal(home, folder, b"a\n", *command)
    assert (code, "allow: run_command(touch made)" in shown) == (0, True)
    assert cli(*command).returncode == 0
    assert [(row["number"], row["layer"], row["rule"]) for row in rules(cli)] == [
        (1, "remembered", "run_command(touch made)")
    ]
    assert "is asked about again" in cli("permissions", "revoke", "1").stdout
    assert rules(cli) == []
    assert cli(*command).returncode == 1


@pytest.mark.slow
def test_trust_shows_what_it_switches_on_and_leaves_the_users_file_alone(cli, home, folder, user):
    settings = write(user, "# mine\n[run]\nmax_turns = 7 # few\n", "settings.toml")
    write(folder / ".codeflow", 'allow = ["run_command(make *)"]\n')
    write(folder / ".codeflow", '[gates]\ntests = "make test"\n', "settings.toml")
    write(folder / ".codeflow/agents", "---\nname: odd\nmodel: arn:x\n---\nHi.\n", "odd.md")
    server = write(folder / ".venv/bin", "#!/bin/sh\n", "ty")
    server.chmod(0o755)
    assert cli("permissions").returncode == 2

    refused = cli("trust")
    assert refused.returncode == 2
    for line in (
        "setting gates.tests = 'make test'",
        "allow rule run_command(make *)",
        "agent odd of .codeflow/agents with model arn:x",
        f"language server ty for python ({server})",
    ):
        assert line in refused.stderr
    assert cli("trust", "list").stdout == "no folder is trusted\n"

    code, _ = at_terminal(home, folder, b"n\n", "trust")
    assert code == 130
    code, shown = at_terminal(home, folder, b"y\n", "trust")
    assert (code, "Trust it?" in shown) == (0, True)
    assert settings.read_text() == "# mine\n[run]\nmax_turns = 7 # few\n"
    assert [(row["layer"], row["counts"]) for row in rules(cli)] == [("project", True)]
    (listed,) = json.loads(cli("trust", "list", "--output", "json").stdout)
    assert listed["folder"] == str(folder)
    assert "is trusted already" in cli("trust").stdout

    assert "no longer trusted" in cli("trust", "--revoke").stdout
    assert cli("permissions").returncode == 2
    assert cli("trust", "--revoke").returncode == 2


def test_folders_of_the_users_own_settings_count_as_before_and_are_theirs_to_remove(cli, folder, user):
    write(user, f'trusted_folders = ["{folder}"]\n', "settings.toml")
    write(folder / ".codeflow", 'allow = ["run_command(make *)"]\n')
    assert [row["counts"] for row in rules(cli)] == [True]
    assert "is trusted already" in cli("trust", "--yes").stdout
    done = cli("trust", "--revoke")
    assert done.returncode == 2
    assert "settings.toml" in done.stderr


def test_trust_does_not_reach_into_folders_below(cli, folder):
    below = folder / "below"
    write(below / ".codeflow", 'allow = ["run_command(make *)"]\n')
    assert cli("trust", "--yes").returncode == 0
    done = cli("permissions", "--workspace", "below", "--output", "json")
    assert [row["counts"] for row in json.loads(done.stdout) if row["layer"] == "project"] == [False]
