"""Repositories that commands leave in the repository, or in place of it: git runs what they say when somebody uses it."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.attacks.test_attacks_commands import run, sandbox_of
from tests.attacks.world import CANARY, World, make

from codeflow.core.settings import load_settings
from codeflow.tools.git import git_log, git_show
from codeflow.tools.workspace import Workspace

pytestmark = pytest.mark.slow

COMMIT = "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x"
REPOSITORIES = {
    "one in the index, in one command": [f"git init -q sub; cd sub; {{evil}}; {COMMIT}; cd ..; git add sub"],
    "one in the index, in two": [f"git init -q sub; cd sub; {COMMIT}; {{evil}}", "git add sub"],
    "one in the index, later": [f"git init -q sub; cd sub; {COMMIT}; cd ..; git add sub", "cd sub; {evil}"],
    "a file for it": [
        f"git init -q sub; cd sub; {COMMIT}; {{evil}}; mv .git ../kept; echo 'gitdir: ../kept' > .git; cd ..; git add sub"
    ],
    "a submodule": [
        (
            f"git init -q sub; cd sub; {COMMIT}; {{evil}}; mkdir -p ../.git/modules; mv .git ../.git/modules/sub; "
            "echo 'gitdir: ../.git/modules/sub' > .git; git --git-dir=../.git/modules/sub config core.worktree ../../../sub; "
            "cd ..; git add sub"
        )
    ],
    "one in one in the index": [
        f"git init -q sub; cd sub; git init -q s2; cd s2; {COMMIT}; {{evil}}; cd ..; git add s2; {COMMIT}; cd ..; git add sub"
    ],
    "one in one in the index, later": [
        f"git init -q sub; cd sub; git init -q s2; cd s2; {COMMIT}; cd ..; git add s2; {COMMIT}; cd ..; git add sub",
        "cd sub/s2; {evil}",
    ],
    "a file for one that is beside it": [
        (
            f"git init -q mid; mkdir -p mid/sub; cd mid/sub; git init -q .; {COMMIT}; {{evil}}; H=$(git rev-parse HEAD); "
            "mkdir ../.git/modules; mv .git ../.git/modules/sub; echo 'gitdir: ../.git/modules/sub' > .git; cd ../..; "
            "git --git-dir=mid/.git/modules/sub config core.worktree ../../../sub; "
            "git update-index --add --cacheinfo 160000,$H,mid/sub"
        )
    ],
    "a filter": [
        (
            f"git init -q sub; cd sub; {COMMIT}; touch a; git add a; echo '* filter=x' > .gitattributes; "
            "git config filter.x.clean 'touch {mark}'; cd ..; git add sub; touch sub/a"
        )
    ],
    "a repository by a link": [
        f"git init -q real; cd real; {COMMIT}; {{evil}}; cd ..; mkdir sub; ln -s ../real/.git sub/.git; git add sub; true"
    ],
}


@pytest.mark.parametrize("lines", REPOSITORIES.values(), ids=REPOSITORIES)
def test_no_repository_in_the_repository_runs_anything_at_the_users_git_status(tmp_path, lines):
    world = make(tmp_path)
    sandbox = sandbox_of(world)
    mark = tmp_path / "ran"
    for line in lines:
        evil = f"git config core.fsmonitor 'touch {mark}; false'"
        run(world, sandbox, line.replace("{evil}", evil).replace("{mark}", str(mark)))
    subprocess.run(["git", "status", "--short"], cwd=world.workspace, check=False, capture_output=True)
    assert not mark.exists()


LINE_ENDS = ("\\f", "\\v", "\\r", "\\034", "\\302\\205", "\\342\\200\\250")
"""For a Python that reads text; for git but the line feed."""
INIT = f"git init -q sub; cd sub; {COMMIT}"
GIT_ONLY = {
    **{
        f"a line that ends at {end}": (
            f"{INIT}; printf '[core]\\n\\trepositoryformatversion = 0\\n# x{end}[user]\\n\\tfsmonitor = \"touch "
            "{mark}; false\"\\n' > .git/config; cd ..; git add sub"
        )
        for end in LINE_ENDS
    },
    "a blank before the place": (
        f"{INIT}; mkdir -p ' ../.git/modules' ../.git/modules; cp -r .git ../.git/modules/sub; {{evil}}; "
        "mv .git ' ../.git/modules/sub'; echo 'gitdir:  ../.git/modules/sub' > .git; cd ..; git add sub"
    ),
    "up from where a link leads": (
        f"{INIT}; mkdir -p ../.git/modules ../d/e ../d/.git/modules; ln -s d/e ../l; cp -r .git ../.git/modules/sub; {{evil}}; "
        "mv .git ../d/.git/modules/sub; echo 'gitdir: ../l/../.git/modules/sub' > .git; cd ..; git add sub"
    ),
    "a blank after what is shared": (
        f"{COMMIT}; git worktree add -q sub; cd .git/worktrees/sub; E=$(printf '../..\\v'); mkdir \"$E\"; "
        'cp -r ../../objects ../../refs "$E"; printf \'[core]\\n\\tfsmonitor = "touch {mark}; false"\\n\' > "$E/config"; '
        "printf '%s' \"$E\" > commondir"
    ),
}


@pytest.mark.parametrize("line", GIT_ONLY.values(), ids=GIT_ONLY)
def test_nor_does_one_that_only_git_reads_so(tmp_path, line):
    world = make(tmp_path)
    mark = tmp_path / "ran"
    evil = f"git config core.fsmonitor 'touch {mark}; false'"
    run(world, sandbox_of(world), line.replace("{evil}", evil).replace("{mark}", str(mark)))
    subprocess.run(["git", "status", "--short"], cwd=world.workspace, check=False, capture_output=True)
    subprocess.run(["git", "status"], cwd=world.workspace / "sub", check=False, capture_output=True)
    assert not mark.exists()


SWAPPED = r"""
import hashlib, os, struct, subprocess
before = os.stat(".git/index")
os.remove("code.py")
subprocess.run("git init -q code.py; cd code.py; git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x; {evil}", shell=True)
index = bytearray(open(".git/index", "rb").read())
entry = index.index(b"code.py") - 62
index[entry + 24 : entry + 28] = struct.pack(">I", 0o160000)
index[-20:] = hashlib.sha1(bytes(index[:-20])).digest()
with open(".git/index", "r+b") as file:
    file.write(index)
os.utime(".git/index", ns=(before.st_atime_ns, before.st_mtime_ns))
"""
"""A file of the index becomes a repository; inode, size and time of the index stay."""


def test_an_index_is_asked_again_though_it_looks_the_same(tmp_path):
    world = make(tmp_path)
    mark = tmp_path / "ran"
    (world.workspace / "swap.py").write_text(
        SWAPPED.replace("{evil}", f"git config core.fsmonitor 'touch {mark}; false'")
    )
    subprocess.run(["git", "add", "code.py"], cwd=world.workspace, check=True)
    output = run(world, sandbox_of(world), "python3 swap.py")
    subprocess.run(["git", "status", "--short"], cwd=world.workspace, check=False, capture_output=True)
    assert "code.py/.git is protected and appeared during the command" in output
    assert not mark.exists()


BELOW = {
    "a submodule made anew": [f"cd vendor; rm .git; git init -q .; {COMMIT}; {{evil}}"],
    "a folder made anew with a submodule": [
        f"mv vendor old; git init -q vendor; cd vendor; {COMMIT}; {{evil}}; cp -r .git ../kept; rm -r .git; mv ../kept .git"
    ],
    "one in the index": [f"git init -q sub; cd sub; {COMMIT}; {{evil}}; cd ..; git add sub"],
    "one in the index, later": [
        f"git init -q sub; cd sub; {COMMIT}; cd ..; git add sub",
        "cd sub; {evil}",
    ],
    "one in a submodule": [f"cd vendor; git init -q sub; cd sub; {COMMIT}; {{evil}}; cd ..; git add sub"],
    "a submodule that is not checked out": [
        (
            f"git init -q x; cd x; {COMMIT}; {{evil}}; mkdir -p ../../.git/modules/pkg; mv .git ../../.git/modules/pkg/x; "
            "echo 'gitdir: ../../.git/modules/pkg/x' > .git; cd ..; git add x"
        )
    ],
}


def with_a_submodule(folder: Path) -> World:
    """In pkg/vendor."""
    world = make(folder)
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")

    def git(*arguments: str, cwd: Path = world.workspace) -> None:
        subprocess.run(["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True)

    git("init", "-q", "up", cwd=folder)
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=folder / "up")
    git("submodule", "add", "-q", str(folder / "up"), "pkg/vendor")
    git("commit", "-qm", "begin")
    return world


@pytest.mark.parametrize("backend", ["bubblewrap", "landlock", "docker"])
def test_git_works_in_a_submodule_and_runs_nothing_that_a_command_wrote(tmp_path, backend):
    world, mark = with_a_submodule(tmp_path), tmp_path / "ran"
    top = world.workspace
    world.workspace = top / "pkg/vendor"
    sandbox = sandbox_of(world, backend=backend)
    output = run(
        world,
        sandbox,
        "echo 1 > new.txt; git add new.txt; git -c user.name=a -c user.email=a@b commit -qm new; git log",
    )
    assert "    new\n" in output
    evil = f"core.fsmonitor 'touch {mark}; false'"
    output = run(
        world,
        sandbox,
        f"git config {evil}; printf '[core]\\nfsmonitor = \"touch {mark}; false\"\\n' >> $(git rev-parse --git-dir)/config; "
        f"rm .git; git init -q .; git config {evil}; touch ../../.git/hooks/pre-commit ../../.git/x",
    )
    for folder in (top, world.workspace):
        subprocess.run(["git", "status", "--short"], cwd=folder, check=False, capture_output=True)
    assert not mark.exists(), output
    assert not (top / ".git/hooks/pre-commit").exists()
    assert not (top / ".git/x").exists()
    assert (world.workspace / ".git").is_file()


@pytest.mark.parametrize("backend", ["bubblewrap", "landlock"])
@pytest.mark.parametrize("lines", BELOW.values(), ids=BELOW)
def test_nor_does_one_below_a_workspace_that_is_a_part_of_its_repository(tmp_path, lines, backend):
    world, mark = with_a_submodule(tmp_path), tmp_path / "ran"
    top = world.workspace
    world.workspace = top / "pkg"
    sandbox = sandbox_of(world, backend=backend)
    for line in lines:
        run(world, sandbox, line.replace("{evil}", f"git config core.fsmonitor 'touch {mark}; false'"))
    for folder in (top, world.workspace):
        subprocess.run(["git", "status", "--short"], cwd=folder, check=False, capture_output=True)
    assert not mark.exists()


LEGITIMATE = {
    "clone": ("git clone -q . sub; git add sub", "sub/.git/config"),
    "submodule": (
        (
            "git init -q /tmp/up; git -C /tmp/up -c user.name=a -c user.email=a@b commit -q "
            "--allow-empty -m x; git -c protocol.file.allow=always submodule add -q /tmp/up sub"
        ),
        ".git/modules/sub/HEAD",
    ),
    "worktree": (f"{COMMIT}; git worktree add -q tree", ".git/worktrees/tree/gitdir"),
    "settings of text": (
        f"git init -q sub; cd sub; git config core.autocrlf input; git config pull.rebase true; {COMMIT}; cd ..; git add sub",
        "sub/.git/config",
    ),
}


@pytest.mark.parametrize(("line", "made"), LEGITIMATE.values(), ids=LEGITIMATE)
def test_what_git_makes_itself_stays(tmp_path, line, made):
    world = make(tmp_path)
    output = run(world, sandbox_of(world), line)
    assert (world.workspace / made).exists(), output
    assert "moved away" not in output


LAZY = """
set -e
git init -q .; git config user.name a; git config user.email a@b; mkdir in out out/deep; echo x > in/f; echo y > out/deep/f
git add -A; git commit -qm x; git config index.sparse true; git sparse-checkout init --cone --sparse-index; git sparse-checkout set in
tree=$(git rev-parse HEAD:out); rm -f .git/objects/${tree:0:2}/${tree:2}
git config core.repositoryformatversion 1; git config extensions.partialClone origin; git config remote.origin.url .
git config remote.origin.promisor true; git config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'
git config remote.origin.uploadpack 'touch {mark}; false'
"""


def test_git_is_asked_nothing_while_a_commands_repository_is_there(tmp_path):
    world = make(tmp_path)
    mark = tmp_path / "ran"
    shutil.rmtree(world.workspace)
    world.workspace.mkdir()
    (world.workspace / "make.sh").write_text(LAZY.replace("{mark}", str(mark)))
    output = run(world, sandbox_of(world), "bash make.sh; mkdir .vscode")
    assert "moved away" in output
    assert not (world.workspace / ".git").exists()
    assert not mark.exists()


ELSEWHERE = {
    "its files": "git init -q .; B=$(git hash-object -w /dev/null); "
    "git update-index --add --cacheinfo 100644,$B,.env; git config core.worktree {home}/other-project",
    "its objects": "git init -q .; rm -rf .git/objects; ln -s {home}/other-project/.git/objects .git/objects",
    "alternates": "git init -q .; echo {home}/other-project/.git/objects > .git/objects/info/alternates",
}


@pytest.mark.parametrize("line", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_repository_that_shows_what_is_elsewhere_is_put_aside(tmp_path, line):
    world = make(tmp_path)
    shutil.rmtree(world.workspace / ".git")
    output = run(world, sandbox_of(world), line.replace("{home}", str(world.home)))
    assert ".git is protected and appeared during the command" in output
    assert not (world.workspace / ".git").exists()


def test_git_that_looks_sees_no_other_repository_through_links(tmp_path):
    world = make(tmp_path)
    other = world.home / "other-project"
    commit = ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "theirs"]
    for arguments in (["init", "-q"], ["add", "-A"], commit):
        subprocess.run(["git", *arguments], cwd=other, check=True)
    for name in ("objects", "refs", "logs"):
        shutil.rmtree(world.workspace / ".git" / name, ignore_errors=True)
        (world.workspace / ".git" / name).symlink_to(other / ".git" / name)
    settings = load_settings(world.workspace, env={})
    ws = Workspace(world.workspace, settings.tools, world.env, sandbox=sandbox_of(world))

    async def look() -> str:
        try:
            log = await git_log.function(ws)
            shown = await git_show.function(ws, ref="HEAD:.env")
        finally:
            await ws.close()
        return log.content + shown.content

    told = asyncio.run(look())
    assert "theirs" not in told
    assert CANARY not in told
