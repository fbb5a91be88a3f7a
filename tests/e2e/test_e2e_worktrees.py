"""Runs in a git worktree of their own, and its ends: merged, kept or dropped."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.harness import BUG, CODEFLOW, EDIT, FIXED, READ, REPAIR, ROUTER, SAID, Shell, git
from tests.e2e.test_e2e_resume import NUMBERED, killed, started, until

from codeflow.models.endpoint import environment


@pytest.fixture
def project(project: Path) -> Path:
    git(project, "config", "user.name", "Ada")
    git(project, "config", "user.email", "ada@example.org")
    git(project, "branch", "-M", "main")
    return project


def isolated(shell: Shell, scripted, replies=REPAIR, *arguments: str, worktree="--worktree") -> Any:
    """The result of a run in a worktree."""
    with scripted(replies) as endpoint:
        done = shell.run(endpoint, worktree, *arguments)
    assert done.code == 0, done.stdout + done.stderr
    return done.result


def listed(shell: Shell, *arguments: str) -> list[Any]:
    done = shell("worktrees", "list", "--output", "json", *arguments)
    assert done.code == 0, done.stderr
    rows: list[Any] = json.loads(done.stdout)
    return rows


def ungated(shell: Shell) -> Shell:
    """For runs that are not about the failing test."""
    return Shell(shell.project, {**shell.env, "CODEFLOW_GATES__TESTS": "off"})


def editing(name: str, text: str) -> list[dict[str, Any]]:
    """A run that writes one file."""
    return [ROUTER, {"agent": "fast_coder", "call": [{"write_file": {"path": name, "content": text}}]}, SAID]


@pytest.mark.slow
def test_the_work_is_done_apart_and_merged_by_one_command(shell, project, scripted):
    (project / "notes.txt").write_text("mine\n")
    with scripted(REPAIR) as endpoint:
        done = shell.run(endpoint, "--worktree", "--output", "text")
    assert done.code == 0, done.stderr
    assert (project / "calc.py").read_text() == BUG
    assert "your uncommitted changes are NOT in the worktree: notes.txt" in done.stderr
    (row,) = listed(shell)
    assert (row["state"], row["files"], row["target"]) == ("unmerged", ["calc.py"], "main")
    assert row["branch"] == f"codeflow/{row['session']}"
    assert f"codeflow worktrees merge {row['session']}" in done.stderr
    assert (Path(row["folder"]) / "calc.py").read_text() == FIXED
    merged = shell("worktrees", "merge", row["session"])
    assert merged.code == 0, merged.stderr
    assert (project / "calc.py").read_text() == FIXED
    assert git(project, "log", "-1", "--format=%an %s").strip() == "Ada make the failing test pass"
    assert SAID["say"] in git(project, "log", "-1", "--format=%b")
    assert git(project, "status", "--porcelain") == "?? notes.txt\n"
    assert git(project, "branch", "--format=%(refname:short)").split() == ["main"]
    assert len(git(project, "worktree", "list").splitlines()) == 1
    assert not Path(row["path"]).exists()
    assert listed(shell) == []


@pytest.mark.slow
def test_the_session_belongs_to_the_users_folder(shell, project, scripted):
    result = isolated(shell, scripted)
    worktree = Path(result["worktree"]["folder"])
    assert result["files_changed"][0]["path"] == "calc.py"
    assert result["gates"][0]["status"] == "green"
    (session,) = json.loads(shell("sessions", "list", "--output", "json").stdout)
    assert (session["id"], session["workspace"]) == (result["session_id"], str(project))
    assert json.loads(shell("checkpoints", "list", "--output", "json").stdout)
    with scripted(editing("more.py", "x = 1\n")) as endpoint:
        again = shell("run", "--continue", "write more", "--output", "json", env=environment(endpoint.url))
    assert again.code == 0, again.stderr
    assert (worktree / "more.py").exists()
    assert not (project / "more.py").exists()
    undone = shell("undo")
    assert undone.code == 0, undone.stderr
    assert not (worktree / "more.py").exists()
    assert (worktree / "calc.py").read_text() == BUG
    assert (project / "calc.py").read_text() == BUG


@pytest.mark.slow
def test_a_killed_run_is_listed_and_goes_on_in_its_worktree(shell, project, scripted):
    with scripted([ROUTER, READ, EDIT, {**SAID, "latency_ms": 60_000}]) as endpoint:
        run = started(shell, endpoint, "--worktree=fix")
        until(run, "model_started", times=4)
        (row,) = listed(shell)
        assert (row["state"], row["branch"]) == ("running", "fix")
        refused = shell("worktrees", "drop", "fix", "--yes")
        assert (refused.code, "is at work" in refused.stderr) == (1, True)
        killed(run)
    assert listed(shell)[0]["state"] == "unfinished"
    refused = shell("worktrees", "merge", "fix")
    assert (refused.code, "--as-is merges what there is" in refused.stderr) == (1, True)
    shutil.rmtree(row["path"])
    for command in ("merge", "restore"):
        done = shell("worktrees", command, "fix", *(["--as-is"] if command == "merge" else []))
        assert (done.code, "restore" in done.stderr) == ((1, True) if command == "merge" else (0, False))
    assert (Path(row["folder"]) / "calc.py").read_text() == FIXED
    with scripted(NUMBERED) as endpoint:
        done = shell("resume", "--output", "json", env=environment(endpoint.url))
    assert done.code == 0, done.stderr
    assert done.result["worktree"]["branch"] == "fix"
    assert (project / "calc.py").read_text() == BUG
    assert shell("worktrees", "merge", "fix").code == 0
    assert (project / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_a_worktree_that_was_made_again_can_be_undone(shell, project, scripted):
    result = isolated(shell, scripted)
    folder = Path(result["worktree"]["folder"])
    shutil.rmtree(result["worktree"]["path"])
    assert shell("worktrees", "restore", result["session_id"]).code == 0
    assert (folder / "calc.py").read_text() == FIXED
    undone = shell("undo", result["session_id"])
    assert undone.code == 0, undone.stdout
    assert (folder / "calc.py").read_text() == BUG
    assert shell("undo", "--to", undone.stdout.split("`")[-2].split()[-1]).code == 0
    assert (folder / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_what_cannot_be_merged_is_said_and_nothing_is_done(shell, project, scripted):
    result = isolated(shell, scripted)
    merge = ("worktrees", "merge", result["session_id"])
    (project / "calc.py").write_text(BUG + "# mine\n")
    refused = shell(*merge)
    assert (refused.code, "uncommitted changes of yours are in files that the session changed: calc.py") == (
        1,
        refused.stderr.partition("codeflow: ")[2].splitlines()[0],
    )
    git(project, "commit", "-qam", "mine")
    (project / "calc.py").write_text("def add(a, b):\n    return sum((a, b))\n")
    git(project, "commit", "-qam", "theirs")
    head = git(project, "rev-parse", "HEAD")
    refused = shell(*merge)
    assert (refused.code, "main has moved and conflicts" in refused.stderr) == (1, True), refused.stderr
    assert "calc.py" in refused.stderr
    git(project, "switch", "-qc", "other")
    refused = shell(*merge)
    assert (refused.code, "is on other now, and the session began on main" in refused.stderr) == (1, True)
    assert git(project, "rev-parse", "HEAD") == head
    assert git(project, "status", "--porcelain") == ""
    assert listed(shell)[0]["state"] == "unmerged"


@pytest.mark.slow
def test_a_branch_that_has_moved_gets_a_merge_commit_that_can_be_reverted(shell, project, scripted):
    result = isolated(shell, scripted)
    (project / "other.py").write_text("x = 1\n")
    git(project, "add", "other.py")
    git(project, "commit", "-qm", "other")
    assert shell("worktrees", "merge", result["session_id"]).code == 0
    assert (project / "calc.py").read_text() == FIXED
    assert len(git(project, "log", "-1", "--format=%p").split()) == 2
    undone = shell("undo")
    assert (undone.code, "was merged into main" in undone.stderr) == (1, True)
    way = undone.stderr.split("`")[1]
    git(project, *way.split()[1:])
    assert (project / "calc.py").read_text() == BUG
    assert (project / "other.py").exists()


def test_ignored_files_and_untracked_ones_of_the_user_are_never_overwritten(shell, project, scripted):
    isolated(ungated(shell), scripted, editing("out.txt", "theirs\n"))
    (project / ".git/info/exclude").write_text("out.txt\n")
    (project / "out.txt").write_text("mine\n")
    (row,) = listed(shell)
    git(Path(row["path"]), "add", "--force", "out.txt")
    refused = shell("worktrees", "merge", row["session"])
    assert (refused.code, "out.txt" in refused.stderr) == (1, True), refused.stderr
    assert (project / "out.txt").read_text() == "mine\n"
    assert git(project, "log", "--format=%s") == "begin\n"


@pytest.mark.slow
def test_a_hook_that_refuses_keeps_the_work(shell, project, scripted):
    hook = project / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no secrets please >&2\nexit 1\n")
    hook.chmod(0o755)
    result = isolated(shell, scripted)
    refused = shell("worktrees", "merge", result["session_id"])
    assert (refused.code, "no secrets please" in refused.stderr) == (1, True), refused.stderr
    assert (Path(result["worktree"]["folder"]) / "calc.py").read_text() == FIXED
    hook.unlink()
    assert shell("worktrees", "merge", result["session_id"]).code == 0


def test_a_run_that_changes_nothing_leaves_no_worktree(shell, project, scripted):
    with scripted([ROUTER, READ, SAID]) as endpoint:
        done = ungated(shell).run(endpoint, "--worktree")
    assert "the worktree is removed" in done.stderr
    assert listed(shell, "--all") == []
    assert git(project, "branch", "--format=%(refname:short)").split() == ["main"]
    with scripted([ROUTER]) as endpoint:
        gone = shell("resume", done.result["session_id"], "go on", env=environment(endpoint.url))
    assert (gone.code, "worked in a worktree that was dropped" in gone.stderr) == (2, True), gone.stderr


@pytest.mark.slow
def test_dropping_asks_and_so_does_deleting_the_session(shell, project, scripted):
    session = isolated(shell, scripted)["session_id"]
    for command in (["worktrees", "drop", session], ["sessions", "delete", session]):
        refused = shell(*command)
        assert (refused.code, "--yes" in refused.stderr) == (2, True)
    pruned = shell("sessions", "prune", "--older-than", "0h", "--yes")
    assert "its worktree holds work that is not merged" in pruned.stderr
    assert len(listed(shell)) == 1
    deleted = shell("sessions", "delete", session, "--yes")
    assert deleted.code == 0, deleted.stderr
    assert listed(shell) == []
    assert git(project, "branch", "--format=%(refname:short)").split() == ["main"]
    assert len(git(project, "worktree", "list").splitlines()) == 1


@pytest.mark.slow
def test_a_fork_works_in_the_worktree_of_its_parent(shell, project, scripted):
    result = isolated(shell, scripted)
    forked = shell("sessions", "fork", result["session_id"])
    assert forked.code == 0, forked.stderr
    session = forked.stdout.split()[1]
    with scripted(editing("more.py", "x = 1\n")) as endpoint:
        done = ungated(shell)("resume", session, "more", "--output", "json", env=environment(endpoint.url))
    assert done.code == 0, done.stderr
    assert (Path(result["worktree"]["folder"]) / "more.py").exists()
    assert shell("undo", session).code == 0
    assert not (Path(result["worktree"]["folder"]) / "more.py").exists()
    assert not (project / "more.py").exists()


@pytest.mark.slow
def test_two_runs_at_once_do_not_know_of_each_other(shell, project, scripted):
    slow = {**SAID, "latency_ms": 60_000}
    with scripted([ROUTER, READ, EDIT, slow]) as endpoint:
        first = started(shell, endpoint, "--worktree")
        until(first, "model_started", times=4)
        result = isolated(ungated(shell), scripted, editing("b.py", "b = 1\n"))
        plain = shell.run(endpoint, "--dry-run", "--complexity", "SIMPLE", "--output", "stream-json")
        killed(first)
    assert len({row["branch"] for row in listed(shell)}) == 2
    assert (Path(result["worktree"]["folder"]) / "calc.py").read_text() == BUG
    assert "another run is at work" not in plain.stdout


@pytest.mark.slow
def test_a_folder_that_can_have_no_worktree_is_refused_in_one_line(shell, project, tmp_path):
    bare, plain, unborn = tmp_path / "bare.git", tmp_path / "plain", tmp_path / "unborn"
    for folder in (plain, unborn, project / "new"):
        folder.mkdir()
    git(tmp_path, "init", "-q", "--bare", str(bare))
    git(unborn, "init", "-q")
    for folder, arguments, said in (
        (plain, [], "is in no git repository"),
        (bare, [], "bare git repository"),
        (unborn, [], "has no commit yet"),
        (project / "new", [], "not in the last commit"),
        (project, ["--worktree=main"], "the branch exists"),
        (project, ["--worktree=a..b"], "not a branch name"),
        (project, ["--continue"], "does not go with --continue"),
    ):
        done = shell.at(folder)("run", "--worktree", *arguments, "do it")
        assert (done.code, said in done.stderr) == (2, True), done.stderr
    assert json.loads(shell("sessions", "list", "--all", "--output", "json").stdout) == []


def test_a_subfolder_with_a_detached_head(shell, project, scripted):
    (project / "pkg").mkdir()
    for name in ("calc.py", "test_calc.py"):
        (project / name).rename(project / "pkg" / name)
    git(project, "add", "-A")
    git(project, "commit", "-qm", "move")
    git(project, "switch", "-q", "--detach")
    inner = shell.at(project / "pkg")
    result = isolated(inner, scripted)
    assert result["worktree"]["folder"] == result["worktree"]["path"] + "/pkg"
    merged = inner("worktrees", "merge", result["session_id"])
    assert merged.code == 0, merged.stderr
    assert (project / "pkg/calc.py").read_text() == FIXED
    assert result["worktree"]["branch"] in git(project, "branch")


def test_the_folders_settings_trust_and_ignored_files_come_along(shell, project, scripted, tmp_path):
    (project / ".gitignore").write_text("__pycache__/\n.codeflow/\n.env\nnode_modules/\n.venv\n")
    git(project, "commit", "-qam", "ignore")
    (project / ".env").write_text("KEY=1\n")
    (project / ".codeflow").mkdir()
    (project / ".codeflow/settings.toml").write_text("[gates]\ntests = './node_modules/.bin/check'\n")
    (project / "packages/own").mkdir(parents=True)
    modules = project / "node_modules"
    (modules / ".bin").mkdir(parents=True)
    (modules / "check").mkdir()
    (modules / "check/run").write_text("#!/bin/sh\ngrep -q KEY .env && grep -q 'a + b' calc.py\n")
    (modules / "check/run").chmod(0o755)
    (modules / ".bin/check").symlink_to("../check/run")
    (modules / "own").symlink_to("../packages/own")
    config = tmp_path / "config/codeflow"
    config.mkdir(parents=True)
    (config / "settings.toml").write_text(f'trusted_folders = ["{project}"]\n')
    result = isolated(shell, scripted)
    assert [(gate["command"], gate["status"]) for gate in result["gates"]] == [
        ("./node_modules/.bin/check", "green")
    ]
    worktree = Path(result["worktree"]["path"])
    assert (worktree / "node_modules/own").readlink() == Path("../packages/own")
    assert shell("worktrees", "merge", result["session_id"]).code == 0
    assert git(project, "show", "--stat", "--format=").split()[0] == "calc.py"
    assert (modules / "check/run").exists()
    assert (project / ".env").exists()


@pytest.mark.slow
def test_an_editable_install_in_a_linked_environment_is_the_worktrees_code(shell, project, scripted):
    (project / "src").mkdir()
    (project / "calc.py").rename(project / "src/calc.py")
    (project / "test_calc.py").write_text(
        "from calc import add\n\n\ndef test_adds():\n    assert add(2, 3) == 5\n"
    )
    git(project, "add", "-A")
    git(project, "commit", "-qm", "src")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=project, check=True)
    (site,) = (project / ".venv").glob("lib/python*/site-packages")
    ours = next(place for place in sys.path if (Path(place) / "pytest").is_dir())
    (site / "pytest").symlink_to(Path(ours) / "pytest")
    (site / "others.pth").write_text(f"{ours}\n")
    (site / "__editable__.calc.pth").write_text(f"{project / 'src'}\n")
    edit = {"path": "src/calc.py", "old_text": "a - b", "new_text": "a + b"}
    replies = [
        ROUTER,
        {"agent": "fast_coder", "call": [{"read_file": {"path": "src/calc.py"}}]},
        {"agent": "fast_coder", "call": [{"edit_file": edit}]},
        SAID,
    ]
    result = isolated(shell, scripted, replies)
    (gate,) = result["gates"]
    assert (gate["command"].split()[0], gate["status"]) == (".venv/bin/python", "green"), gate["output"]
    assert (project / "src/calc.py").read_text() == BUG


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "said", "content"),
    [
        (b"m\n", "merged into main", FIXED),
        (b"what\nd\nn\n", "the worktree is kept", BUG),
        (b"drop\nyes\n", "the worktree and its branch are removed", BUG),
    ],
)
def test_with_a_terminal_the_end_is_asked_for(shell, scripted, typed, said, content):
    project = shell.project
    person, terminal = pty.openpty()
    with scripted(REPAIR) as endpoint:
        run = subprocess.Popen(
            [CODEFLOW, "run", "--worktree", "make the failing test pass", "--quiet"],
            cwd=project,
            env={**shell.env, **environment(endpoint.url)},
            stdin=terminal,
            stdout=subprocess.DEVNULL,
            stderr=terminal,
        )
        os.close(terminal)
        os.write(person, typed)
        shown = b""
        while said.encode() not in shown:
            shown += os.read(person, 10_000)
        assert run.wait(60) == 0
    os.close(person)
    assert b"[m]erge into main" in shown
    assert (project / "calc.py").read_text() == content
    assert len(listed(shell)) == ("is kept" in said)
