"""What a command may not change although it is in the workspace: files by which others would run its code later.

git runs hooks and what its configuration names, editors run tasks, CI runs workflows with the repository's secrets,
shells and direnv run what they find, agents obey their settings. What runs when somebody builds or tests the project is not among it: an agent may change
that, and its changes are shown.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from codeflow.core.programs import NO_NETWORK_GIT

_IN_GIT = (
    "hooks", "config", "config.worktree", "commondir", "gitdir", "info/attributes", "info/sparse-checkout", "remotes",
    "branches",
)  # fmt: skip
_IN_WORKSPACE = (
    ".codeflow", ".claude", ".mcp.json", ".cursor", ".gemini", ".codex",
    ".github/workflows", ".github/actions", ".gitlab-ci.yml", ".circleci", ".travis.yml", "Jenkinsfile",
    "azure-pipelines.yml", "bitbucket-pipelines.yml", ".buildkite", ".drone.yml", ".woodpecker.yml", ".woodpecker",
    "appveyor.yml", ".teamcity", "cloudbuild.yaml", "buildspec.yml",
    ".forgejo", ".gitea", ".mise.toml", "mise.toml", ".windsurf", ".opencode", "opencode.json", ".kiro", ".roo",
    ".clinerules", ".cursorrules", ".devcontainer.json", "lefthook.yaml", ".lefthook.yml", ".lefthook.yaml", ".nvimrc",
    ".gdbinit", ".zlogout", ".config/git",
    ".vscode", ".idea", ".devcontainer", ".zed", ".nvim.lua", ".exrc", ".vimrc", ".dir-locals.el",
    ".husky", ".pre-commit-config.yaml", "lefthook.yml",
    ".envrc", ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".profile", ".zshrc", ".zshenv", ".zprofile",
    ".zlogin", ".config/fish", ".gitconfig", ".inputrc",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Protection:
    """How protected paths stand. `real` exist, with no link on the way; `links` are links on the way, with where they
    lead; `absent` are pairs of the folder that holds a path and the path. `nested` are pairs of such a folder and a
    repository in it.
    """

    real: tuple[Path, ...]
    links: tuple[tuple[Path, str], ...]
    absent: tuple[tuple[Path, Path], ...]
    nested: tuple[tuple[Path, Path], ...]


def protection(workspaces: Iterable[Path], repositories: Iterable[Path], git: str | None) -> Protection:
    """What to protect in folders that are worked in, and in git folders that several of them share; `git` is the
    program.
    """
    workspaces = tuple(workspaces)
    nested = [(root, inner) for root in workspaces for inner in nested_repositories(root, git)]
    pairs = [(root, path) for root in workspaces for path in _in_workspace(root)]
    pairs += [(root, path) for root, inner in nested for path in _of_git(inner)]
    pairs += [(git, path) for git in repositories for path in _in_git(git)]
    roots = {root for root, _ in pairs}
    real, links, absent = set[Path](), dict[Path, str](), []
    for root, path in pairs:
        link = first_link(root, path)
        if link is not None:
            links[link] = str(link.readlink())
            target = path.resolve()
            if target.exists() and any(target.is_relative_to(one) and target != one for one in roots):
                real.add(target)
        elif os.path.lexists(path):
            real.add(path)
        else:
            absent.append((root, path))
    return Protection(tuple(sorted(real)), tuple(links.items()), tuple(absent), tuple(nested))


def first_link(root: Path, path: Path) -> Path | None:
    """The first link on the way from a folder to a path in it, the path itself included."""
    place = root
    for part in path.relative_to(root).parts:
        place /= part
        if place.is_symlink():
            return place
    return None


def nested_repositories(root: Path, git: str | None) -> tuple[Path, ...]:
    """The git folders, or files that name one, that git looks into when it is used in the folder: those of submodules
    and worktrees, and of nested repositories that are in its index. `git` is the program; None: there is none.
    """
    own = root / ".git"
    if own.is_symlink() or not own.is_dir():
        return ()
    return (*_inner_folders(own), *(root / path / ".git" for path in _in_index(root, git)))


def _in_workspace(root: Path) -> Iterator[Path]:
    yield from (root / name for name in _IN_WORKSPACE)
    yield from _of_git(root / ".git")


def _of_git(git: Path) -> Iterator[Path]:
    if git.is_dir() and not git.is_symlink():
        yield from _in_git(git)
    else:
        yield git


def _in_git(git: Path) -> Iterator[Path]:
    yield from (folder / name for folder in (git, *_inner_folders(git)) for name in _IN_GIT)


def _inner_folders(git: Path) -> Iterator[Path]:
    for inner in ("modules", "worktrees"):
        for folder, _, files in os.walk(git / inner) if first_link(git, git / inner) is None else ():
            if "HEAD" in files:
                yield Path(folder)


def _in_index(root: Path, git: str | None) -> tuple[str, ...]:
    try:
        index = (root / ".git/index").lstat()
    except OSError:
        return ()
    return _gitlinks(git, root, (index.st_ino, index.st_mtime_ns, index.st_size)) if git else ()


@lru_cache(maxsize=64)
def _gitlinks(git: str, root: Path, _state_of_the_index: tuple[int, ...]) -> tuple[str, ...]:
    entries = ask_git(git, root, "ls-files", "--stage", "-z")
    return tuple(entry.partition("\t")[2] for entry in entries if entry.startswith("160000 "))


def ask_git(git: str, root: Path, *question: str) -> list[str]:
    """The NUL-separated names that git answers with, outside the sandbox; it starts nothing and fetches nothing."""
    asked = [git, "-C", str(root), "-c", "core.fsmonitor=false", *question]
    done = subprocess.run(asked, capture_output=True, check=False, env=os.environ | NO_NETWORK_GIT)
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
