"""What the commands of one run leave for later: their whole outputs, commands in the background, failed tests."""

import asyncio
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from codeflow.tools.output import plain
from codeflow.tools.process import Outcome, execute
from codeflow.tools.tool import Mistake

KEPT_BYTES = 20_000_000
"""Of one command's output; what comes later is only counted."""

_KEPT_COMMANDS = 50
_NO_LIMIT_S = 1_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Lines of an output, the first one numbered `first`; `total` counts the lines there are so far."""

    first: int
    lines: Sequence[str]
    total: int


@dataclass(slots=True)
class Run:
    """One command, `command` as people and models see it; its output is kept in `path`, outside the tree."""

    id: str
    command: str
    path: Path
    memory_bytes: int
    total_bytes: int = 0
    outcome: Outcome | None = None
    task: "asyncio.Task[Outcome] | None" = None
    """Of a background command."""

    async def execute(
        self, command: str, *, cwd: Path, env: Mapping[str, str], timeout_s: float, output_limit_chars: int
    ) -> Outcome:
        with self.path.open("wb", buffering=0) as file:
            self.outcome = await execute(
                command,
                cwd=cwd,
                env=env,
                timeout_s=timeout_s,
                output_limit_chars=output_limit_chars,
                memory_bytes=self.memory_bytes,
                also=lambda data: self._keep(file, data),
            )
        return self.outcome

    def _keep(self, file: BinaryIO, data: bytes) -> None:
        if (room := KEPT_BYTES - self.total_bytes) > 0:
            file.write(data[:room])
        self.total_bytes += len(data)

    @property
    def is_running(self) -> bool:
        return self.task is not None and not self.task.done()

    def text(self) -> str:
        """What was kept, without terminal escapes."""
        return plain(self.path.read_bytes())

    def page(self, start_line: int, limit_chars: int) -> Page:
        """As many lines as fit into the limit, at least one; a negative start counts from the end."""
        lines = self.path.read_bytes().split(b"\n")
        if not lines[-1]:
            lines.pop()
        first = max(1, start_line if start_line >= 0 else len(lines) + 1 + start_line)
        shown: list[str] = []
        for line in lines[first - 1 :]:
            text = plain(line[: 4 * limit_chars])[:limit_chars]
            limit_chars -= len(text) + 1
            if shown and limit_chars < 0:
                break
            shown.append(text)
        return Page(first=first, lines=shown, total=len(lines))


@dataclass(slots=True)
class Runs:
    """The commands of a run by their ids; each may use `memory_bytes` with all it starts."""

    memory_bytes: int
    lasting: bool = True
    """Whether later calls will come; a tool run by hand is the only call."""
    failed_tests: tuple[str, ...] = ()
    """Ids of the tests that failed last."""
    _folder: Path | None = None
    _runs: dict[str, Run] = field(default_factory=dict)
    _started: int = 0

    def folder(self) -> Path:
        """A folder outside the tree that lasts as long as the run; only the user can read it."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="codeflow-"))
        return self._folder

    def new(self, command: str) -> Run:
        """A command that has not been started; its id stays valid until many others have followed."""
        self._started += 1
        name = f"cmd-{self._started}"
        run = self._runs[name] = Run(name, command, self.folder() / f"{name}.txt", self.memory_bytes)
        finished = [known for known in self._runs.values() if known.outcome]
        for old in finished[:-_KEPT_COMMANDS]:
            old.path.unlink(missing_ok=True)
            del self._runs[old.id]
        return run

    def start(self, command: str, *, cwd: Path, env: Mapping[str, str], output_limit_chars: int) -> Run:
        """Starts a command in the background; it ends by itself, by `stop`, or with the run."""
        run = self.new(command)
        run.path.touch()
        run.task = asyncio.create_task(
            run.execute(
                command, cwd=cwd, env=env, timeout_s=_NO_LIMIT_S, output_limit_chars=output_limit_chars
            )
        )
        return run

    def is_busy(self) -> bool:
        """Whether a command runs in the background."""
        return any(run.is_running for run in self._runs.values())

    def find(self, name: str) -> Run:
        """A command by its id; an unknown id is a Mistake."""
        if name in self._runs:
            return self._runs[name]
        known = ", ".join(list(self._runs)[-10:]) or "none yet"
        raise Mistake(f"There is no output {name!r}; known are: {known}.")

    def whole_output(self, run: Run, more: str = "") -> list[str]:
        """A line on how to read all that a command printed, and more; none where no later call can."""
        also = f"; {more}" if more else ""
        return [f"[whole output: read_output {run.id}{also}]"] if self.lasting else []

    def close(self) -> None:
        """Ends what runs in the background, at the event loop's next turn, and removes the folder."""
        for run in self._runs.values():
            if run.task:
                run.task.cancel()
        self._runs.clear()
        if self._folder:
            shutil.rmtree(self._folder)
            self._folder = None
