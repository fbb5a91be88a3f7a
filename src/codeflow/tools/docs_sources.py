"""What there is to read about a project offline: its own Markdown, its installed Python packages, Python itself."""

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import Distribution, distributions
from itertools import islice
from pathlib import Path

from codeflow.tools.docs_entries import Entry, markdown_entries, python_entries
from codeflow.tools.environment import project_venv
from codeflow.tools.process import execute
from codeflow.tools.search import visible_files
from codeflow.tools.workspace import Workspace

REPOSITORY = "repository"
STANDARD_LIBRARY = "python"

_TIMEOUT_S = 10.0
_MOST_FILES = 3_000
_LARGEST_FILE_BYTES = 1_000_000
_NOT_DOCUMENTED = {
    "tests",
    "test",
    "testing",
    "_vendor",
    "distutils",  # gone from Python 3.12, and setuptools' copy is not for callers
    "idlelib",
    "lib2to3",
    "site-packages",
    "__pycache__",
}
_WHERE = "import sysconfig; print(sysconfig.get_path('purelib')); print(sysconfig.get_path('stdlib'))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One thing that is indexed as a whole; another `version` at the same location replaces it."""

    name: str
    version: str
    location: str
    read: Callable[[], Iterator[Entry]]
    """Everything that can be found in it; files that cannot be read hold nothing."""


async def sources(ws: Workspace) -> list[Source]:
    """The repository's own documents first, then every installed package, then Python's standard library."""
    names = [name for name in await visible_files(ws, ".") if name.endswith(".md")]
    site, standard = await _python_folders(ws)
    return await asyncio.to_thread(_sources, ws.root, names, site, standard)


def _sources(root: Path, names: list[str], site: Path | None, standard: Path | None) -> list[Source]:
    documents = [root / name for name in names]
    packages = distributions(path=[str(site)]) if site else ()
    return [
        *(_document(root, file) for file in documents if file.is_file()),
        *(_package(found) for found in packages if found.metadata["Name"]),
        *([_standard_library(standard)] if standard else []),
    ]


async def _python_folders(ws: Workspace) -> tuple[Path | None, Path | None]:
    """The packages of the project's interpreter, and its standard library. Nothing of the project runs."""
    venv = project_venv(ws.root)
    own = next(iter(sorted(venv.glob("lib/python3*/site-packages"))), None) if venv else None
    base = _base_library(own) if own else None
    if base:
        return own, base
    try:
        asked = await execute(
            ("python3", "-I", "-c", _WHERE),
            cwd=ws.root,
            env=ws.reading_env,
            timeout_s=_TIMEOUT_S,
            output_limit_chars=10_000,
        )
    except FileNotFoundError:
        return own, None
    if asked.exit_code != 0:
        return own, None
    site, standard = map(Path, asked.output.splitlines())
    return own or site, standard


def _base_library(site: Path) -> Path | None:
    """The standard library of the Python that a virtual environment was made from."""
    configuration = _text(site.parents[2] / "pyvenv.cfg")
    home = re.search(r"^home *= *(.+)$", configuration, re.MULTILINE)
    library = Path(home[1].strip()).parent / "lib" / site.parent.name if home else None
    return library if library and (library / "os.py").is_file() else None


def _document(root: Path, file: Path) -> Source:
    status = file.stat()
    return Source(
        name=REPOSITORY,
        version=f"{status.st_mtime_ns}-{status.st_size}",
        location=str(file),
        read=partial(_entries, root, [file]),
    )


def _package(found: Distribution) -> Source:
    name = found.metadata["Name"]
    location = f"{found.locate_file('')}/{name}"
    return Source(name=name, version=found.version, location=location, read=partial(_package_entries, found))


def _package_entries(found: Distribution) -> Iterator[Entry]:
    yield from markdown_entries(str(found.metadata.json.get("description") or ""), "README")
    modules = [file for file in found.files or () if file.suffix == ".py" and ".." not in file.parts]
    root = Path(str(found.locate_file("")))
    yield from _entries(root, (root / module for module in modules))


def _standard_library(folder: Path) -> Source:
    return Source(
        name=STANDARD_LIBRARY,
        version=folder.name.removeprefix("python"),
        location=str(folder),
        read=lambda: _entries(folder, sorted(folder.rglob("*.py"))),
    )


def _entries(root: Path, files: Iterable[Path]) -> Iterator[Entry]:
    documented = (file for file in files if not _NOT_DOCUMENTED.intersection(file.relative_to(root).parts))
    for file in islice(documented, _MOST_FILES):
        text = _text(file)
        name = file.relative_to(root).as_posix()
        yield from python_entries(text, name) if file.suffix == ".py" else markdown_entries(text, name)


def _text(file: Path) -> str:
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST_FILE_BYTES:
            return ""
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
