"""What a command may not change although it is in the workspace: files by which others would run its code later.

git runs hooks and what its configuration names, editors run tasks, CI runs workflows with the repository's secrets,
shells and direnv run what they find, agents obey their settings.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

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
    lead; `absent` are pairs of the folder that holds a path and the path.
    """

    real: tuple[Path, ...]
    links: tuple[tuple[Path, str], ...]
    absent: tuple[tuple[Path, Path], ...]


def protection(workspaces: Iterable[Path], repositories: Iterable[Path]) -> Protection:
    """What to protect in folders that are worked in, and in git folders that several of them share."""
    pairs = [(root, path) for root in workspaces for path in _in_workspace(root)]
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
    return Protection(tuple(sorted(real)), tuple(links.items()), tuple(absent))


def first_link(root: Path, path: Path) -> Path | None:
    """The first link on the way from a folder to a path in it, the path itself included."""
    place = root
    for part in path.relative_to(root).parts:
        place /= part
        if place.is_symlink():
            return place
    return None


def _in_workspace(root: Path) -> Iterator[Path]:
    yield from (root / name for name in _IN_WORKSPACE)
    git = root / ".git"
    if git.is_dir() and not git.is_symlink():
        yield from _in_git(git)
    else:
        yield git


def _in_git(git: Path) -> Iterator[Path]:
    yield from (git / name for name in _IN_GIT)
    for inner in ("modules", "worktrees"):
        for folder, _, files in os.walk(git / inner) if first_link(git, git / inner) is None else ():
            if "HEAD" in files:
                yield from (Path(folder, name) for name in _IN_GIT)
