"""The checkpoints of one run: when they are taken, what the run changed, and the way back."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from codeflow.agents.bench import Change
from codeflow.core.errors import SessionError, UsageError
from codeflow.core.events import Notice
from codeflow.core.ports import Emit
from codeflow.core.session_events import CheckpointTaken
from codeflow.core.text import listed
from codeflow.core.values import Effect, FileChange
from codeflow.sessions.carrying import carried
from codeflow.sessions.checkpoints import Checkpoints
from codeflow.sessions.history import Checkpoint, Kind
from codeflow.sessions.patches import printable

_LABEL_CHARS = 100
_MOST_NAMES = 6


class Safety:
    """Saves the work tree before each tool call that may change it, and keeps apart who changed what.

    Between two checkpoints the run's are the paths that its editing tools name; while a command runs, whatever changes.
    All else is the user's, who may well edit files meanwhile.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        emit: Emit,
        *,
        is_busy: Callable[[], bool] = lambda: False,
        began_at: str | None = None,
        cut_at: float | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        """`is_busy` says whether commands run in the background; `began_at` is the first checkpoint of a resumed run.

        `cut_at`, in seconds since 1970, is when the process before this one was alive last, which may have been killed.
        `redact` takes credentials out of patches, which models and people are shown; files with some stay here.
        """
        self._checkpoints = checkpoints
        self._emit = emit
        self._is_busy = is_busy
        self._began_at = began_at
        self._cut_at = cut_at
        self._redact = redact
        self._first: Checkpoint | None = None
        self._lock = asyncio.Lock()
        self._camera = threading.Lock()
        """Held while a checkpoint is taken: whoever waited for it may have been cancelled, and its thread goes on."""
        self._agents: set[str] = set()
        self._claimed: set[str] = set()
        self._commands_ran = False

    @property
    def workspace(self) -> Path:
        return self._checkpoints.workspace

    @property
    def unavailable(self) -> str | None:
        """Why there are no checkpoints here, or None."""
        return self._checkpoints.unavailable

    async def ensure(self) -> None:
        """Save the work tree unless this run has done so; a resumed run keeps its first checkpoint."""
        async with self._lock:
            if self._first is not None or self.unavailable is not None:
                return
            if self._began_at is not None:
                self._first = await asyncio.to_thread(self._find, self._began_at)
            self._commands_ran = True  # a run that was killed may have left a command half done
            label = "before the first change" if self._first is None else "where the run went on"
            taken = await self._take(label, cut_at=self._cut_at)
            self._first = self._first or taken

    async def before(self, change: Change) -> None:
        """Save the work tree before a tool call that may change it.

        Raises:
            SessionError: when it cannot be saved; nothing is changed without a way back.
        """
        await self.ensure()
        if self.unavailable is not None:
            return
        async with self._lock:
            uncovered = [path for path in change.paths if not self._checkpoints.covers(path)]
            await self._take(self._occasion(change), call_id=change.call_id, held=_with_parents(uncovered))
            self._commands_ran = self._commands_ran or change.effect is Effect.EXECUTE

    async def after(self, change: Change, changed: Sequence[str]) -> None:
        """Note what a tool call changed; from now on changes are the user's again, also of the same files."""
        if self.unavailable is not None:
            return
        async with self._lock:
            self._claimed.update(changed)
            with contextlib.suppress(SessionError):  # what cannot be saved now stops the next change
                await self._take(f"after {_call(change)}", after=change.call_id)

    def command_starts(self) -> None:
        """Take note of a command that is no tool call, such as a gate's."""
        self._commands_ran = True

    async def mark(self, label: str) -> None:
        """Save the work tree after commands that are no tool calls."""
        if self._first is not None:
            async with self._lock:
                with contextlib.suppress(SessionError):  # likewise, or the end of the run says so
                    await self._take(label)

    async def rewind(self, checkpoint_id: str) -> None:
        """Put the work tree back to exactly a checkpoint, for a tool call that was cut short and is made again.

        Raises:
            SessionError: when somebody has worked there since, the checkpoint is gone, or a file cannot be written.
        """
        await self.ensure()
        async with self._lock:
            checkpoint = await asyncio.to_thread(self._checkpoints.find, checkpoint_id)
            back = await asyncio.to_thread(self._checkpoints.restore_to, checkpoint)
        if back.safety:
            names = ", ".join((*back.restored, *back.removed))
            self._emit(
                Notice(
                    level="info",
                    text=f"a call that was cut short is made again; put back to before it: {names} "
                    f"(`codeflow undo --to {back.safety}` has what was there)",
                )
            )

    async def changes(self) -> tuple[tuple[FileChange, ...], str]:
        """Files and patch since the run began; the work tree is saved once more. Nothing without a checkpoint."""
        return await self._compare("during the run", Kind.STEP)

    async def finish(self) -> tuple[tuple[FileChange, ...], str]:
        """The run's changes; what follows is the user's work, and undo tells them apart."""
        found = await self._compare("after the run", Kind.END)
        await self._tell_surfaced()
        return found

    async def _tell_surfaced(self) -> None:
        """Files that git ignored when the run began and does not any more are in no list of changes."""
        newest = self._checkpoints.newest() if self._first else None
        if self._first is None or newest is None:
            return
        surfaced = await asyncio.to_thread(self._checkpoints.surfaced, self._first, newest)
        if surfaced:
            names = listed(sorted(map(printable, surfaced)), _MOST_NAMES)
            text = f"visible to git now, which ignored them when the run began, and not among its changes: {names}"
            self._emit(Notice(level="info", text=text))

    async def carry(self) -> str | None:
        """Put what was changed into the log, for whoever goes on may be on another machine; says what is missing."""
        if self._first is None:
            return None
        try:
            found = await asyncio.to_thread(carried, self._checkpoints, self._first, self._redact)
        except SessionError as error:
            return f"the changes are only here, not in the session's log: {error}"
        if found is None:
            return None
        self._emit(found)
        reasons = {
            "too large to go with the session to another machine": found.left_out,
            "with credentials, so not in the session's log for another machine": found.withheld,
        }
        return "; ".join(f"{why}: {', '.join(names)}" for why, names in reasons.items() if names) or None

    async def _compare(self, label: str, kind: Kind) -> tuple[tuple[FileChange, ...], str]:
        if self._first is None:
            return (), ""
        async with self._lock:
            now = await self._take(label, kind)
            files, patch = await asyncio.to_thread(self._checkpoints.diff, self._first, now)
        return files, self._redact(patch)

    def _alone(self, label: str, kind: Kind, **more: Any) -> Checkpoint:
        with self._camera:
            return self._checkpoints.take(label, kind, **more)

    async def _take(
        self,
        label: str,
        kind: Kind = Kind.STEP,
        *,
        call_id: str | None = None,
        after: str | None = None,
        held: Iterable[str] = (),
        cut_at: float | None = None,
    ) -> Checkpoint:
        claimed = None if self._commands_ran else frozenset(self._claimed)
        taken = await asyncio.to_thread(self._alone, label, kind, claimed=claimed, held=held, cut_at=cut_at)
        tree = await asyncio.to_thread(self._checkpoints.files_of, taken)
        self._claimed.clear()
        self._commands_ran = self._is_busy()
        self._emit(
            CheckpointTaken(
                checkpoint_id=taken.id,
                label=label,
                files=taken.files,
                call_id=call_id,
                after_call_id=after,
                tree=tree,
                taken_at=taken.taken_at,
            )
        )
        return taken

    def _find(self, checkpoint_id: str) -> Checkpoint | None:
        """The checkpoint; None when it was pruned."""
        try:
            return self._checkpoints.find(checkpoint_id)
        except UsageError:
            return None

    def _occasion(self, change: Change) -> str:
        if change.effect is Effect.WRITE and change.agent not in self._agents:
            self._agents.add(change.agent)
            return f"before {change.agent}'s first edit"
        return f"before {_call(change)}"


def _call(change: Change) -> str:
    text = f"{change.tool}: {change.summary}" if change.summary else change.tool
    return text if len(text) <= _LABEL_CHARS else text[: _LABEL_CHARS - 1] + "…"


def _with_parents(paths: Iterable[str]) -> set[str]:
    """The paths, and the folders above them, which may be new as well."""
    return {str(place) for path in paths for place in (PurePosixPath(path), *PurePosixPath(path).parents)} - {
        "."
    }
