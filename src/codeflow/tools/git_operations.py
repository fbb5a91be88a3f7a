"""What a repository is in the middle of, such as a rebase, and how that goes on."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from codeflow.tools.git_runner import raw
from codeflow.tools.workspace import Workspace

_RESOLVE = "Resolve what git_conflicts shows by edit_file, then call git_commit with those files"
_RESOLVED = "Nothing is left to resolve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something that git has begun and not ended."""

    name: str
    """As people call it: a merge, a rebase of main."""
    next_step: str
    source: str = ""
    """The commit whose lines come in. Where there is one, git's index holds the result as a whole, so a commit of some
    files would be half of it."""


async def under_way(ws: Workspace) -> Operation | None:
    """What git is in the middle of; None when there is nothing, or no repository."""
    folder = (await raw(ws, "rev-parse", "--absolute-git-dir", cwd=ws.root)).decode(errors="surrogateescape")
    if not folder:
        return None
    unmerged = bool(await raw(ws, "ls-files", "--unmerged", "-z", "--", ":/", cwd=ws.root))
    return await asyncio.to_thread(_found, Path(folder.removesuffix("\n")), unmerged=unmerged)


def _found(git: Path, *, unmerged: bool) -> Operation | None:
    """Judged by the files that git leaves in its folder; a rebase comes first, for it picks commits, too."""
    for rebase in (git / "rebase-merge", git / "rebase-apply"):
        if (rebase / "applying").exists():
            return Operation(name="git am", next_step="It goes on with run_command: git am --continue.")
        if rebase.is_dir():
            return _rebase(rebase, unmerged=unmerged)
    several = (git / "sequencer/todo").exists()
    first = _RESOLVE if unmerged else f"{_RESOLVED}: call git_commit with the files that git_status shows"
    for head, name, source in (
        ("CHERRY_PICK_HEAD", "cherry-pick", "CHERRY_PICK_HEAD"),
        ("REVERT_HEAD", "revert", "REVERT_HEAD~1"),
    ):
        then = f"then go on with run_command: git {name} --continue." if several else "which concludes it."
        if (git / head).exists():
            return Operation(name=f"a {name}", next_step=f"{first}, {then}", source=source)
    if (git / "MERGE_HEAD").exists():
        return Operation(name="a merge", next_step=f"{first}, which concludes it.", source="MERGE_HEAD")
    if several:
        is_revert = _first_line(git / "sequencer/todo").startswith("revert ")
        name = "revert" if is_revert else "cherry-pick"
        step = f"It goes on with run_command: git {name} --continue."
        return Operation(name=f"a {name} of several commits", next_step=step)
    return None


def _rebase(state: Path, *, unmerged: bool) -> Operation:
    branch = _first_line(state / "head-name").removeprefix("refs/heads/")
    name = f"a rebase of {branch}" if branch else "a rebase"
    onward = "run_command: git rebase --continue"
    if (state / "amend").exists():  # the user stopped at this commit to change it: there is no conflict
        return Operation(name=name, next_step=f"It goes on with {onward}.")
    first = f"{_RESOLVE}, then go" if unmerged else f"{_RESOLVED}: go"
    return Operation(name=name, next_step=f"{first} on with {onward}.", source="REBASE_HEAD")


def _first_line(file: Path) -> str:
    if not file.is_file():
        return ""
    return file.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
