"""Writes reports: to stdout, or into a file that its owner alone can read and that replaces nothing of another kind."""

import sys
from dataclasses import dataclass
from pathlib import Path

from codeflow.cli.options import STDOUT
from codeflow.core.errors import UsageError
from codeflow.core.private import replace_file


@dataclass(frozen=True, slots=True)
class Report:
    """A file's text; what begins with the `mark` is an older report of the same kind."""

    text: str
    mark: str


def check_place(path: Path, *, is_page: bool) -> None:
    """Refuse a place that a report cannot be written to, before the work for it is done.

    Raises:
        UsageError: when it is a folder or a device, lies in no folder, or is a terminal.
    """
    if path == STDOUT:
        if is_page and sys.stdout.isatty():
            raise UsageError("a page is no text for a terminal", hint="Name a file: --html FILE.")
        return
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: is not a file", hint=f"Name a file, or {STDOUT} for stdout.")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: its folder does not exist", hint="Make it, or name another file.")


def write_report(path: Path, report: Report) -> None:
    """Write the report and say so; an older one of its kind is replaced.

    Raises:
        UsageError: when another file is there, or it cannot be written.
    """
    content = report.text.encode(errors="replace")
    if path == STDOUT:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    try:
        is_there = path.exists() and path.stat().st_size > 0
        if is_there and not _begins(path, report.mark.encode()):
            raise UsageError(
                f"{path}: is there, and is another file", hint="Remove it, or name another file."
            )
        replace_file(path.resolve(), content)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}", hint="Name another file.") from error
    print(f"{path}: {'replaced' if is_there else 'written'}, readable by you alone")


def _begins(path: Path, mark: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(mark)) == mark
