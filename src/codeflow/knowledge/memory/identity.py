"""Which folders are one project: a repository with its work trees; a clone is another one."""

from pathlib import Path

from codeflow.knowledge.project import top_of


def project_home(workspace: Path) -> Path:
    """The folder that stands for a workspace's project: its repository's main work tree, else the workspace itself.

    A `.git` file counts only when the repository it names knows of it. No git is run.
    """
    root = workspace.resolve()
    top = top_of(root)
    return root if top is None else _main_work_tree(top) or top


def _main_work_tree(top: Path) -> Path | None:
    pointer = top / ".git"
    try:
        text = pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else ""
        if not text.startswith("gitdir: "):
            return None
        git_dir = (top / text.removeprefix("gitdir: ")).resolve()
        common = (git_dir / (git_dir / "commondir").read_text(encoding="utf-8").strip()).resolve()
        known_as = git_dir / (git_dir / "gitdir").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):  # no linked work tree
        return None
    if known_as.resolve() != pointer.resolve():
        return None
    return common.parent if common.name == ".git" else common
