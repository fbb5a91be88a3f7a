"""`codeflow setup`: the dialog at a terminal, the answers of a script, and the file that comes of it."""

import tomllib
from pathlib import Path

import pytest
from tests.e2e.terminal import Terminal

from codeflow.models.endpoint import environment

AWS_CONFIG = """\
[default]
region = us-west-2
[profile dev]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Dev
region = eu-central-1
[sso-session corp]
sso_region = us-east-1
sso_start_url = https://example.invalid/start
"""
AWS_KEYS = "[keys]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = unused\n"
MINE = '# mine\n[run]\nmax_cost = "1.00"    # a cap\n'
OK = {"agent": "setup", "say": "OK"}
ABSENT = {
    **OK,
    "faults": [{"error": "ValidationException", "message": "The provided model identifier is invalid."}],
}


@pytest.fixture
def user(shell):
    """Somebody with an AWS configuration, settings, and nothing in the environment."""
    home = Path(shell.env["HOME"])
    (home / ".aws").mkdir()
    (home / ".aws/config").write_text(AWS_CONFIG)
    (home / ".aws/credentials").write_text(AWS_KEYS)
    settings = settings_of(shell)
    settings.parent.mkdir(parents=True)
    settings.write_text(MINE)
    del shell.env["AWS_REGION"]
    return shell


def settings_of(shell) -> Path:
    return Path(shell.env["XDG_CONFIG_HOME"]) / "codeflow/settings.toml"


def led_to(endpoint) -> dict[str, str]:
    """The endpoint's address, and the user's own profiles and regions."""
    kept = ("AWS_ENDPOINT_URL", "AWS_IGNORE", "NO_PROXY", "no_proxy")
    return {name: value for name, value in environment(endpoint.url).items() if name.startswith(kept)}


def terminal(user, endpoint, *arguments: str, **more: str) -> Terminal:
    env = {**user.env, **(led_to(endpoint) if endpoint else {}), **more}
    return Terminal(user.project, env, "setup", *arguments, columns=140)


def test_a_script_gives_the_answers_and_the_rest_of_the_file_stays(user, scripted):
    with scripted([OK] * 6) as endpoint:
        done = user("setup", "--profile", "keys", "--region", "eu-west-1", "--yes", env=led_to(endpoint))
    assert done.code == 0, done.stderr
    assert done.stdout.count(" works") == 6
    written = settings_of(user).read_text()
    assert written == MINE + '\n[models]\nprofile = "keys"\nregion = "eu-west-1"\n'
    assert '+profile = "keys"' in done.stderr
    assert {request.operation for request in endpoint.requests} == {"Converse"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nobody is here to answer"),
        (("--profile", "nope", "--yes"), "There are: default, dev, keys."),
        (("--profile", "keys", "--yes"), "codeflow setup --region us-east-1"),
        (("--region", "us-esat-1", "--yes"), "us-east-1"),
        (("--roster", "curent", "--yes"), "did you mean current?"),
    ],
)
def test_what_cannot_be_used_ends_before_anything_is_written(user, arguments, message):
    done = user("setup", *arguments)
    assert (done.code, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert settings_of(user).read_text() == MINE


@pytest.mark.slow
def test_each_model_that_cannot_be_used_says_what_to_do(user, scripted):
    replies = [OK, OK, OK, ABSENT]
    with scripted([*replies, OK], denied_models=["global.zai.glm-5.3"]) as endpoint:
        done = user("setup", "--profile", "keys", "--region", "eu-west-1", "--check", env=led_to(endpoint))
    assert done.code == 77
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "access not granted" in rows["global.zai.glm-5.3"]
    assert "bedrock/home?region=eu-west-1#/model-catalog" in rows["global.zai.glm-5.3"]
    assert "not in this region" in rows["us.amazon.nova-micro-v1:0"]
    assert "works" in rows["global.anthropic.claude-opus-5-5"]
    assert settings_of(user).read_text() == MINE


def test_without_credentials_the_way_to_them_is_said(user):
    done = user("setup", "--profile", "dev", "--yes")
    assert done.code == 77
    assert "aws sso login --profile dev" in done.stderr
    assert "codeflow setup --check" in done.stderr
    assert tomllib.loads(settings_of(user).read_text())["models"]["profile"] == "dev"


def test_a_roster_of_ones_own_machine_needs_no_aws(user):
    done = user("setup", "--roster", "local", "--yes")
    assert done.code == 1
    assert "127.0.0.1" in done.stdout or "codeflow[local]" in done.stdout
    assert tomllib.loads(settings_of(user).read_text())["run"] == {"max_cost": "1.00", "roster": "local"}


def test_the_dialog_goes_from_roster_to_a_written_file(user, scripted):
    with scripted([OK] * 6) as endpoint, terminal(user, endpoint) as screen:
        screen.wait_for("Roster, or the path of a .toml file [current]:")
        screen.type("curent\r")
        screen.wait_for("did you mean current?")
        screen.type("\r")
        shown = screen.wait_for("Profile [default]:")
        assert "dev                  SSO, eu-central-1" in shown
        screen.type("3\r")
        screen.wait_for("Region of Bedrock [us-east-1]:")
        screen.type("us-west-2\r")
        shown = screen.wait_for("Write this?")
        assert '+region = "us-west-2"' in shown
        assert settings_of(user).read_text() == MINE
        screen.type("y\r")
        assert screen.wait_for_end() == 0
    models = tomllib.loads(settings_of(user).read_text())["models"]
    assert models == {"profile": "keys", "region": "us-west-2"}


def test_a_login_is_offered_and_run(user, tmp_path):
    aws = tmp_path / "bin/aws"
    aws.parent.mkdir()
    aws.write_text('#!/bin/sh\necho "logging in: $*"\nexit 1\n')
    aws.chmod(0o755)
    path = f"{aws.parent}:{user.env['PATH']}"
    with terminal(user, None, "--roster", "current", "--region", "us-east-1", PATH=path) as screen:
        screen.wait_for("Profile [default]:")
        screen.type("dev\r")
        screen.wait_for("Run `aws sso login --profile dev` now?")
        screen.type("y\r")
        shown = screen.wait_for("Write this? [y/N]:")
        assert "logging in: sso login --profile dev" in shown
        assert "version 2 of the AWS CLI" in shown
        screen.type("\r")
        assert screen.wait_for_end() == 77
    assert settings_of(user).read_text() == MINE


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["ctrl-c", "ctrl-d"])
def test_leaving_changes_nothing(user, key):
    with terminal(user, None, TERM="dumb") as screen:
        screen.wait_for("Roster, or the path")
        screen.type("\r")
        screen.wait_for("Profile [default]:")
        screen.type(key)
        assert screen.wait_for_end() == 130
        assert "\x1b" not in screen.received
    assert settings_of(user).read_text() == MINE
