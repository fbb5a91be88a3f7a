import os
import sys
from pathlib import Path

import pytest

from codeflow.tools.environment import reading_environment, scrubbed_environment


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ACCESS_KEY_ID",
        "AWS_BEARER_TOKEN_BEDROCK",
        "AWS_PROFILE",
        "OPENAI_API_KEY",
        "GITHUB_TOKEN",
        "GH_PAT",
        "npm_config__auth",
        "PGPASSWORD",
        "MYSQL_PWD",
        "DB_PASS",
        "CLIENT_SECRET_V2",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "SSH_AUTH_SOCK",
        "CODEFLOW_RUN__MODE",
        "PYTHONPATH",
        "PYTHONHOME",
        "GIT_DIR",
        "GIT_ASKPASS",
        "GIT_CONFIG_COUNT",
    ],
)
def test_credentials_and_codeflows_own_variables_are_left_out(tmp_path: Path, name: str):
    assert name not in scrubbed_environment({name: "value"}, tmp_path)


@pytest.mark.parametrize("value", ["postgres://ada:pw@host/db", "-----BEGIN PRIVATE KEY-----\nx"])
def test_values_that_hold_a_secret_are_left_out(tmp_path: Path, value: str):
    assert "SOMETHING" not in scrubbed_environment({"SOMETHING": value}, tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "HOME",
            "LANG",
            "LC_ALL",
            "JAVA_HOME",
            "PWD",
            "OLDPWD",
            "GOPATH",
            "GIT_AUTHOR_NAME",
            "TMPDIR",
            "CI",
            "NODE_ENV",
        ),
        *(
            "CARGO_HOME",
            "https_proxy",
            "NO_PROXY",
            "NVM_DIR",
            "PYENV_ROOT",
            "CFLAGS",
            "PIP_INDEX_URL",
            "NPM_CONFIG_REGISTRY",
        ),
    ],
)
def test_what_builds_need_is_kept(tmp_path: Path, name: str):
    assert scrubbed_environment({name: "http://host/x"}, tmp_path)[name] == "http://host/x"


def test_what_nobody_named_is_left_out(tmp_path: Path):
    env = {"MYAPP_HOST": "x", "MONKEY": "x", "https_proxy": "http://ada:pw@proxy:1", "NPM_CONFIG__AUTH": "x"}
    assert not env.keys() & scrubbed_environment(env, tmp_path).keys()


@pytest.mark.parametrize("name", ["MONKEY", "AUTHOR", "PASSENGER", "KEYBOARD"])
def test_a_glob_passes_what_is_no_credential(tmp_path: Path, name: str):
    env = {name: "x", "A_TOKEN": "secret", "CODEFLOW_RUN__MODE": "auto", "GIT_DIR": "/x", "DB": "a://u:pw@h"}
    assert scrubbed_environment(env, tmp_path, ["*"]).keys() & env.keys() == {name}


def test_a_credential_is_passed_by_its_exact_name_only(tmp_path: Path):
    env = {"A_TOKEN": "secret", "B_TOKEN": "secret", "PYTHONPATH": "x"}
    passed = scrubbed_environment(env, tmp_path, ["A_TOKEN", "B_*", "PYTHONPATH"])
    assert passed.keys() & env.keys() == {"A_TOKEN"}


def test_the_aws_tools_find_no_credential_files(tmp_path: Path):
    scrubbed = scrubbed_environment({"AWS_SHARED_CREDENTIALS_FILE": "/secret"}, tmp_path)
    assert scrubbed["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull


def test_codeflows_own_venv_gives_way_to_the_projects(tmp_path: Path):
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    env = {"PATH": f"{sys.prefix}/bin:/usr/bin", "VIRTUAL_ENV": sys.prefix}
    scrubbed = scrubbed_environment(env, tmp_path)
    assert scrubbed["VIRTUAL_ENV"] == str(tmp_path / ".venv")
    assert scrubbed["PATH"] == f"{tmp_path}/.venv/bin:/usr/bin"


def test_another_active_venv_is_the_projects(tmp_path: Path):
    env = {"PATH": "/venvs/web/bin:/usr/bin", "VIRTUAL_ENV": "/venvs/web"}
    scrubbed = scrubbed_environment(env, tmp_path)
    assert (scrubbed["VIRTUAL_ENV"], scrubbed["PATH"]) == ("/venvs/web", env["PATH"])


def test_scrubbing_twice_changes_nothing(tmp_path: Path):
    once = scrubbed_environment({"PATH": "/usr/bin", "HOME": "/h"}, tmp_path)
    assert scrubbed_environment(once, tmp_path) == once


def test_programs_that_only_read_do_not_come_from_the_project(tmp_path: Path):
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()
    env = {"PATH": f"/usr/bin:.::bin:{tmp_path}/node_modules/.bin"}
    assert reading_environment(env, tmp_path)["PATH"] == "/usr/bin"
