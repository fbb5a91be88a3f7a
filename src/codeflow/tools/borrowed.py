"""A virtual environment whose content is linked to that of another checkout, as in a worktree of codeflow's.

Packages that were installed from that checkout in editable mode would be imported from there, and tests would run
code that nobody is changing. Their counterparts in this checkout are put in front of them.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit


def lender_of(venv: Path) -> Path | None:
    """The folder that a linked virtual environment was made in; None for one that is not linked."""
    scripts = venv / "bin"
    return Path(scripts.readlink()).parent.parent.resolve() if scripts.is_symlink() else None


def borrowed_environment(venv: Path) -> dict[str, str]:
    """The variables with which a linked virtual environment serves the folder it is in; none for any other."""
    lender = lender_of(venv)
    if lender is None:
        return {}
    here = dict.fromkeys(
        str(venv.parent / place.relative_to(lender))
        for place in editable_sources(venv)
        if place.is_relative_to(lender)
    )
    no_sync = {"UV_NO_SYNC": "1"}  # `uv run` would install this checkout into the other one's environment
    return no_sync | ({"PYTHONPATH": os.pathsep.join(here)} if here else {})


def editable_sources(venv: Path) -> Iterator[Path]:
    """Where Python finds the packages that are installed in editable mode."""
    for packages in venv.glob("lib/python*/site-packages"):
        for listing in sorted(packages.glob("*.pth")):
            lines = listing.read_text(encoding="utf-8", errors="replace").splitlines()
            yield from (Path(line.strip()).resolve() for line in lines if line.startswith("/"))
        for origin in sorted(packages.glob("*.dist-info/direct_url.json")):  # PEP 610
            if folder := _editable_project(origin):
                yield folder / "src" if (folder / "src").is_dir() else folder


def _editable_project(origin: Path) -> Path | None:
    try:
        facts = json.loads(origin.read_bytes())
        is_editable = facts["dir_info"]["editable"] is True
        return Path(unquote(urlsplit(facts["url"]).path)).resolve() if is_editable else None
    except (ValueError, KeyError, TypeError):
        return None
