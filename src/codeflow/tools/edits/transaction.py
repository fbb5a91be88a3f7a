"""Writing several files together or not at all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Write:
    """A file's bytes before and after; None where there is no file."""

    real: Path
    before: bytes | None
    after: bytes | None
    mode: int | None
    """Permissions that it shall have; None for those it has."""


def write_all(ws: Workspace, writes: Sequence[Write]) -> None:
    """Writes every file; when one cannot be written, those before it get back what they had.

    Raises:
        Mistake: naming the file that could not be written, and those that could not be restored.
    """
    restores: list[Write] = []
    folders: list[Path] = []
    for write in writes:
        try:
            _refuse_changed(write)
            restores.append(_inverse(write))
            folders += _missing_folders(write.real)
            _perform(ws, write)
        except (OSError, Mistake) as error:
            lost = "".join(_restored(ws, restores[::-1], folders[::-1]))
            raise Mistake(
                f"{ws.relative(write.real)} could not be written: {error} Nothing was changed.{lost}"
            ) from error


def _refuse_changed(write: Write) -> None:
    """A Mistake when another process has put something else there, be it a link that leads elsewhere."""
    if write.real.resolve() != write.real or not _is_as(write.real, write.before):
        raise Mistake("it has changed since it was read. Read it again.")


def _inverse(write: Write) -> Write:
    mode = write.real.stat().st_mode & 0o7777 if write.real.exists() else None
    return Write(write.real, write.after, write.before, mode)


def _missing_folders(real: Path) -> list[Path]:
    """Outermost first."""
    return [parent for parent in reversed(real.parents) if not parent.exists()]


def _perform(ws: Workspace, write: Write) -> None:
    if write.after is None:
        ws.remove(write.real)
    else:
        ws.write(write.real, write.after, write.mode)


def _restored(ws: Workspace, restores: Sequence[Write], folders: Sequence[Path]) -> Iterator[str]:
    """Takes writes back; yields what could not be."""
    for restore in restores:
        try:
            if not _is_as(restore.real, restore.after):
                _perform(ws, restore)
        except (OSError, Mistake) as error:
            yield f" But {ws.relative(restore.real)} could not be restored: {error}"
    for folder in folders:
        if folder.exists():
            folder.rmdir()


def _is_as(real: Path, data: bytes | None) -> bool:
    return real.read_bytes() == data if real.exists() else data is None
