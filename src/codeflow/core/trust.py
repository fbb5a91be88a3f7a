"""The folders that the user trusts with `codeflow trust`, beside those in `trusted_folders` of their own settings."""

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from codeflow.core.places import config_home
from codeflow.core.private import PrivateFile


class TrustedFolders:
    """A file of codeflow's own: the user's settings are theirs, and only `codeflow setup` writes there."""

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        self._file = PrivateFile(config_home(env) / "trusted.json", "folders")

    @property
    def path(self) -> Path:
        return self._file.path

    def since(self) -> dict[str, str]:
        """Each folder, as an absolute path, with the day it was trusted.

        Raises:
            UsageError: when the file cannot be used.
        """
        return {str(record.get("path", "")): str(record.get("since", "")) for record in self._file.read()}

    def add(self, folder: Path) -> None:
        record = {"path": str(folder.resolve()), "since": datetime.now(UTC).date().isoformat()}
        self._file.change(lambda records: [*(r for r in records if r.get("path") != record["path"]), record])

    def remove(self, folder: Path) -> bool:
        """Whether it was there."""
        path = str(folder.resolve())
        known = path in self.since()
        if known:
            self._file.change(lambda records: [record for record in records if record.get("path") != path])
        return known


def is_trusted(folder: Path, trusted: Iterable[str]) -> bool:
    """Whether a folder is one of those."""
    return folder.resolve() in {Path(known).expanduser().resolve() for known in trusted}
