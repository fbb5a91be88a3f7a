"""Which filters git may start outside the sandbox, and how the settings reach it."""

import os
import subprocess
from pathlib import Path

import pytest

from codeflow.core import inert_git


def answered(**drivers: dict[str, str]) -> bytes:
    return "".join(
        f"filter.{name}.{use}\n{program}\0" for name, uses in drivers.items() for use, program in uses.items()
    ).encode()


LFS = {
    "clean": "git-lfs clean -- %f",
    "smudge": "git-lfs smudge --skip -- %f",
    "process": "git-lfs filter-process",
}


def test_filters_that_only_look_at_gits_own_folder_stay_on():
    assert inert_git.filters_off(answered(lfs=LFS, crypt={"clean": '"git-crypt" clean'})) == {}


@pytest.mark.parametrize(
    "program",
    [
        "./tools/clean.sh",
        '"/usr/bin/python3" -m nbstripout',
        "git-lfs clean; ./evil",
        "git-lfs clean $(./evil)",
        "git-lfs clean `./evil`",
        "git-lfs clean\n./evil",
        "git-lfs clean > x",
        "./git-lfs clean",
        ".venv/bin/git-lfs clean",
        "git-lfs 'clean",
        "sh -c git-lfs",
    ],
)
def test_all_others_are_off_with_every_use(program: str):
    off = inert_git.filters_off(answered(lfs=LFS | {"smudge": program}))
    assert off == dict.fromkeys(("filter.lfs.clean", "filter.lfs.smudge", "filter.lfs.process"), "") | {
        "filter.lfs.required": "false"
    }


def test_the_last_of_several_values_counts():
    kept, off = answered(lfs={"clean": "git-lfs clean"}), answered(lfs={"clean": "./evil"})
    assert inert_git.filters_off(off + kept) == {}
    assert "filter.lfs.clean" in inert_git.filters_off(kept + off)


def test_settings_join_those_that_the_environment_gives_already(tmp_path: Path):
    env = os.environ | {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "Ada"}
    env |= inert_git.variables({"filter.a=b.clean": "", "user.email": "a@b"}, tmp_path, env)
    asked = ["git", "config", "--get-regexp", "^(user|filter)"]
    said = subprocess.run(asked, cwd=tmp_path, env=env, capture_output=True, text=True, check=True).stdout
    assert {"user.name Ada", "user.email a@b", "filter.a=b.clean "} <= set(said.splitlines())


def test_programs_of_the_folder_are_not_found(tmp_path: Path):
    env = {"PATH": f"{tmp_path}/bin{os.pathsep}/usr/bin"}
    assert inert_git.variables({}, tmp_path, env)["PATH"] == "/usr/bin"
