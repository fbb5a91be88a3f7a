"""What a worktree takes along of the files that git ignores, so that tests run there as they do in the user's folder."""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from codeflow.core.settings import WorktreeSettings
from codeflow.core.values import Worktree
from codeflow.sessions.repository import Git

_OPENED = ".bin"
_MARK, _EVERYTHING = ".gitignore", "*\n"


def furnish(git: Git, top: Path, worktree: Worktree, wanted: WorktreeSettings) -> None:
    """Links the content of ignored folders and copies ignored files, where the settings want them.

    Raises:
        OSError: when one cannot be written.
    """
    for name in _candidates(git, worktree, wanted.linked):
        source, place = top / name, worktree.path / name
        if place.exists() or place.is_symlink() or not place.parent.is_dir():
            continue
        if source.is_dir() and _matches(name, wanted.linked):
            _link_content(source, place)
            (place / _MARK).write_text(_EVERYTHING)  # whatever the project's own says
        elif source.is_file() and _matches(name, wanted.copied):
            shutil.copy2(source, place)


def is_link_folders_mark(file: Path) -> bool:
    """Whether a file is what makes git ignore a folder of links."""
    return file.name == _MARK and file.read_bytes() == _EVERYTHING.encode()


def _candidates(git: Git, worktree: Worktree, linked: Iterable[str]) -> Iterator[str]:
    """What git ignores in the user's folder, and folders to be linked that are merely untracked."""
    ignored = git.names("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    yield from (name.rstrip("/") for name in ignored)
    inside = worktree.folder.relative_to(worktree.path)
    yield from ((folder / name).as_posix() for name in linked for folder in dict.fromkeys((Path(), inside)))


def _matches(name: str, patterns: Sequence[str]) -> bool:
    base = name.rpartition("/")[2]
    return any(fnmatchcase(name if "/" in pattern else base, pattern) for pattern in patterns)


def _link_content(source: Path, place: Path) -> None:
    """A folder of links to what another one holds: to add to it, or to remove it, leaves the other one alone.

    A relative link is taken as it is: in node_modules it leads to a package of the project, which is to be the
    worktree's own. So scopes such as `@types`, and `.bin`, are opened.
    """
    place.mkdir()
    with os.scandir(source) as entries:
        for entry in entries:
            new = place / entry.name
            if entry.is_symlink():
                new.symlink_to(Path(entry.path).readlink())
            elif entry.is_dir() and (entry.name == _OPENED or entry.name.startswith("@")):
                _link_content(Path(entry.path), new)
            elif entry.name != _MARK:
                new.symlink_to(entry.path)
