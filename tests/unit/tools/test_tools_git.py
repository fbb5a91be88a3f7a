from collections.abc import Callable
from pathlib import Path

import pytest

from codeflow.tools.files import list_directory
from codeflow.tools.git import git_diff, git_log, git_show, git_status
from codeflow.tools.git_changes import git_branch, git_commit
from codeflow.tools.git_conflicts import git_conflicts
from codeflow.tools.tool import Tool
from codeflow.tools.workspace import Workspace

Git = Callable[..., str]


@pytest.fixture
def repository(ws: Workspace, git: Git) -> Workspace:
    (ws.root / "a.txt").write_text("one\n")
    git("add", ".")
    git("commit", "--quiet", "--message=first")
    return ws


async def test_status_and_diff_show_what_changed(repository: Workspace):
    assert (await git_status.function(repository)).content == "## main\n(nothing changed)"
    (repository.root / "a.txt").write_text("two\n")
    (repository.root / "new é.txt").touch()
    status = await git_status.function(repository)
    assert status.content.startswith("## main\n M a.txt\n?? ")
    assert status.display == "2 changed"
    diff = await git_diff.function(repository)
    assert "-one\n+two" in diff.content
    assert (await git_diff.function(repository, staged=True)).content.startswith("No differences.")


async def test_a_diff_can_be_narrowed_and_paths_have_no_magic(repository: Workspace, git: Git):
    (repository.root / "b.txt").write_text("b\n")
    git("add", "b.txt")
    assert "b.txt" in (await git_diff.function(repository, "b.txt", staged=True)).content
    assert (await git_diff.function(repository, ":(exclude)zzz", staged=True)).content.startswith(
        "No differences"
    )
    assert "outside" in (await git_diff.function(repository, "..")).content


async def test_a_branch_is_created_and_listed(repository: Workspace, git: Git):
    assert not (await git_branch.function(repository, "fix/one")).is_error
    assert git("branch", "--show-current").strip() == "fix/one"
    assert (await git_branch.function(repository)).content == "* fix/one\n  main"


@pytest.mark.parametrize("name", ["--force", "a..b", "a b"])
async def test_impossible_branches_are_refused(repository: Workspace, name: str):
    assert (await git_branch.function(repository, name)).is_error


async def test_a_commit_holds_only_the_named_files(repository: Workspace, git: Git):
    for name in ("a.txt", "b.txt", "c.txt"):
        (repository.root / name).write_text("changed\n")
    git("add", "c.txt")
    git("switch", "--quiet", "--create", "work")
    result = await git_commit.function(repository, "-m subject\n\nbody", ["a.txt", "b.txt"])
    assert "2 files changed" in result.content
    assert git("show", "--name-only", "--format=%s").split("\n\n") == ["-m subject", "a.txt\nb.txt\n"]
    assert git("status", "--short") == "A  c.txt\n"


async def test_a_deletion_can_be_committed(repository: Workspace, git: Git):
    (repository.root / "a.txt").unlink()
    git("switch", "--quiet", "--create", "work")
    assert not (await git_commit.function(repository, "delete", ["a.txt"])).is_error
    assert git("ls-files") == ""


@pytest.mark.parametrize(
    ("message", "paths"), [("", ["a.txt"]), ("m", []), ("m", ["../x"]), ("m", ["nowhere"]), ("m", ["a.txt"])]
)
async def test_impossible_commits_are_refused(
    repository: Workspace, git: Git, message: str, paths: list[str]
):
    assert (await git_commit.function(repository, message, paths, on_protected=True)).is_error
    assert git("rev-list", "--count", "HEAD").strip() == "1"


async def test_a_commit_runs_the_users_hooks_without_credentials(repository: Workspace, env: dict[str, str]):
    hook = repository.root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nenv\necho refused by hook\nexit 1\n")
    hook.chmod(0o755)
    ws = Workspace(repository.root, repository.settings, env | {"AWS_SECRET_ACCESS_KEY": "hunter2"})
    (ws.root / "a.txt").write_text("two\n")
    result = await git_commit.function(ws, "m", ["a.txt"], on_protected=True)
    assert result.is_error
    assert "refused by hook" in result.content
    assert "hunter2" not in result.content


@pytest.mark.parametrize(
    "tool", [git_status, git_diff, git_log, git_show, git_conflicts, git_branch, list_directory]
)
async def test_reading_runs_nothing_that_the_repository_names(
    repository: Workspace, git: Git, tmp_path: Path, tool: Tool
):
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    (repository.root / ".gitattributes").write_text("* filter=trap=x diff=trap\n")
    for key in (
        "core.fsmonitor",
        "core.pager",
        "diff.external",
        "diff.trap.command",
        "diff.trap.textconv",
        "filter.trap=x.clean",
        "filter.trap=x.process",
        "filter.trap.clean",
        "gpg.program",
        "pager.status",
        "core.hooksPath",
    ):
        git("config", key, str(tmp_path if key == "core.hooksPath" else trap))
    venv = repository.root / ".venv/bin"
    venv.mkdir(parents=True)
    for name in ("git", "python"):
        (venv / name).symlink_to(trap)
    (tmp_path / "post-index-change").symlink_to(trap)
    (repository.root / "a.txt").write_text("two\n")
    (repository.root / ".gitattributes").write_text("* filter=trap diff=trap\n")
    fresh = Workspace(repository.root, repository.settings, repository.env)
    assert not (await tool.function(fresh)).is_error
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("tool", [git_status, git_diff, git_log, git_show, git_conflicts, git_branch])
async def test_without_a_repository_git_says_so(ws: Workspace, tool: Tool):
    assert (await tool.function(ws)).content == "The workspace is not a git repository; work without git."


async def test_a_long_diff_is_cut(make_workspace: Callable[..., Workspace], repository: Workspace):
    (repository.root / "a.txt").write_text("".join(f"{n}\n" for n in range(500)))
    assert "lines left out" in (await git_diff.function(make_workspace(limit=300))).content
