"""A virtual environment that serves another checkout than the one it was made in, as in a worktree of codeflow's.

Packages that were installed from that checkout in editable mode would be imported from there, and tests would run
code that nobody is changing. Their counterparts in this checkout are put in front of them.
"""

import ast
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

_MAPPING = re.compile(r"^MAPPING[^=\n]*= (\{.*\})$", re.MULTILINE)
"""Of setuptools: package -> its folder."""


def lender_of(venv: Path) -> Path | None:
    """The folder that a linked virtual environment was made in; None for one that is not linked."""
    scripts = venv / "bin"
    return Path(scripts.readlink()).parent.parent.resolve() if scripts.is_symlink() else None


def borrowed_environment(venv: Path) -> dict[str, str]:
    """The variables with which a linked virtual environment serves the folder it is in; none for any other."""
    lender = lender_of(venv)
    if lender is None:
        return {}
    here = counterparts(venv, lender, venv.parent)
    no_sync = {"UV_NO_SYNC": "1"}  # `uv run` would install this checkout into the other one's environment
    return no_sync | ({"PYTHONPATH": os.pathsep.join(here)} if here else {})


def counterparts(venv: Path, checkout: Path, other: Path) -> list[str]:
    """Where the other checkout has what an environment's editable packages have in `checkout`, for PYTHONPATH."""
    places = (place for place in editable_sources(venv) if place.is_relative_to(checkout))
    return list(dict.fromkeys(str(other / place.relative_to(checkout)) for place in places))


def import_hooks(venv: Path, checkout: Path) -> list[str]:
    """The modules in an environment through which Python imports from a checkout whatever PYTHONPATH says."""
    return [
        hook.name
        for packages in venv.glob("lib/python*/site-packages")
        for hook in sorted(packages.glob("*editable*.py"))
        if f"{checkout}{os.sep}" in (text := _text(hook)) and not all(_mapped(text))
    ]


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


def _mapped(finder: str) -> Iterator[Path | None]:
    """For each package that a finder of setuptools knows, where its top stands; None when no path can lead to it."""
    found = _MAPPING.search(finder)
    if not found:
        yield None
        return
    for package, folder in ast.literal_eval(found[1]).items():
        parts = package.split(".")
        place = Path(folder).resolve()
        yield place.parents[len(parts) - 1] if place.parts[-len(parts) :] == tuple(parts) else None


def editable_sources(venv: Path) -> Iterator[Path]:
    """Where Python finds the packages that are installed in editable mode."""
    for packages in venv.glob("lib/python*/site-packages"):
        for listing in sorted(packages.glob("*.pth")):
            lines = (line.strip() for line in _text(listing).splitlines())
            paths = (line for line in lines if line and not line.startswith(("#", "import ", "import\t")))
            yield from ((packages.resolve() / path).resolve() for path in paths)
        for finder in sorted(packages.glob("__editable__*_finder.py")):
            yield from filter(None, _mapped(_text(finder)))
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
