"""Programs that codeflow starts itself: never one that stands in the folder that is worked in.

A command of an agent may have put it there, and it would run outside the sandbox.
"""

import os
import shutil
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

NO_NETWORK_GIT = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
"""Variables under which git fetches nothing, whatever a repository's configuration says: fetching starts programs."""


def path_outside(path: str, folders: Iterable[Path]) -> str:
    """A PATH without what stands in the folders, or leads there, and without relative entries."""
    folders = tuple(folders)
    entries = map(Path, path.split(os.pathsep))
    return os.pathsep.join(
        str(entry)
        for entry in entries
        if entry.is_absolute()
        and not any(place.is_relative_to(folder) for folder in folders for place in (entry, entry.resolve()))
    )


def program_outside(name: str, folder: Path) -> str | None:
    """A program from the user's PATH that is not in the folder; None where there is none."""
    return _found(name, folder, os.environ.get("PATH", os.defpath))


@lru_cache(maxsize=256)
def _found(name: str, folder: Path, path: str) -> str | None:
    return shutil.which(name, path=path_outside(path, (folder, folder.resolve())))
