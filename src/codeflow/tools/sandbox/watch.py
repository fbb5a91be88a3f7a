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
from codeflow.tools.sandbox.protected import Protection, first_link

_HARMLESS_KEYS = re.compile(
    r"core\.(repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode|symlinks)"
    r"|(user|init)\.\w+|(remote|branch)\..+\.(url|fetch|remote|merge|pushurl)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Watch:
    """Looks after a command at what was protected and not there before it."""

    before: Protection
    aside: Path
    """A folder that no command can reach."""

    def put_aside(self) -> Sequence[str]:
        """What to tell of protected paths that the command made or replaced; they are moved out of the workspace.

        A link is moved itself, wherever it leads.
        """
        known = {link for link, _ in self.before.links}
        told = []
        for root, path in self.before.absent:
            made = first_link(root, path) or path
            if os.path.lexists(made) and made not in known and not _is_harmless_repository(made):
                told.append(f"{made} is protected and was made by the command; it is now {self._move(made)}")
        for link, target in self.before.links:
            if not link.is_symlink() or str(link.readlink()) != target:
                where = self._move(link) if os.path.lexists(link) else "gone"
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(target)
                told.append(f"{link} is protected and was replaced by the command; that is now {where}")
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
    if any(
        os.path.lexists(path / name) for name in ("info/attributes", "config.worktree", "commondir", "gitdir")
    ):
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
