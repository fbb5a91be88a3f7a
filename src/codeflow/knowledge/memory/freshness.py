"""Whether the files that a note is about are still as they were when it was written."""

from collections.abc import Iterable
from hashlib import file_digest
from pathlib import Path

from codeflow.core.errors import UsageError
from codeflow.core.notes import Note, NotedFile

MAX_FILES = 10


def noted(files: Iterable[str], top: Path) -> tuple[NotedFile, ...]:
    """The files as they are now; `top` is the folder their paths begin at.

    Raises:
        UsageError: for what is no file in that folder, and for too many.
    """
    paths = list(dict.fromkeys(files))
    if len(paths) > MAX_FILES:
        raise UsageError(
            f"a note names at most {MAX_FILES} files, not {len(paths)}", hint="Name those that show it."
        )
    return tuple(_noted(path, top) for path in paths)


def outdated(note: Note, top: Path) -> tuple[str, ...]:
    """What has happened to its files since, such as "a.py has changed" and "b.py is gone"."""
    found = ((file, _digest(top / file.path)) for file in note.files)
    return tuple(
        f"{file.path} {'is gone' if digest is None else 'has changed'}"
        for file, digest in found
        if digest != file.digest
    )


def renewed(files: Iterable[NotedFile], top: Path) -> tuple[NotedFile, ...]:
    """The files with what they hold now, without those that are gone."""
    found = ((file.path, _digest(top / file.path)) for file in files)
    return tuple(NotedFile(path=path, digest=digest) for path, digest in found if digest is not None)


def _noted(path: str, top: Path) -> NotedFile:
    real = Path(path).resolve()
    digest = _digest(real) if real.is_relative_to(top) else None
    if digest is None:
        raise UsageError(f"{path}: no file of this project", hint="Name files that exist below it.")
    return NotedFile(path=real.relative_to(top).as_posix(), digest=digest)


def _digest(path: Path) -> str | None:
    """None for what is no file that can be read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):  # ValueError: a path with a null byte
        return None
