"""What a run made in its worktree of files that git ignores: no branch holds them, and no merge takes them."""

import filecmp
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from codeflow.core.errors import SessionError, remedy
from codeflow.core.text import listed
from codeflow.core.values import Worktree
from codeflow.sessions.repository import EXCLUDED
from codeflow.sessions.worktrees.furnishing import is_link_folders_mark
from codeflow.sessions.worktrees.repository import inert_git

_IGNORED = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
_MOST_NAMES = 10


def ignored_work(worktree: Worktree) -> list[str]:
    """The ignored files that are not the same in the user's folder; links, and what tools fill again, left out."""
    top = top_of_origin(worktree)
    return [
        path.as_posix()
        for path in _ignored_files(worktree.path)
        if not _is_same(worktree.path / path, top / path)
    ]


def top_of_origin(worktree: Worktree) -> Path:
    """The root of the repository that the user's folder is in."""
    inside = worktree.folder.relative_to(worktree.path)
    return worktree.origin.parents[len(inside.parts) - 1] if inside.parts else worktree.origin


def check_copying(worktree: Worktree, paths: Sequence[str]) -> None:
    """Whether files can be copied to the user's folder.

    Raises:
        SessionError: naming those that the user has too, with another content.
    """
    top = top_of_origin(worktree)
    there = [path for path in paths if os.path.lexists(top / path)]
    if there:
        raise SessionError(
            f"files that git ignores are not the same here and in the worktree: {listed(there, _MOST_NAMES)}",
            hint=f"Copy what you want from {worktree.path}, then "
            f"`codeflow worktrees merge {worktree.session_id} --without-ignored`.",
        )


def copy_ignored(worktree: Worktree, paths: Sequence[str]) -> None:
    """Copies files to the same places in the user's folder.

    Raises:
        SessionError: when one cannot be copied.
    """
    top = top_of_origin(worktree)
    for path in paths:
        try:
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(worktree.path / path, top / path)
        except OSError as error:
            raise SessionError(
                f"merged, but {path}, which git ignores, could not be copied: {error.strerror}",
                hint=f"{remedy(error)} Copy it from {worktree.path}, then "
                f"`codeflow worktrees drop {worktree.session_id}`.",
            ) from error


def _ignored_files(top: Path) -> Iterator[Path]:
    for name in inert_git(top).names(*_IGNORED):
        if Path(name).name in EXCLUDED:
            continue
        if not name.endswith("/"):
            yield from _unless_link(top, Path(name))
            continue
        for folder, folders, files in os.walk(top / name):
            folders[:] = sorted(set(folders) - EXCLUDED)
            below = Path(folder).relative_to(top)
            for file in sorted(files):
                yield from _unless_link(top, below / file)


def _unless_link(top: Path, path: Path) -> Iterator[Path]:
    file = top / path
    if file.is_file() and not file.is_symlink() and not is_link_folders_mark(file):
        yield path


def _is_same(file: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(file, other, shallow=False)
