"""What a command may not change although it is in the workspace: files by which others would run its code later.

git runs hooks and what its configuration names, editors run tasks, CI runs workflows with the repository's secrets,
shells and direnv run what they find, agents obey their settings. What runs when somebody builds or tests the project is not among it: an agent may change
that, and its changes are shown.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from codeflow.tools.sandbox.installation import installed
from codeflow.tools.sandbox.rebases import Todos, todos
from codeflow.tools.sandbox.repositories import (
    first_link,
    git_folder,
    inner_folders,
    named_by_configuration,
    nested_repositories,
    top_of,
)

_IN_GIT = (
    "hooks", "config", "config.worktree", "commondir", "gitdir", "info/attributes", "info/sparse-checkout", "remotes",
    "branches", "objects/info/alternates",
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

_MOST_LINKS = 40
"""On the way to one file: the kernel follows no more."""


@dataclass(frozen=True, slots=True)
class Protection:
    """How protected paths stand. `real` exist, with no link on the way; `links` are links on the way, with where they
    lead; `absent` are pairs of the folder that holds a path and the path. `nested` are pairs of such a folder and a
    repository in it. `todos` are what git would run at a rebase that is under way.
    """

    real: tuple[Path, ...]
    links: tuple[tuple[Path, str], ...]
    absent: tuple[tuple[Path, Path], ...]
    nested: tuple[tuple[Path, Path], ...]
    todos: Todos = ()


def is_protected(path: str) -> bool:
    """Whether a file, named from the workspace, is one of those by which others would run its code; in any case of
    letters, as some file systems have it.
    """
    return any(f"{path}/".lower().startswith(f"{name}/".lower()) for name in _IN_WORKSPACE)


def protection(
    workspaces: Iterable[Path], repositories: Iterable[Path], git: str | None, trusted: Iterable[Path] = ()
) -> Protection:
    """What to protect in folders that are worked in, and in git folders that several of them share; `git` is the
    program. In `trusted` folders in them codeflow obeys settings, as it does in the workspace.
    """
    workspaces, repositories = tuple(workspaces), tuple(repositories)
    roots = (*workspaces, *repositories)
    nested = [(root, inner) for root in roots for inner in nested_repositories(root, git)]
    pairs = [(root, path) for root in workspaces for path in _in_workspace(root)]
    pairs += [(root, path) for root, inner in nested for path in _of_git(inner) if path.is_relative_to(root)]
    pairs += [(root, path) for root in workspaces for path in _configured(root, nested, git)]
    pairs += [(git, path) for git in repositories for path in _in_git(git)]
    pairs += installed(workspaces)
    pairs += [
        (root, folder / ".codeflow")
        for folder in trusted
        for root in workspaces
        if folder.is_relative_to(root)
    ]
    standing = _standing(pairs, tuple(nested))
    return replace(standing, todos=todos(_git_folders(workspaces, nested, repositories)))


def _git_folders(
    workspaces: Iterable[Path], nested: Iterable[tuple[Path, Path]], repositories: Iterable[Path]
) -> Iterator[tuple[Path, Path]]:
    """The git folders that commands can change, each in a folder that is worked in or is one itself."""
    named = [*((root, root / ".git") for root in workspaces), *nested]
    for root, git in named:
        folder = git if git.is_dir() or git.name != ".git" else git_folder(git.parent) or git
        for one in (folder, *inner_folders(folder)):
            if one.is_relative_to(root):
                yield root, one
    for git in repositories:
        yield from ((git, one) for one in (git, *inner_folders(git)))


def _standing(pairs: Iterable[tuple[Path, Path]], nested: tuple[tuple[Path, Path], ...]) -> Protection:
    """How paths, each in a folder, stand, and those that links on the way to them lead to."""
    pairs = list(dict.fromkeys(pairs))
    roots = {root for root, _ in pairs}
    real, links, absent = set[Path](), dict[Path, str](), dict[tuple[Path, Path], None]()
    for root, path in pairs:
        for place in _ways(root, path, links):
            one = next((one for one in sorted(roots, reverse=True) if one in place.parents), None)
            if one is None:
                continue
            if os.path.lexists(place):
                real.add(place)
            else:
                absent[one, place] = None
    return Protection(tuple(sorted(real)), tuple(links.items()), tuple(absent), nested)


def _ways(root: Path, path: Path, links: dict[Path, str]) -> Iterator[Path]:
    """Where a path leads, without links; adds those on the way that are in the folder to `links`."""
    for _ in range(_MOST_LINKS):
        link = first_link(root, path)
        if link is None:
            yield path
            return
        links[link] = str(link.readlink())
        yield from (end for end in [Path(os.path.realpath(path))] if end.exists())
        path = Path(os.path.normpath(link.parent / link.readlink() / path.relative_to(link)))
        if not path.is_relative_to(root):
            return


def _in_workspace(root: Path) -> Iterator[Path]:
    yield from (root / name for name in _IN_WORKSPACE)
    yield from (path for path in _of_git(root / ".git") if path.is_relative_to(root))


def _configured(root: Path, nested: Iterable[tuple[Path, Path]], git: str | None) -> Iterator[Path]:
    """What the configurations of the repository and of those in it name."""
    top = top_of(root)
    inner = [path.parent for folder, path in nested if folder == root and path.name == ".git"]
    if git is None:
        return
    for repository in (*([top] if top else []), *inner):
        for path in named_by_configuration(repository, git):
            if path.is_relative_to(root) and not (root / ".git").is_relative_to(path):
                yield path


def _of_git(git: Path) -> Iterator[Path]:
    """Of a git folder, or of a file that names one."""
    if git.is_dir() and not git.is_symlink():
        yield from _in_git(git)
        return
    yield git
    if git.name == ".git" and (folder := git_folder(git.parent)):
        yield from _in_git(folder)


def _in_git(git: Path) -> Iterator[Path]:
    yield from (folder / name for folder in (git, *inner_folders(git)) for name in _IN_GIT)
