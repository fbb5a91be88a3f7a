"""Attacks on codeflow itself where it stands in the folder that is worked in, and on what it obeys there later."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from tests.attacks.test_attacks_commands import sandbox_of
from tests.attacks.world import World, make

import codeflow
from codeflow.app.opening import open_workspace
from codeflow.core.settings import load_settings
from codeflow.core.values import Mode
from codeflow.tools.sandbox.choosing import choose

pytestmark = pytest.mark.slow

PACKAGE = Path(codeflow.__path__[0])


@pytest.fixture
def installed(tmp_path: Path) -> World:
    """Its environment has codeflow in it, as `pip install .` leaves that; what codeflow needs comes from this one's."""
    world = make(tmp_path)
    venv = world.workspace / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    packages = venv / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    shutil.copytree(PACKAGE, packages / "codeflow", ignore=shutil.ignore_patterns("__pycache__"))
    for data in ("config", "prompts"):
        if not (PACKAGE / "_data" / data).exists():
            shutil.copytree(PACKAGE.parents[1] / data, packages / "codeflow/_data" / data)
    (packages / "codeflow-0.1.0.dist-info").mkdir()
    (packages / "needed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return world


def told(world: World, *arguments: str, backend: str = "bubblewrap") -> str:
    (world.home / ".config/codeflow/settings.toml").write_text(f'[sandbox]\nbackend = "{backend}"\n')
    done = subprocess.run(
        [str(world.workspace / ".venv/bin/python"), "-I", "-m", "codeflow", *arguments],
        cwd=world.workspace, env=world.env, check=False, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout + done.stderr


def command(world: World, line: str, backend: str) -> str:
    call = json.dumps({"command": line})
    return told(world, "tools", "run", "run_command", "--mode", "auto", "--json", call, backend=backend)


@pytest.mark.parametrize("backend", ["bubblewrap", "docker"])
def test_codeflows_own_code_is_read_only_and_that_is_said(installed, backend):
    sandbox_of(installed, backend=backend)
    mark = installed.outside / "ran"
    (guard,) = (installed.workspace / ".venv").rglob("codeflow/tools/guard.py")
    evil = f'printf \'\\nopen("{mark}", "w")\\n\' >> {guard}; mv .venv away; echo 1 > made.txt; false'
    answer = command(installed, evil, backend)
    assert "which is therefore read-only for commands" in answer
    assert "Read-only file system" in answer
    command(installed, "echo 2", backend)
    assert not mark.exists()
    assert (installed.workspace / "made.txt").exists()


def test_where_it_cannot_be_made_read_only_nothing_runs_unasked(installed):
    sandbox_of(installed, backend="landlock")
    answer = command(installed, "echo 1 > made.txt", "landlock")
    assert "cannot make" in answer
    assert "install codeflow elsewhere" in answer
    assert not (installed.workspace / "made.txt").exists()


def test_doctor_says_it(installed):
    sandbox_of(installed, backend="bubblewrap")
    assert "codeflow runs from" in " ".join(told(installed, "doctor", "--output", "json").split())


@pytest.mark.parametrize("folder", [PACKAGE.parent, PACKAGE.parents[1]])
def test_a_source_that_is_worked_on_is_named(tmp_path, folder):
    env = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    settings = load_settings(tmp_path, env=env)
    if missing := choose(settings.sandbox, folder, env).missing:
        pytest.skip(f"no sandbox on this machine: {missing}")
    _, notes = open_workspace(settings, folder, env, Mode.EDIT, home=folder)
    assert sum(f"the source in {PACKAGE.resolve()}, which commands may change" in note for note in notes) == 1
