"""Attacks on codeflow itself where it stands in the folder that is worked in, and on what it obeys there later."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from tests.attacks.test_attacks_commands import run, sandbox_of
from tests.attacks.world import World, make

import codeflow
from codeflow.app.opening import open_workspace
from codeflow.core.settings import load_settings
from codeflow.core.trust import TrustedFolders
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


@pytest.mark.parametrize("entry", ["", "lib", "{work}", "{outside}"])
def test_doctor_says_that_python_imports_from_where_commands_write(tmp_path, entry):
    world = make(tmp_path)
    sandbox_of(world)
    (world.home / ".config/codeflow/settings.toml").write_text("")
    entry = entry.format(work=world.workspace, outside=world.outside / "shared")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "codeflow", "doctor", "--output", "json"],
        env={**world.env, "PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), entry])},
        cwd=world.workspace, check=False, capture_output=True, text=True,
    )  # fmt: skip
    said = f"PYTHONPATH names {world.workspace}" in done.stdout
    assert "bubblewrap" in done.stdout, done.stderr
    assert said == (not entry.endswith("shared")), done.stdout


@pytest.mark.parametrize("folder", [PACKAGE.parent, PACKAGE.parents[1]])
def test_a_source_that_is_worked_on_is_named(tmp_path, folder):
    env = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    settings = load_settings(tmp_path, env=env)
    if missing := choose(settings.sandbox, folder, env).missing:
        pytest.skip(f"no sandbox on this machine: {missing}")
    _, notes = open_workspace(settings, folder, env, Mode.EDIT, home=folder)
    assert sum(f"the source in {PACKAGE.resolve()}, which commands may change" in note for note in notes) == 1


NAMED = {
    "the top of the repository": '"$(git rev-parse --show-toplevel)"/tools/clean.sh %f',
    "a variable": "root=$(git rev-parse --show-toplevel); $root/tools/clean.sh %f",
    "another shell": "sh -c 'tools/clean.sh %f'",
    "another folder": "cd tools && ./clean.sh",
    "a computed folder": 'cd "$(dirname tools/x)"; exec ./clean.sh',
}


def filtered(world: World, clean: str, script: str) -> Path:
    """The mark of a filter's script that a command has changed; with what was said of it in `said`."""
    top = world.workspace
    (top / ".gitattributes").write_text("*.nb filter=nb\n")
    (top / "a.nb").write_text("1\n")
    (top / "tools").mkdir(exist_ok=True)
    git(top, "config", "filter.nb.clean", clean)
    mark = world.outside / "ran"
    line = f"printf '#!/bin/sh\ntouch {mark}\ncat\n' > {script}; chmod +x {script}; echo 2 > a.nb"
    run(world, sandbox_of(world), line)
    git(top, "add", "a.nb")
    return mark


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=False, capture_output=True)


def script(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\ncat\n")
    path.chmod(0o755)


@pytest.mark.parametrize("clean", NAMED.values(), ids=NAMED)
def test_a_script_is_found_however_the_configuration_names_it(tmp_path, clean):
    world = make(tmp_path)
    script(world.workspace / "tools/clean.sh")
    git(world.workspace, "add", "-A")
    git(world.workspace, "commit", "-qm", "begin")
    assert not filtered(world, clean, "tools/clean.sh").exists()
    assert (world.workspace / "a.nb").read_text() == "2\n"


@pytest.mark.parametrize("changed", ["tools/clean.sh", "tools/second.sh", "tools/last.sh"])
def test_a_script_is_kept_behind_links(tmp_path, changed):
    world = make(tmp_path)
    script(world.workspace / "tools/last.sh")
    (world.workspace / "tools/second.sh").symlink_to("last.sh")
    (world.workspace / "tools/clean.sh").symlink_to("second.sh")
    assert not filtered(world, "tools/clean.sh", f"new; mv new {changed}; cat < /dev/null > new").exists()
    assert not filtered(world, "tools/clean.sh", changed).exists()


@pytest.mark.parametrize("clean", ["tools/clean.sh %f", "cd tools && ./clean.sh"])
def test_a_script_that_is_only_on_another_branch_cannot_be_made(tmp_path, clean):
    world = make(tmp_path)
    assert not filtered(world, clean, "tools/clean.sh").exists()


def test_links_in_a_ring_stop_nothing(tmp_path):
    world = make(tmp_path)
    (world.workspace / ".exrc").symlink_to(".vimrc")
    (world.workspace / ".vimrc").symlink_to(".exrc")
    assert "done" in run(world, sandbox_of(world), "echo done").splitlines()


@pytest.mark.parametrize("backend", ["bubblewrap", "landlock", "docker"])
@pytest.mark.parametrize("there", [True, False])
def test_what_codeflow_obeys_in_a_trusted_folder_below_cannot_be_changed(tmp_path, backend, there):
    world = make(tmp_path)
    below = world.workspace / "api"
    below.mkdir()
    settings = below / ".codeflow/settings.toml"
    if there:
        settings.parent.mkdir()
        settings.write_text("# the user's\n")
    TrustedFolders(world.env).add(below)
    line = "mkdir -p api/.codeflow; echo 'sandbox.network = true' > api/.codeflow/settings.toml; echo 1 > api/made.txt"
    run(world, sandbox_of(world, backend=backend), line)
    assert (settings.read_text() == "# the user's\n") if there else not settings.exists()
    assert (below / "made.txt").exists()


PLANTED = (
    "mkdir .git/rebase-merge; cd .git/rebase-merge; git rev-parse HEAD | tee onto orig-head; echo refs/heads/main > head-name; "
    "echo 1 > msgnum; echo 1 > end; : > interactive; echo 'exec touch {mark}' > git-rebase-todo; : > done"
)
CONTINUED = "cp -r .git/rebase-merge .git/other; rm -r .git/rebase-merge; mv .git/other .git/rebase-merge; "


def rebasing(world: World) -> None:
    """A rebase of the user's that waits, with a command of theirs still to run."""
    for name in ("one", "two"):
        (world.workspace / name).write_text(name)
        git(world.workspace, "add", name)
        git(world.workspace, "commit", "-qm", name)
    git(world.workspace, "rebase", "-q", "--root", "-x", "false", "-x", "true")


@pytest.mark.parametrize("backend", ["bubblewrap", "landlock", "docker"])
@pytest.mark.parametrize(
    "line", [PLANTED, f"{CONTINUED} echo 'x touch {{mark}}' >> .git/rebase-merge/git-rebase-todo"]
)
def test_a_rebase_runs_nothing_that_a_command_wrote(tmp_path, line, backend):
    world = make(tmp_path)
    git(world.workspace, "commit", "-qm", "begin", "--allow-empty")
    if line != PLANTED:
        rebasing(world)
    mark = world.outside / "ran"
    output = run(world, sandbox_of(world, backend=backend), line.replace("{mark}", str(mark)))
    git(world.workspace, "rebase", "--continue")
    assert not mark.exists()
    assert f"would run what the command wrote there ('touch {mark}')" in output


def test_a_rebase_runs_no_line_that_only_git_reads_whole(tmp_path):
    world = make(tmp_path)
    git(world.workspace, "commit", "-qm", "begin", "--allow-empty")
    rebasing(world)
    mark = world.outside / "ran"
    run(
        world,
        sandbox_of(world),
        f"printf 'exec true \\r; touch {mark}\\n' > .git/rebase-merge/git-rebase-todo",
    )
    git(world.workspace, "rebase", "--continue")
    assert not mark.exists()


def test_a_rebase_with_checks_that_stops_is_told_how_to_be_given_up(tmp_path):
    world = make(tmp_path)
    for name in ("one", "two", "three"):
        git(world.workspace, "commit", "-qm", name, "--allow-empty")
    me = "git -c user.name=a -c user.email=a@b"
    assert "`git rebase --abort` works" in run(world, sandbox_of(world), f"{me} rebase -x false HEAD~2")
    assert "rebase in progress" not in run(world, sandbox_of(world), f"{me} rebase --abort; git status")


def test_a_rebase_of_a_commands_own_goes_on_in_the_next_one(tmp_path):
    world = make(tmp_path)
    rebasing(world)
    output = run(world, sandbox_of(world), "git -c user.name=a -c user.email=a@b rebase --skip")
    assert "moved away" not in output
    todo = world.workspace / ".git/rebase-merge/git-rebase-todo"
    assert "exec" in todo.read_text()
    git(world.workspace, "rebase", "--abort")
    sandbox = sandbox_of(world)
    told = run(world, sandbox, "GIT_SEQUENCE_EDITOR='sed -i s/^pick/edit/' git rebase -qi HEAD~1")
    assert "moved away" not in told
    assert todo.exists()
