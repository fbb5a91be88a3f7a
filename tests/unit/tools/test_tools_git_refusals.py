"""What git refuses is told in one sentence with the next step, without git's own hints to force it."""

from collections.abc import Callable

import pytest

from codeflow.core.values import ToolResult
from codeflow.tools.git_advice import advice
from codeflow.tools.registry import TOOLS
from codeflow.tools.workspace import Workspace

Git = Callable[..., str]


async def run(ws: Workspace, tool: str, /, **arguments: object) -> ToolResult:
    return await TOOLS[tool].function(ws, **arguments)


async def refused(ws: Workspace, tool: str, /, **arguments: object) -> str:
    result = await run(ws, tool, **arguments)
    assert result.is_error, result.content
    assert "\n" not in result.content
    assert "fatal" not in result.content
    assert "force" not in result.content
    return result.content


@pytest.fixture
def repository(ws: Workspace, git: Git) -> Workspace:
    (ws.root / "a.txt").write_text("one\n")
    git("add", ".")
    git("commit", "--quiet", "--message=first")
    git("switch", "--quiet", "--create", "work")
    return ws


@pytest.fixture
def merging(repository: Workspace, git: Git) -> Workspace:
    for branch, text in (("theirs", "two\n"), ("work", "three\n")):
        git("switch", "--quiet", *(["--create"] if branch == "theirs" else []), branch)
        (repository.root / "a.txt").write_text(text)
        git("commit", "--quiet", "--all", "--message=m")
    with pytest.raises(Exception, match="merge"):
        git("merge", "theirs")
    return repository


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("git_log", {}),
        ("git_show", {}),
        ("git_diff", {"ref": "HEAD"}),
        ("git_stash", {"action": "push"}),
        ("git_worktree", {"action": "add", "branch": "x"}),
    ],
)
async def test_a_repository_without_commits(ws: Workspace, git: Git, name: str, arguments: dict[str, str]):
    (ws.root / "a.txt").write_text("one\n")
    git("add", ".")
    text = await refused(ws, name, **arguments)
    assert text == (
        "The current branch has no commits yet. git_status shows the files; git_commit makes the first one."
    )


@pytest.mark.parametrize(
    ("name", "arguments", "start"),
    [
        ("git_show", {"ref": "gone"}, "There is no commit, branch or tag gone. git_branch lists"),
        ("git_diff", {"ref": "gone"}, "There is no commit, branch or tag gone. git_branch lists"),
        ("git_diff", {"ref": "main...gone"}, "There is no commit, branch or tag main...gone."),
        ("git_show", {"ref": "gone:a.txt"}, "There is no commit, branch or tag gone."),
        ("git_show", {"ref": "HEAD:b.txt"}, "b.txt is not in HEAD. git_log with path=b.txt"),
        ("git_blame", {"path": "b.txt"}, "b.txt is not in the last commit; git_status"),
        ("git_blame", {"path": "a.txt", "start_line": 9}, "a.txt has 1 lines; choose"),
        ("git_stash", {"action": "pop"}, "There is no such stash; git_stash list"),
        ("git_stash", {"action": "show", "number": 3}, "There is no such stash; git_stash list"),
        ("git_worktree", {"action": "remove", "branch": "x"}, "There is no work tree "),
        ("git_worktree", {"action": "add", "branch": "work"}, "work is checked out in "),
        ("git_branch", {"name": "a..b"}, "'a..b' cannot be the name of a branch"),
        (
            "git_commit",
            {"message": "m", "paths": ["gone"]},
            "gone does not exist and is not tracked; git_status",
        ),
        ("git_commit", {"message": "m", "paths": ["a.txt"]}, "Nothing was committed: these files are as in"),
        ("git_commit", {"message": "m", "paths": ["x.log"]}, "x.log is ignored by .gitignore"),
    ],
)
async def test_what_is_not_there(repository: Workspace, name: str, arguments: dict[str, object], start: str):
    (repository.root / ".gitignore").write_text("*.log\n")
    (repository.root / "x.log").touch()
    assert (await refused(repository, name, **arguments)).startswith(start)


async def test_an_existing_branch_is_switched_to_when_nothing_can_get_lost(repository: Workspace, git: Git):
    assert not (await run(repository, "git_branch", name="main")).is_error
    assert git("branch", "--show-current").strip() == "main"
    assert "current branch already" in (await run(repository, "git_branch", name="main")).content
    (repository.root / "a.txt").write_text("changed\n")
    text = await refused(repository, "git_branch", name="work")
    assert text.startswith("work exists, but a.txt and perhaps others have uncommitted changes. Commit them")
    assert git("branch", "--show-current").strip() == "main"
    (repository.root / "new.txt").touch()
    git("checkout", "--", "a.txt")
    assert not (await run(repository, "git_branch", name="work")).is_error


async def test_untracked_files_in_the_way_stay(repository: Workspace, git: Git):
    (repository.root / "b.txt").write_text("committed\n")
    git("add", "b.txt")
    git("commit", "--quiet", "--message=b")
    git("switch", "--quiet", "main")
    (repository.root / "b.txt").write_text("mine\n")
    assert (await refused(repository, "git_branch", name="work")).startswith(
        "The untracked files b.txt are in the way."
    )
    assert (repository.root / "b.txt").read_text() == "mine\n"


async def test_a_merge_comes_first(merging: Workspace):
    assert (await refused(merging, "git_stash", action="push")).startswith(
        "There are unresolved conflicts. git_conflicts shows them"
    )
    assert (await refused(merging, "git_branch", name="other")).startswith(
        "A merge is under way. git_conflicts"
    )


async def test_a_stash_that_conflicts_is_kept(repository: Workspace, git: Git):
    (repository.root / "a.txt").write_text("aside\n")
    await run(repository, "git_stash", action="push")
    (repository.root / "a.txt").write_text("now\n")
    assert (await refused(repository, "git_stash", action="pop")).startswith(
        "Uncommitted changes of a.txt are in the way"
    )
    git("commit", "--quiet", "--all", "--message=now")
    assert (await refused(repository, "git_stash", action="pop")).startswith(
        "The stash was applied with conflicts"
    )
    assert git("stash", "list").count("\n") == 1


async def test_a_dirty_work_tree_stays(repository: Workspace):
    await run(repository, "git_worktree", action="add", branch="side")
    new = repository.root / ".worktrees/side/new.txt"
    new.write_text("work\n")
    text = await refused(repository, "git_worktree", action="remove", branch="side")
    assert "side has uncommitted changes, so it was not removed. Commit or stash them there first" in text
    assert new.exists()


async def test_a_commit_on_no_branch_is_made_with_a_warning(repository: Workspace, git: Git):
    git("switch", "--quiet", "--detach")
    (repository.root / "a.txt").write_text("two\n")
    result = await run(repository, "git_commit", message="m", paths=["a.txt"])
    assert not result.is_error
    assert result.content.endswith("[HEAD is on no branch: keep this commit by creating one with git_branch]")
    assert not (await run(repository, "git_branch", name="kept")).is_error
    assert git("log", "-1", "--format=%s", "kept").strip() == "m"


async def test_a_commit_needs_an_author(ws: Workspace, git: Git):
    (ws.root / "a.txt").touch()
    for name in list(ws.env):
        if name.startswith(("GIT_AUTHOR", "GIT_COMMITTER")):
            del ws.env[name]
    git("config", "user.useConfigOnly", "true")
    text = (await run(ws, "git_commit", message="m", paths=["a.txt"], on_protected=True)).content
    assert text.startswith("git does not know who commits. Ask the user")


@pytest.mark.parametrize("path", [".", "lib", "tools"])
async def test_another_repository_is_not_committed_as_a_link_to_nowhere(
    repository: Workspace, git: Git, path: str
):
    for folder in ("lib", "tools/deep"):
        git("init", "--quiet", folder)
        git("-C", folder, "commit", "--quiet", "--allow-empty", "--message=theirs")
    (repository.root / "a.txt").write_text("two\n")
    refusal = await refused(repository, "git_commit", message="m", paths=["a.txt", path])
    assert "is a repository of its own" in refusal
    assert git("status", "--short").splitlines() == [" M a.txt", "?? lib/", "?? tools/"]
    (repository.root / ".gitignore").write_text("lib/\ntools/\n")
    assert not (await run(repository, "git_commit", message="m", paths=["."])).is_error
    assert git("ls-files").split() == [".gitignore", "a.txt"]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("git_status", {}),
        ("git_conflicts", {}),
        ("git_diff", {}),
        ("git_branch", {"name": "x"}),
        ("git_commit", {"message": "m", "paths": ["a.txt"]}),
        ("git_stash", {"action": "push"}),
    ],
)
async def test_a_bare_repository_is_called_one(
    ws: Workspace, git: Git, name: str, arguments: dict[str, object]
):
    (ws.root / ".git").rename(ws.root / "bare")
    for part in (ws.root / "bare").iterdir():
        part.rename(ws.root / part.name)
    git("config", "core.bare", "true")
    told = await refused(ws, name, **arguments)
    assert told.startswith("This is a bare repository, or git's own folder: it holds history and no files")
    assert "ask the user to clone it" in told


def test_objects_that_commands_cannot_read_are_told_with_the_cure():
    assert "sandbox.readable" in (advice("fatal: bad object HEAD") or "")
