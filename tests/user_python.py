"""The Python of the user whose projects the tests work on: it has pytest, and nothing else."""

import importlib.metadata
import shutil
import venv
from pathlib import Path

# what `import pytest` needs; plugins of ours (hypothesis, xdist, …) would take a second of every gate that runs it
_PARTS = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")


def create(folder: Path) -> Path:
    """Makes the environment in an empty folder; where its programs are."""
    venv.create(folder, symlinks=True, with_pip=False)
    packages = next(folder.glob("lib/python*/site-packages"))
    for part in _PARTS:
        for installed in _top_level(part):
            copy = shutil.copytree if installed.is_dir() else shutil.copy
            copy(installed, packages / installed.name)
    return folder / "bin"


def _top_level(distribution: str) -> list[Path]:
    """The files and folders in site-packages that a distribution consists of."""
    files = importlib.metadata.files(distribution) or []
    tops = {Path(file.parts[0]) for file in files if not file.parts[0].startswith("..")}
    home = Path(str(importlib.metadata.distribution(distribution).locate_file("")))
    return [home / top for top in tops if top.name != "__pycache__"]
