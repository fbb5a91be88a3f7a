"""Where the outputs of a session's tools are kept: FOLDER/SESSION, readable by nobody else, gone after a while."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

KEPT_DAYS = 30
"""Outputs of a session that nobody has worked on for so long are removed: its log holds what the models saw of them."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """The kept outputs of all sessions of a user."""

    folder: Path

    def of(self, session_id: str) -> Path:
        """The session's own folder, which is made when something is kept."""
        return self.folder / session_id

    def remove(self, session_id: str) -> None:
        """Forget what was kept for a session."""
        shutil.rmtree(self.of(session_id), ignore_errors=True)

    def remove_old(self, now: float | None = None) -> None:
        """Forget what has become old; `now` in seconds since the epoch. A folder that cannot be removed stays."""
        oldest = (time.time() if now is None else now) - KEPT_DAYS * 86_400
        for session in self.folder.iterdir() if self.folder.is_dir() else ():
            newest = max((_changed(path) for path in (session, *session.glob("*"))), default=0.0)
            if newest < oldest:
                shutil.rmtree(session, ignore_errors=True)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another process was faster
        return 0.0
