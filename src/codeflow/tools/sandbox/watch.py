"""Protected files that a command made although they were not there: they are put aside when it has ended.

What exists is read-only while a command runs; what does not exist cannot be made so.
"""

import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeflow.core.places import private_folder

_HARMLESS_KEYS = re.compile(
    r"core\.(repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode|symlinks)"
    r"|(user|init)\.\w+|(remote|branch)\..+\.(url|fetch|remote|merge|pushurl)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Watch:
    """How protected paths stood before a command: their links' targets, and those that were absent."""

    absent: tuple[Path, ...]
    links: tuple[tuple[Path, str], ...]
    aside: Path
    """A folder that no command can reach."""

    @classmethod
    def over(cls, paths: Iterable[Path], aside: Path) -> "Watch":
        absent, links = [], []
        for path in paths:
            if path.is_symlink():
                links.append((path, str(path.readlink())))
            elif not os.path.lexists(path):
                absent.append(path)
        return cls(tuple(absent), tuple(links), aside)

    def put_aside(self) -> Sequence[str]:
        """What to tell of protected paths that the command made or replaced; they are moved out of the workspace."""
        told = [
            f"{path} is protected and was made by the command; it is now {self._move(path)}"
            for path in self.absent
            if os.path.lexists(path) and not _is_harmless_repository(path)
        ]
        for path, target in self.links:
            if not path.is_symlink() or str(path.readlink()) != target:
                where = self._move(path) if os.path.lexists(path) else "gone"
                path.symlink_to(target)
                told.append(f"{path} is protected and was replaced by the command; that is now {where}")
        return told

    def _move(self, path: Path) -> Path:
        place = self.aside / uuid.uuid4().hex[:8]
        private_folder(place.parent)
        place.mkdir(mode=0o700)
        shutil.move(path, place / path.name)
        return place / path.name


def _is_harmless_repository(path: Path) -> bool:
    """Whether this is what `git init` or `git clone` makes: no hook that runs, no setting that names a program."""
    if path.name != ".git" or path.is_symlink() or not path.is_dir():
        return False
    hooks = path / "hooks"
    if hooks.is_symlink() or (
        hooks.is_dir() and any(not hook.name.endswith(".sample") for hook in hooks.iterdir())
    ):
        return False
    if (path / "info/attributes").exists() or (path / "config.worktree").exists():
        return False
    config = path / "config"
    if not config.exists() and not config.is_symlink():
        return True
    is_file = stat.S_ISREG(config.lstat().st_mode)
    return is_file and all(map(_HARMLESS_KEYS.fullmatch, _keys(config.read_text(errors="replace"))))


def _keys(config: str) -> Iterable[str]:
    """Dotted names of everything that a git configuration sets; what is not plain is a name that nothing allows."""
    section = "?"
    for line in map(str.strip, config.splitlines()):
        if not line or line[0] in "#;":
            continue
        if header := re.fullmatch(r'\[([\w.-]+)(?: "([^"\\]*)")?\]', line):
            section = ".".join(filter(None, header.groups()))
        elif key := re.fullmatch(r"([A-Za-z][\w-]*)(?:\s*=[^\\]*)?", line):
            yield f"{section}.{key[1]}"
        else:
            yield "?"
