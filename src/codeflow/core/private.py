"""Files of a user that nobody else can read and that are whole at any time; small JSON ones, changed by one process at a time."""

import fcntl
import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codeflow.core.errors import UsageError
from codeflow.core.places import private_folder

Records = list[dict[str, Any]]


def replace_file(path: Path, content: bytes) -> None:
    """Put a file in place that its owner alone can read; whoever looks meanwhile sees the old one or the new one.

    Raises:
        OSError: when that cannot be done; what was there is as it was.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class PrivateFile:
    """A list of records under one key of a JSON object."""

    def __init__(self, path: Path, key: str, **about: str) -> None:
        """`about` stands beside the list, for people who look into the file."""
        self.path = path
        self._key = key
        self._about = about

    def read(self) -> Records:
        """The records; none when there is no file.

        Raises:
            UsageError: when it cannot be read.
        """
        try:
            records = json.loads(self.path.read_bytes())[self._key]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._unusable(error) from error
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise self._unusable("it is not what codeflow writes")
        return records

    def change(self, edit: Callable[[Records], Records]) -> None:
        """Put what `edit` makes of the records in their place.

        Raises:
            UsageError: when the file cannot be read or written; it is then as it was.
        """
        try:
            private_folder(self.path.parent)
            lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
            with os.fdopen(lock) as held:
                fcntl.flock(held, fcntl.LOCK_EX)
                self._write(edit(self.read()))
        except OSError as error:
            raise self._unusable(error) from error

    def _write(self, records: Records) -> None:
        replace_file(self.path, json.dumps(self._about | {self._key: records}, indent=1).encode())

    def _unusable(self, problem: object) -> UsageError:
        return UsageError(f"{self.path}: cannot be used: {problem}", hint="Correct or remove the file.")
