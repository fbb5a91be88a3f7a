"""The first run on a machine where something is missing: each ends in advice that works."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def bare(shell, tmp_path):
    """A folder without git and a PATH without programs."""
    (tmp_path / "plain").mkdir()
    (tmp_path / "bin").mkdir()
    shell.env["PATH"] = str(tmp_path / "bin")
    return shell.at(tmp_path / "plain")


def doctors_lines(shell, **env: str) -> tuple[int, dict[str, dict[str, str]]]:
    done = shell("doctor", "--output", "json", env=env)
    assert done.stderr == ""
    return done.code, {line["name"]: line for line in json.loads(done.stdout)}


def test_a_bare_machine_is_told_what_to_install_and_to_set_up(bare):
    code, lines = doctors_lines(bare)
    assert code == 77
    assert "`apt install git`" in lines["git"]["cure"] or "`brew install git`" in lines["git"]["cure"]
    assert "git init" not in lines["checkpoints"]["cure"]
    assert "`codeflow setup`" in lines["credentials"]["cure"]
    assert "`codeflow demo`" in lines["credentials"]["cure"]
    assert "endpoint" not in lines


def test_a_run_on_a_bare_machine_ends_with_the_next_step(bare):
    done = bare("run", "say hello")
    assert done.code == 77
    assert "git is not installed" in done.stderr
    assert "Run `codeflow setup`" in done.stderr


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"AWS_REGION": ""}, "export AWS_REGION=us-east-1"),
        ({"AWS_PROFILE": "nope"}, "`codeflow setup` lists the profiles"),
    ],
)
def test_what_aws_misses_is_named(shell, env, message):
    done = shell("run", "say hello", "--output", "json", env=env)
    assert done.code == 77
    assert message in done.result["error"]["hint"]


def test_an_aws_configuration_that_is_none_is_named_before_any_question(shell):
    folder = Path(shell.env["HOME"]) / ".aws"
    folder.mkdir()
    (folder / "config").write_text("[default\n")
    done = shell("setup", "--check")
    assert done.code == 2
    assert str(folder / "config") in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_a_user_without_a_home_is_told_to_set_one():
    script = (
        "import os; from codeflow.core.places import config_home; from codeflow.core.errors import UsageError\n"
        "os.setuid(54_321)\ntry: config_home({})\nexcept UsageError as error: print(error.hint)"
    )
    env = {name: value for name, value in os.environ.items() if name != "HOME"}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert "export HOME=" in done.stdout
