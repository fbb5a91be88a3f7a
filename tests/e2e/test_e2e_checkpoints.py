import json
import os
import signal
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from tests.attacks.world import NO_SANDBOX
from tests.e2e.harness import BUG, EDIT, ROUTER, Shell, git
from tests.e2e.test_e2e_resume import arrived, started

from codeflow.models.endpoint import environment

SAID = {"agent": "fast_coder", "say": "I tidied up."}


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Everything but the repository and what Python caches."""
    found = {}
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        if name.startswith(".git/") or "__pycache__" in name or ".pytest_cache" in name or name == ".git":
            continue
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            found[name] = (0, os.fsencode(path.readlink()))
        else:
            found[name] = (mode, path.read_bytes() if path.is_file() else b"")
    return found


def calling(*commands: str) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = [
        {"agent": "fast_coder", "call": [{"run_command": {"command": command}}]} for command in commands
    ]
    return [ROUTER, *calls, SAID]


@pytest.fixture
def shell(shell: Shell) -> Shell:
    """Without gates: what is done here is not about tests."""
    return Shell(shell.project, {**shell.env, "CODEFLOW_GATES__TESTS": "off"})


@pytest.fixture
def precious(project: Path) -> Path:
    """The project with work in it that no commit holds."""
    (project / ".gitignore").write_text("__pycache__/\n.pytest_cache/\n.env\nout/\n")
    (project / ".env").write_text("TOKEN=1\n")
    (project / ".env").chmod(0o600)
    (project / "out").mkdir()
    (project / "out" / "report.bin").write_bytes(bytes(range(256)))
    (project / "src" / "deep").mkdir(parents=True)
    (project / "src" / "deep" / "mine.py").write_text("untracked\n")
    (project / "src" / "link").symlink_to("deep/mine.py")
    (project / "empty").mkdir()
    (project / "calc.py").write_text(BUG + "# uncommitted\n")
    (project / "wipe.sh").write_text("git reset -q --hard\ngit clean -qfdx\n")
    return project


def test_what_a_command_destroyed_is_brought_back(shell, precious, scripted):
    before = tree(precious)
    with scripted(calling("sh wipe.sh")) as endpoint:
        done = shell.run(endpoint, "--mode", "auto")
    assert done.code == 0, done.stdout + done.stderr
    assert set(tree(precious)) == {".gitignore", "calc.py", "test_calc.py"}
    assert "TOKEN" not in done.stdout
    undone = shell("undo")
    assert undone.code == 0, undone.stderr
    assert tree(precious) == before


@pytest.mark.slow
def test_each_command_can_be_taken_back_and_done_again(shell, precious, scripted):
    states = [tree(precious)]
    with scripted(
        calling("rm -rf src", "mv out kept; chmod 700 test_calc.py", "echo new > new.txt")
    ) as endpoint:
        result = shell.run(endpoint, "--mode", "auto").result
    states.append(tree(precious))
    listed = json.loads(shell("checkpoints", "list", "--output", "json").stdout)
    steps = {label: row["step"] for row in listed for label in row["labels"]}
    assert [row["step"] for row in listed] == list(range(1, len(listed) + 1))
    assert "before run_command: rm -rf src" in steps
    undone = shell("undo", "--to", str(steps["before run_command: echo new > new.txt"]))
    assert undone.code == 0, undone.stderr
    assert "removed   new.txt" in undone.stdout
    assert not (precious / "src").exists()
    assert (precious / "kept" / "report.bin").exists()
    assert shell("undo", result["session_id"]).code == 0
    assert tree(precious) == states[0]
    assert shell("undo", "--to", f"{result['session_id']}/{steps['after the run']}").code == 0
    assert tree(precious) == states[1]
    shown = shell(
        "checkpoints", "diff", str(steps["before run_command: rm -rf src"]), str(steps["after the run"])
    )
    assert "-untracked" in shown.stdout
    assert "+new" in shown.stdout
    assert "deleted (ignored by git, content not shown): out/report.bin" in shown.stdout


def test_edits_of_the_user_survive_or_nothing_is_done(shell, precious, scripted):
    with scripted(calling("echo run > calc.py")) as endpoint:
        assert shell.run(endpoint, "--mode", "auto").code == 0
    (precious / "notes.txt").write_text("mine")
    (precious / "calc.py").write_text("mine too")
    refused = shell("undo", "--output", "json")
    assert refused.code == 1
    assert json.loads(refused.stdout)["conflicts"] == ["calc.py"]
    assert (precious / "calc.py").read_text() == "mine too"
    assert shell("undo", "--force").code == 0
    assert (precious / "calc.py").read_text() == BUG + "# uncommitted\n"
    assert (precious / "notes.txt").read_text() == "mine"


def test_undo_says_how_to_move_head_back(shell, precious, scripted):
    head = git(precious, "rev-parse", "HEAD").strip()
    commit = "git -c user.name=a -c user.email=a@example.org commit -qam theirs && git switch -qc other"
    with scripted(calling("rm test_calc.py", commit)) as endpoint:
        assert shell.run(endpoint, "--mode", "auto").code == 0
    undone = shell("undo")
    assert undone.code == 0, undone.stderr
    assert (precious / "test_calc.py").exists()
    (command,) = [line.split("`")[1] for line in undone.stdout.splitlines() if line.startswith("HEAD was on")]
    git(precious, *command.split()[1:])
    second = shell("checkpoints", "list", "--output", "json")
    assert json.loads(second.stdout)[0]["head"] == head


def test_undo_tells_no_command_that_would_take_back_what_the_user_did(shell, precious, scripted):
    with scripted(calling("rm test_calc.py")) as endpoint:
        assert shell.run(endpoint, "--mode", "auto").code == 0
    branch = git(precious, "branch", "--show-current").strip()
    git(precious, "commit", "-qam", "mine")
    git(precious, "switch", "-qc", "other")
    git(precious, "stash", "--include-untracked")
    git(precious, "stash", "apply")
    undone = shell("undo")
    assert undone.code == 0, undone.stderr
    assert f"HEAD is on other and was on {branch}, not by the run: it was left there." in undone.stdout
    assert "git symbolic-ref" not in undone.stdout
    assert "git reset" not in undone.stdout
    assert "stash" not in undone.stdout


@pytest.mark.parametrize("options", [(), ("--worktree",)], ids=["in place", "worktree"])
def test_a_stash_of_the_users_that_a_command_pops_is_in_the_list_after_all(shell, project, scripted, options):
    (project / "wip.txt").write_text("my day\n")
    git(project, "stash", "--include-untracked", "--message", "wip")
    before = git(project, "stash", "list", "--format=%H %gs")
    with scripted(calling("git stash; git stash pop", "cat wip.txt")) as endpoint:
        run = shell.run(endpoint, "--mode", "auto", *options)
    assert run.code == 0, run.stderr
    assert "took from the user's stashes (stash@{0}: On " in " ".join(run.result["warnings"])
    assert git(project, "stash", "list", "--format=%H %gs") == before
    undone = shell("undo")
    assert undone.code == 0, undone.stderr
    assert "stash" not in undone.stdout
    if options:
        assert shell("worktrees", "drop", run.result["session_id"], "--yes").code == 0
    assert not (project / "wip.txt").exists()
    git(project, "stash", "pop")
    assert (project / "wip.txt").read_text() == "my day\n"


@pytest.mark.slow
def test_undo_after_the_run_and_the_user_have_moved_head_says_so(shell, precious, scripted):
    with scripted(calling("rm test_calc.py; git switch -qc theirs")) as endpoint:
        assert shell.run(endpoint, "--mode", "auto").code == 0
    git(precious, "switch", "-qc", "mine")
    told = shell("undo").stdout
    assert "both the run and you have moved it: `git reflog` shows how" in told
    assert "git symbolic-ref" not in told


@pytest.mark.parametrize("command", ["rm .gitignore", "sed -i '/env/d; /out/d; /large/d' .gitignore"])
def test_files_that_are_only_ignored_no_longer_are_not_the_runs(shell, precious, scripted, command):
    (precious / "large.bin").write_bytes(b"l" * 1_100_000)
    (precious / ".gitignore").write_text((precious / ".gitignore").read_text() + "large.bin\n")
    before = tree(precious)
    with scripted(calling(command, "echo made > out/made.txt")) as endpoint:
        done = shell(
            "run", "tidy up", "--output", "stream-json", "--mode", "auto", env=environment(endpoint.url)
        )
    assert done.code == 0, done.stdout + done.stderr
    result = done.events[-1]
    assert {change["path"] for change in result["files_changed"]} == {".gitignore", "out/made.txt"}
    assert "TOKEN" not in result["diff"]
    (told,) = [
        event["text"] for event in done.events if event["kind"] == "notice" and "visible" in event["text"]
    ]
    assert told.endswith("not among its changes: .env, large.bin, out/report.bin")
    assert shell("undo").code == 0
    assert tree(precious) == before


@pytest.mark.slow
def test_steps_and_ages_that_cannot_be_used_are_refused_in_one_line(shell, precious, scripted):
    with scripted(calling("touch new.txt")) as endpoint:
        session = shell.run(endpoint, "--mode", "auto").result["session_id"]
    for arguments, code, said in (
        (["undo", "--to", "99"], 2, "no checkpoint '99'"),
        (["checkpoints", "diff", "x", "y"], 2, "name one or two steps"),
        (["checkpoints", "prune", "--older-than", "soon"], 2, "not an age"),
    ):
        done = shell(*arguments)
        assert (done.code, said in done.stderr) == (code, True), done.stderr
    assert "Deleted 0 checkpoints" in shell("checkpoints", "prune", "--yes").stdout
    refused = shell("checkpoints", "prune", "--older-than", "0h")
    assert (refused.code, "Give --yes to delete" in refused.stderr) == (2, True)
    assert "of 1 sessions" in shell("checkpoints", "prune", "--older-than", "0h", "--yes").stdout
    for undo in (["undo"], ["undo", session]):
        gone = shell(*undo)
        assert (gone.code, "its checkpoints are not here" in gone.stderr) == (1, True), gone.stderr
    assert "no session has changed anything" in shell("checkpoints", "list").stderr


@pytest.mark.slow
def test_a_fork_begins_at_a_step_and_goes_its_own_way(shell, precious, scripted):
    with scripted(calling("rm -rf src", "echo new > new.txt")) as endpoint:
        parent = shell.run(endpoint, "--mode", "auto").result["session_id"]
    ended = tree(precious)
    listed = json.loads(shell("checkpoints", "list", "--output", "json").stdout)
    (step,) = [row["step"] for row in listed if "before run_command: echo new > new.txt" in row["labels"]]
    (precious / "mine.txt").write_text("written after the run")
    forked = shell("sessions", "fork", parent, "--at", str(step))
    assert forked.code == 0, forked.stderr
    child = forked.stdout.split()[1]
    assert tree(precious) == {name: entry for name, entry in ended.items() if name != "new.txt"} | {
        "mine.txt": tree(precious)["mine.txt"]
    }
    rest = {"agent": "fast_coder", "step": 3, "say": "Left it out."}
    with scripted([rest]) as endpoint:
        done = shell("resume", child, "--output", "json", env=environment(endpoint.url))
        (request,) = endpoint.requests
    assert done.code == 0, done.stderr
    assert done.result["answer"] == "Left it out."
    assert done.result["session_id"] == child
    assert "was not made: the session was forked" in json.dumps(request.body["messages"][-1])
    assert shell("undo", child).code == 0
    assert (precious / "src" / "deep" / "mine.py").exists()
    assert (precious / "mine.txt").read_text() == "written after the run"
    assert shell("sessions", "show", parent).code == 0


@pytest.mark.slow
def test_a_fork_at_the_end_takes_another_task(shell, precious, scripted):
    with scripted(calling("echo new > new.txt")) as endpoint:
        parent = shell.run(endpoint, "--mode", "auto").result["session_id"]
    assert shell("sessions", "rename", parent, "first try").code == 0
    child = shell("sessions", "fork", "first try").stdout.split()[1]
    more = [{**ROUTER, "step": 2}, {"agent": "fast_coder", "step": 3, "say": "Nothing else."}]
    with scripted(more) as endpoint:
        done = shell("resume", child, "what else?", "--output", "json", env=environment(endpoint.url))
    assert done.result["answer"] == "Nothing else."
    summary = shell("sessions", "show", child, "--summary").stdout.splitlines()
    assert summary[0] == f"forked from {parent}"
    assert [
        line for line in summary if line.strip().startswith(("1. asked", "2. asked", "files", "done"))
    ] == [
        "1. asked: make the failing test pass",
        f"   done: {SAID['say']}",
        "   files: new.txt +1 -0",
        "2. asked: what else?",
        "   done: Nothing else.",
    ]
    assert json.loads(shell("sessions", "--output", "json").stdout)[1]["name"] == "first try"


@pytest.mark.slow
def test_a_fork_that_would_overwrite_the_users_edits_is_not_made(shell, precious, scripted):
    with scripted(calling("echo run > calc.py")) as endpoint:
        assert shell.run(endpoint, "--mode", "auto").code == 0
    (precious / "calc.py").write_text("mine")
    (only,) = json.loads(shell("sessions", "--output", "json").stdout)
    refused = shell("sessions", "fork", only["id"], "--at", "1")
    assert refused.code == 1
    assert "conflict  calc.py" in refused.stdout
    assert (precious / "calc.py").read_text() == "mine"
    assert len(json.loads(shell("sessions", "--output", "json").stdout)) == 1
    assert shell("sessions", "fork", only["id"], "--at", "99").code == 2


@pytest.mark.slow
def test_an_edit_of_the_user_during_the_run_is_a_conflict(shell, project, scripted):
    edit = {"agent": "fast_coder", "call": [{"write_file": {"path": "new.txt", "content": "run\n"}}]}
    waiting = {**SAID, "latency_ms": 3_000}
    with scripted([ROUTER, edit, waiting]) as endpoint:
        run = started(shell, endpoint, "--mode", "auto")
        arrived(endpoint, 3)
        with (project / "new.txt").open("a") as file:
            file.write("mine\n")
        run.communicate()
    refused = shell("undo")
    assert refused.code == 1
    assert "conflict  new.txt" in refused.stdout
    assert (project / "new.txt").read_text() == "run\nmine\n"


def test_a_run_whose_changes_cannot_be_told_does_not_end_as_done(shell, project, scripted):
    store = Path(shell.env["XDG_STATE_HOME"]) / "codeflow/checkpoints"
    with scripted(calling(f"echo more > more.txt; rm -rf {store}; touch {store}")) as endpoint:
        done = shell.run(endpoint, "--mode", "auto", "--no-sandbox")
    assert (done.code, done.result["status"]) == (1, "failed")
    assert "could not be compared" in done.result["error"]["message"]
    assert "files_changed may be incomplete" in done.result["error"]["hint"]


def test_an_interrupted_run_that_could_not_compare_tells_the_edits_it_knows(shell, project, scripted):
    stubborn = "trap '' TERM; touch began; sleep 100"
    server = {"agent": "fast_coder", "call": [{"run_command": {"command": stubborn, "background": True}}]}
    with scripted([ROUTER, EDIT, server, {**SAID, "latency_ms": 60_000}]) as endpoint:
        run = started(shell, endpoint, "--mode", "auto")
        arrived(endpoint, 4)
        while not (project / "began").exists():
            time.sleep(0.01)
        run.send_signal(signal.SIGINT)
        result = json.loads(run.communicate()[0].splitlines()[-1])
    assert (run.returncode, result["status"]) == (130, "interrupted")
    assert [change["path"] for change in result["files_changed"]] == ["calc.py"]
    assert result["error"]["hint"] == (
        f"files_changed may be incomplete: look with `git status`. Undo: codeflow undo {result['session_id']}"
    )
    assert shell("undo").code == 0
    assert (project / "calc.py").read_text() == BUG


@pytest.mark.skipif(bool(NO_SANDBOX), reason=f"no sandbox on this machine: {NO_SANDBOX}")
def test_what_is_told_as_changed_is_what_background_commands_left(shell, project, scripted):
    command = "echo evil > .exrc; echo fine > fine.txt; sleep 100"
    server = {"agent": "fast_coder", "call": [{"run_command": {"command": command, "background": True}}]}
    with scripted([ROUTER, server, SAID]) as endpoint:
        done = shell.run(endpoint, "--mode", "auto", "--output", "stream-json")
    warned = [
        event["text"] for event in done.events if event["kind"] == "notice" and event["level"] == "warning"
    ]
    assert [change["path"] for change in done.events[-1]["files_changed"]] == ["fine.txt"]
    assert not (project / ".exrc").exists()
    stopped, protected = warned
    assert done.events[-1]["warnings"] == warned
    assert stopped == f"stopped with the run, since it was still running in the background: {command}"
    assert ".exrc is protected" in protected
