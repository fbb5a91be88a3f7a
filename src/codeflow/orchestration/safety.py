"""The checkpoints of one run: the way back, and what the run changed."""

import asyncio

from codeflow.core.errors import SessionError
from codeflow.core.events import CheckpointTaken, Emit
from codeflow.core.values import FileChange
from codeflow.sessions.checkpoints import END, Checkpoint, Checkpoints


class Safety:
    """Saves the work tree once before the first change, and compares with that state later."""

    def __init__(self, checkpoints: Checkpoints, emit: Emit) -> None:
        self._checkpoints = checkpoints
        self._emit = emit
        self._first: Checkpoint | None = None
        self._lock = asyncio.Lock()

    @property
    def unavailable(self) -> str | None:
        """Why there are no checkpoints here, or None."""
        return self._checkpoints.unavailable

    async def ensure(self) -> None:
        """Save the work tree unless this run has done so."""
        async with self._lock:
            if self._first is not None or self.unavailable is not None:
                return
            earlier = await asyncio.to_thread(self._checkpoints.history)
            if earlier:
                self._first = earlier[0]
                return
            first = await asyncio.to_thread(self._checkpoints.take, "before the first change")
            self._first = first
        self._emit(CheckpointTaken(checkpoint_id=first.id, label=first.label, files=first.files))

    async def rewind(self, checkpoint_id: str) -> None:
        """Put the tree back to a checkpoint."""
        raise SessionError(f"no way back to {checkpoint_id} yet")

    async def changes(self, label: str = "during the run") -> tuple[tuple[FileChange, ...], str]:
        """Files and patch since the checkpoint, saved once more under this label; nothing without one."""
        if self._first is None:
            return (), ""
        now = await asyncio.to_thread(self._checkpoints.take, label)
        return await asyncio.to_thread(self._checkpoints.diff, self._first, now)

    async def finish(self) -> tuple[tuple[FileChange, ...], str]:
        """The run's changes; what follows is the user's work, and undo tells them apart."""
        return await self.changes(END)
