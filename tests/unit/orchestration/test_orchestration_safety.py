"""When checkpoints are taken."""

import asyncio
import contextlib
import threading
from pathlib import Path
from typing import Any

from typing_extensions import override

from codeflow.orchestration.safety import Safety
from codeflow.sessions.checkpoints import Checkpoints
from codeflow.sessions.history import Checkpoint


class Held(Checkpoints):
    """Each is taken when it may be; counts how many are being taken at once."""

    def __init__(self, workspace: Path, home: Path) -> None:
        super().__init__(workspace, "s1", home)
        self.begun, self.may = threading.Event(), threading.Event()
        self.at_once = self.most_at_once = 0

    @override
    def take(self, *args: Any, **more: Any) -> Checkpoint:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.set()
        assert self.may.wait(30)
        try:
            return super().take(*args, **more)
        finally:
            self.at_once -= 1


async def test_a_checkpoint_whose_run_was_interrupted_ends_before_the_next_one_begins(tmp_path):
    workspace = tmp_path / "w"
    workspace.mkdir()
    (workspace / "a.txt").write_text("one\n")
    checkpoints = Held(workspace, tmp_path / "home")
    safety = Safety(checkpoints, lambda _event: None)
    first = asyncio.ensure_future(safety.ensure())
    assert await asyncio.to_thread(checkpoints.begun.wait, 30)
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    second = asyncio.ensure_future(safety.ensure())
    await asyncio.sleep(0)
    checkpoints.may.set()
    await second
    assert checkpoints.most_at_once == 1
    assert [one.number for one in checkpoints.history()] == [1]
