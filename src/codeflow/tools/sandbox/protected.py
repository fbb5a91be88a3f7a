"""What a command may not change although it is in the workspace: files by which others would run its code later.

git runs hooks and what its configuration names, editors run tasks, CI runs workflows with the repository's secrets,
shells and direnv run what they find, agents obey their settings.
"""

from collections.abc import Iterator
from pathlib import Path

_IN_GIT = ("hooks", "config", "config.worktree", "info/attributes", "info/sparse-checkout")
_IN_WORKSPACE = (
    ".codeflow", ".claude", ".mcp.json", ".cursor", ".gemini", ".codex",
    ".github/workflows", ".github/actions", ".gitlab-ci.yml", ".circleci", ".travis.yml", "Jenkinsfile",
    "azure-pipelines.yml", "bitbucket-pipelines.yml", ".buildkite", ".drone.yml", ".woodpecker.yml", ".woodpecker",
    "appveyor.yml", ".teamcity", "cloudbuild.yaml", "buildspec.yml",
    ".vscode", ".idea", ".devcontainer", ".zed", ".nvim.lua", ".exrc", ".vimrc", ".dir-locals.el",
    ".husky", ".pre-commit-config.yaml", "lefthook.yml",
    ".envrc", ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".profile", ".zshrc", ".zshenv", ".zprofile",
    ".zlogin", ".config/fish", ".gitconfig", ".inputrc",
)  # fmt: skip


def protected_paths(root: Path) -> Iterator[Path]:
    """The paths below a writable folder, whether they exist or not; links are followed."""
    if (root / "objects").is_dir() and (root / "refs").is_dir():  # a repository that its worktrees share
        yield from _in_git(root)
        return
    yield from (root / name for name in _IN_WORKSPACE)
    git = root / ".git"
    if git.is_dir():
        yield from _in_git(git)
    else:
        yield git


def _in_git(git: Path) -> Iterator[Path]:
    yield from (git / name for name in _IN_GIT)
    for module in sorted((git / "modules").glob("**/HEAD")):
        yield from (module.parent / name for name in _IN_GIT)
