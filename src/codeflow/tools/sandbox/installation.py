"""Where codeflow itself stands, if commands could change it there: each of its processes starts outside the sandbox."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

_PACKAGE = Path(__file__).parents[2]
_OF_AN_ENVIRONMENT = ("bin", "include", "lib", "lib64", "pyvenv.cfg")
"""Where an environment is the very folder that is worked in."""


def installed(roots: Iterable[Path]) -> list[tuple[Path, Path]]:
    """What codeflow runs from, in folders that commands may change; each with that folder."""
    prefixes = {path for name in (sys.prefix, sys.base_prefix) for path in (Path(name), Path(name).resolve())}
    packages = {_PACKAGE, _PACKAGE.resolve()} if _is_installed() else set[Path]()
    found = list[tuple[Path, Path]]()
    for root in roots:
        for folder in (*prefixes, *(package.parent for package in packages)):
            if folder == root:
                found += [(root, root / name) for name in _OF_AN_ENVIRONMENT if folder in prefixes]
                found += [(root, package) for package in packages if package.parent == root]
            elif folder.is_relative_to(root):
                found.append((root, folder))
    return sorted({*found})


def edited(roots: Iterable[Path]) -> Path | None:
    """The source that codeflow runs from, where it is worked on: it has to be changeable there."""
    package = _PACKAGE.resolve()
    return package if not _is_installed() and any(package.is_relative_to(root) for root in roots) else None


def told(roots: Iterable[Path]) -> str:
    """What a person should know of that; empty where commands are kept from all of it anyway."""
    roots = tuple(roots)
    texts = list[str]()
    if held := installed(roots):
        texts.append(
            f"codeflow runs from {held[0][1]}, which is therefore read-only for commands, such as those that install "
            "packages there"
        )
    if source := edited(roots):
        texts.append(
            f"codeflow runs from the source in {source}, which commands may change: what they write there runs outside "
            "the sandbox"
        )
    said = [f"{'; '.join(texts)}. Install codeflow elsewhere, such as by pipx"] if texts else []
    if place := imported_from(roots):
        said.append(
            f"PYTHONPATH names {place}, where commands may write: what they put there runs outside the sandbox when codeflow, "
            "or any Python of yours, starts next. Start codeflow without it: PYTHONPATH= codeflow"
        )
    return ". ".join(said)


def imported_from(roots: Iterable[Path]) -> Path | None:
    """The first folder of PYTHONPATH that commands may write to; an empty entry is the folder that one is in."""
    variable = os.environ.get("PYTHONPATH")
    places = (Path(entry).resolve() for entry in variable.split(os.pathsep)) if variable else ()
    return next((place for place in places if any(place.is_relative_to(root) for root in roots)), None)


def _is_installed() -> bool:
    """Whether the package was put where it is by an installer, and is not a source that somebody edits."""
    return any(_PACKAGE.parent.glob("codeflow-*.dist-info"))
