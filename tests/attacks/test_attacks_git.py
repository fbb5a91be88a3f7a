"""A repository whose filters and hooks run what an agent may write: no git that codeflow starts runs it outside the sandbox."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.attacks.test_attacks_commands import run, sandbox_of
from tests.attacks.world import CANARY, World, make

from codeflow.cli.ci.checkout import Checkout
from codeflow.cli.repository import head_commit
from codeflow.core.settings import load_settings
from codeflow.core.values import Worktree
from codeflow.knowledge.project import Project
from codeflow.sessions.checkpoints import Checkpoints
from codeflow.sessions.worktrees.adding import add, survey
from codeflow.sessions.worktrees.ending import drop, standing
from codeflow.sessions.worktrees.records import Worktrees
from codeflow.sessions.worktrees.restoring import restore
from codeflow.tools.registry import TOOLS as ALL_TOOLS
from codeflow.tools.sandbox import stashes
from codeflow.tools.workspace import Workspace

pytestmark = pytest.mark.slow

IDENTITY = ("-c", "user.name=a", "-c", "user.email=a@b")
COMMIT = "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *IDENTITY, *arguments], cwd=folder, check=False, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Its filters are a script that runs another one, as `python -m nbstripout` runs a module."""
    world = make(tmp_path)
    top = world.workspace
    for name, text in (
        ("tools/clean.sh", "#!/bin/sh\n. ./tools/inner.sh\n"),
        ("tools/inner.sh", "cat\n"),
        (".gitattributes", "*.ipynb filter=nb diff=nb\n"),
        ("a.ipynb", "{}\n"),
    ):
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_text(text)
    (top / "tools/clean.sh").chmod(0o755)
    for use in (
        "filter.nb.clean",
        "filter.nb.smudge",
        "diff.nb.textconv",
        "core.fsmonitor",
        "merge.nb.driver",
    ):
        git(top, "config", use, f"{top}/tools/clean.sh")
    git(top, "config", "core.fsmonitor", "false")
    git(top, "config", "core.hooksPath", ".githooks")
    git(top, "config", "user.name", "a")
    git(top, "config", "user.email", "a@b")
    git(top, "add", "-A")
    git(top, "commit", "-qm", "begin")
    git(top, "branch", "other")
    (world.home / ".config/codeflow/settings.toml").write_text("")
    return world


def armed(world: World) -> Path:
    """As a command leaves it: what the filters run makes a mark outside, and every file is to be looked at again."""
    mark = world.outside / "ran"
    (world.workspace / "tools/inner.sh").write_text(f"touch {mark}\ncat\n")
    (world.workspace / ".gitattributes").write_text("* filter=nb diff=nb merge=nb\n")
    hooks = world.workspace / ".githooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "post-checkout", "pre-commit", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (hooks / name).chmod(0o755)
    git(
        world.workspace, "-c", "core.hooksPath=/dev/null", "add", ".gitattributes"
    )  # a blob that the filter makes
    mark.unlink(missing_ok=True)
    (world.workspace / "a.ipynb").write_text("{ }\n")
    for file in (world.workspace / "code.py", world.workspace / "a.ipynb"):
        os.utime(file, (1, 1))
    return mark


TOOLS: dict[str, dict[str, Any]] = {
    "git_status": {},
    "git_diff": {"ref": "HEAD"},
    "git_log": {},
    "git_show": {},
    "git_blame": {"path": "a.ipynb"},
    "git_conflicts": {},
    "git_stash": {"action": "list"},
    "git_branch": {"name": "new"},
    "git_commit": {"message": "x", "paths": ["a.ipynb"], "on_protected": True},
    "git_worktree": {"action": "add", "branch": "other"},
    "benchmark": {"command": "true"},
    "list_directory": {},
    "search_files": {"pattern": "x"},
    "run_linter": {},
    "run_command": {"command": "git status; git checkout -q other"},
}


@pytest.mark.parametrize("backend", ["bubblewrap", "landlock"])
@pytest.mark.parametrize("name", TOOLS)
def test_no_tool_runs_the_repositorys_filters_outside(world, name, backend):
    sandbox = sandbox_of(world, backend=backend)
    mark = armed(world)
    settings = load_settings(world.workspace, env={})
    ws = Workspace(world.workspace, settings.tools, world.env, sandbox=sandbox)

    async def call() -> str:
        try:
            tool = ALL_TOOLS[name]
            return (await tool.function(ws, **TOOLS[name])).content
        finally:
            await ws.close()

    answer = asyncio.run(call())
    assert not mark.exists(), answer


def test_every_tool_that_starts_git_is_among_them():
    named = {name for name in ALL_TOOLS if name.startswith("git_")}
    assert named <= set(TOOLS)


def test_removing_a_worktree_runs_nothing_and_loses_nothing(world):
    sandbox = sandbox_of(world)
    settings = load_settings(world.workspace, env={})
    ws = Workspace(world.workspace, settings.tools, world.env, sandbox=sandbox)
    worktree = ALL_TOOLS["git_worktree"].function

    async def remove() -> list[str]:
        try:
            await worktree(ws, action="add", branch="other")
            mark = armed(world)
            changed = ws.root / ".worktrees/other/a.ipynb"
            changed.write_text("{  }\n")
            refused = (await worktree(ws, action="remove", branch="other")).content
            changed.unlink()
            quietly = ("-c", "core.hooksPath=/dev/null", "-c", "filter.nb.smudge=")
            git(changed.parent, *quietly, "checkout", "a.ipynb")
            mark.unlink(missing_ok=True)
            removed = (await worktree(ws, action="remove", branch="other")).content
            return [refused, removed, str(mark.exists())]
        finally:
            await ws.close()

    refused, removed, ran = asyncio.run(remove())
    assert "uncommitted changes" in refused
    assert ".worktrees/other removed" in removed, removed
    assert ran == "False"


def _briefing(world: World) -> None:
    project = Project(world.workspace)
    assert project.git_state() is not None
    assert project.files().paths


def _checkpoint(world: World) -> None:
    checkpoints = Checkpoints(
        world.workspace, "01-test", home=world.home / ".local/state/codeflow/checkpoints"
    )
    assert checkpoints.take("begin").git is not None


def _worktree(world: World) -> None:
    settings = load_settings(world.workspace, env={})
    kept = Worktrees(world.home / ".local/state/codeflow/worktrees")
    made: Worktree = add(survey(world.workspace, None), "01-test", kept, settings.worktrees)
    (made.path / "a.ipynb").write_text("{   }\n")
    assert standing(made).changed
    shutil.rmtree(made.path)
    restore(made, settings.worktrees)
    record = kept.find("01-test")
    assert record is not None
    drop(record, kept)


def _head(world: World) -> None:
    assert head_commit(world.workspace)


def _stash(world: World) -> None:
    """One of the user's is put back after a command that took it."""
    quietly = ("-c", "core.hooksPath=/dev/null", "-c", "filter.nb.clean=cat", "-c", "filter.nb.smudge=cat")
    git(world.workspace, *quietly, "stash")
    assert git(world.workspace, "stash", "list")
    before = stashes.begin(world.workspace)
    git(world.workspace, *quietly, "stash", "drop")
    mark = armed(world)
    (told,) = stashes.end(before)
    assert "is in `git stash list` again" in told
    assert not mark.exists()


def _checkout(world: World) -> None:
    checkout = Checkout(world.workspace, "https://example.invalid/a/b", "token")
    assert checkout.git("status", "--porcelain")
    checkout.git("checkout", "--quiet", "--detach", "HEAD")


@pytest.mark.parametrize("door", [_briefing, _checkpoint, _worktree, _head, _stash, _checkout])
def test_no_git_of_codeflows_own_runs_them_either(world, door):
    mark = armed(world)
    door(world)
    assert not mark.exists()


def test_they_would_run_at_the_users_own(world):
    mark = armed(world)
    git(world.workspace, "status")
    assert mark.exists()


STARTERS = {
    "cli/ci/checkout.py", "cli/repository.py", "knowledge/project.py", "sessions/repository.py", "tools/git_runner.py",
    "tools/project_changes.py", "tools/sandbox/choosing.py", "tools/sandbox/repositories.py",
    "tools/sandbox/stashes.py",
}  # fmt: skip
"""What starts git: the tests above go through all of them."""


def test_git_is_started_nowhere_else():
    source = Path(sys.modules["codeflow"].__path__[0])
    starts = re.compile(r'program_outside\("git"|which\("git"|\[git, |\("git",|\["git",|\bINERT\b')
    asks_only = {"sessions/worktrees/adding.py", "cli/doctor.py"}
    found = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if starts.search(path.read_text())
    }
    assert found - asks_only == STARTERS


AT_ONCE = {
    "a filter": (
        'printf "touch {mark}\\ncat\\n" > tools/inner.sh; echo "* filter=nb" > .gitattributes; git add .gitattributes; '
        f"{COMMIT}; rm .git/index; git read-tree HEAD"
    ),
    "a hook": (
        'mkdir -p .githooks; printf "#!/bin/sh\\ntouch {mark}\\n" > .githooks/post-index-change; '
        f"chmod +x .githooks/*; {COMMIT}; rm .git/index; git read-tree HEAD"
    ),
}


@pytest.mark.parametrize("backend", ["bubblewrap", "landlock"])
@pytest.mark.parametrize("line", AT_ONCE.values(), ids=AT_ONCE)
def test_looking_after_a_command_runs_nothing(world, line, backend):
    mark = world.outside / "ran"
    run(world, sandbox_of(world, backend=backend), line.replace("{mark}", str(mark)))
    assert not mark.exists()


NAMED = {
    "hooks that are not there": ("core.hooksPath", ".githooks", ".githooks/post-index-change"),
    "hooks that are": ("core.hooksPath", "hooks", "hooks/post-index-change"),
    "settings that are included": ("include.path", "../team.gitconfig", "team.gitconfig"),
    "settings that may be included": ("includeIf.onbranch:x.path", "../there.gitconfig", "there.gitconfig"),
    "a filter's script": ("filter.nb.clean", "sh tools/clean.sh %f", "tools/clean.sh"),
    "an alias's script": ("alias.st", "!cd tools && ./st.sh", "tools/st.sh"),
    "a pager": ("pager.log", "tools/page.sh", "tools/page.sh"),
    "what colours parts of a change": ("interactive.diffFilter", "./tools/colour.sh", "tools/colour.sh"),
    "a tool for merges": ("mergetool.x.cmd", "tools/merge.sh $LOCAL", "tools/merge.sh"),
    "a tool for differences": ("difftool.x.path", "tools/differ", "tools/differ"),
}


@pytest.mark.parametrize("backend", ["bubblewrap", "landlock", "docker"])
@pytest.mark.parametrize(("key", "value", "file"), NAMED.values(), ids=NAMED)
def test_what_gits_configuration_names_is_protected(world, key, value, file, backend):
    sandbox = sandbox_of(world, backend=backend)
    top = world.workspace
    (top / "hooks").mkdir()
    (top / "hooks/pre-push").write_text("#!/bin/sh\n")
    (top / "there.gitconfig").write_text("[user]\n\tname = a\n")
    git(top, "config", key, value)
    (top / ".git/info/exclude").write_text("*\n")
    before = (top / file).read_text() if (top / file).exists() else None
    output = run(world, sandbox, f"mkdir -p {Path(file).parent}; echo evil > {file}; echo fine > code.py")
    assert (top / "code.py").read_text() == "fine\n"
    assert ((top / file).read_text() if (top / file).exists() else None) == before, output
    assert "protected" in output or "Read-only" in output


def test_other_repositories_objects_are_shown_to_no_model(world):
    other = world.home / "other-project"
    git(other, "init", "-q")
    git(other, "add", "-A")
    git(other, "commit", "-qm", "theirs")
    commit = git(other, "rev-parse", "HEAD").strip()
    alternates = world.workspace / ".git/objects/info/alternates"
    sandbox = sandbox_of(world)
    output = run(world, sandbox, f"mkdir -p .git/objects/info; echo {other}/.git/objects > {alternates}")
    assert not alternates.exists(), output
    alternates.write_text(f"{other}/.git/objects\n")
    ws = Workspace(world.workspace, load_settings(world.workspace, env={}).tools, world.env, sandbox=sandbox)

    async def look() -> str:
        told = ""
        try:
            for name, arguments in (
                ("git_show", {"ref": f"{commit}:.env"}),
                ("git_show", {"ref": commit}),
                ("git_diff", {"ref": commit}),
            ):
                tool = ALL_TOOLS[name]
                told += (await tool.function(ws, **arguments)).content
        finally:
            await ws.close()
        return told

    told = asyncio.run(look())
    assert CANARY not in told
    assert "theirs" not in told


CLOSED = {
    "the workspace": "echo evil > .exrc; git config core.fsmonitor 'touch {mark}; false'; echo evil > .gitlab-ci.yml; chmod 555 .",
    "a folder": "mkdir -p .claude .circleci/x; echo evil > .circleci/config.yml; chmod 000 .circleci; chmod 555 .github .",
    "a link": "rm link; mkdir link .claude; echo evil > link/x; echo evil > .exrc; chmod 555 .",
    "the way": "mkdir -p .config/fish; echo evil > .config/fish/x; chmod 000 .config; echo evil > .exrc; chmod 444 .",
}


_OVERRIDING = "-dac_override,-dac_read_search"
AS_A_USER = (
    ("setpriv", f"--bounding-set={_OVERRIDING}", f"--inh-caps={_OVERRIDING}") if os.getuid() == 0 else ()
)
"""Root may write to any folder, and would see no difference."""


@pytest.mark.skipif(bool(AS_A_USER) and not shutil.which("setpriv"), reason="root without setpriv")
@pytest.mark.parametrize("backend", ["bubblewrap", "landlock"])
@pytest.mark.parametrize("line", CLOSED.values(), ids=CLOSED)
def test_closed_folders_keep_nothing_from_being_put_back(world, line, backend):
    sandbox_of(world, backend=backend)
    top, mark = world.workspace, world.outside / "ran"
    (top / "cfg").mkdir()
    (top / ".cursor").symlink_to("cfg")
    config = (top / ".git/config").read_text()
    call = json.dumps({"command": line.replace("link", ".cursor").replace("{mark}", str(mark))})
    (world.home / ".config/codeflow/settings.toml").write_text(f'[sandbox]\nbackend = "{backend}"\n')
    command = (
        sys.executable,
        "-m",
        "codeflow",
        "tools",
        "run",
        "run_command",
        "--mode",
        "auto",
        "--json",
        call,
    )
    done = subprocess.run(
        [*AS_A_USER, *command], cwd=top, env=world.env, check=False, capture_output=True, text=True
    )
    told = done.stdout + done.stderr
    assert "moved away" in told
    assert "CANNOT" not in told
    assert not any(
        os.path.lexists(top / name) for name in (".exrc", ".claude", ".circleci", ".config/fish")
    ), told
    assert (top / ".cursor").is_symlink()
    assert (top / ".git/config").read_text() == config
    assert (top / ".gitlab-ci.yml").read_text() == "# the project's\n"
    assert not mark.exists()


def test_a_merge_that_a_protected_file_stops_is_told_to_be_half_done(world):
    top = world.workspace
    git(top, "checkout", "-q", "other")
    (top / ".gitlab-ci.yml").write_text("theirs\n")
    (top / "code.py").write_text("theirs\n")
    (top / "zz.py").write_text("theirs\n")
    git(top, "add", "-A")
    git(top, "commit", "-qm", "theirs")
    git(top, "checkout", "-q", "-")
    output = run(world, sandbox_of(world), "git merge other")
    assert "stopped half way" in output, output
    assert "git restore" in output
