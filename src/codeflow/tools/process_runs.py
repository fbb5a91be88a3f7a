"""What the commands of one run leave for later: their whole outputs, commands in the background, failed tests."""

import asyncio
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from codeflow.core.places import private_folder
from codeflow.tools.output import plain
from codeflow.tools.process import Confine, Outcome, execute
from codeflow.tools.tool import Mistake

_MEGABYTE = 1_000_000
KEPT_BYTES = 20 * _MEGABYTE
"""Of one command's output; what comes later is only counted."""

_MOST_KEPT = 200
_MOST_KEPT_BYTES = 500 * _MEGABYTE
"""Of all outputs together; the oldest give way."""
_ID = re.compile(r"(?:cmd|res)-(\d+)")
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
    confine: Confine | None = None
    total_bytes: int = 0
    kept_bytes: int = 0
    problem: str = ""
    """Why less was kept than could have been, such as a full disk."""
    is_command: bool = True
    """False for a tool's result that was too long to be shown."""
    outcome: Outcome | None = None
    task: "asyncio.Task[Outcome] | None" = None
    """Of a background command."""
    redact: Callable[[str], str] = str
    """Takes credentials out of what is kept, once the command has ended."""

    async def execute(
        self, command: str, *, cwd: Path, env: Mapping[str, str], timeout_s: float, output_limit_chars: int
    ) -> Outcome:
        try:
            with _private(self.path) as file:
                self.outcome = await execute(
                    command,
                    cwd=cwd,
                    env=env,
                    timeout_s=timeout_s,
                    output_limit_chars=output_limit_chars,
                    memory_bytes=self.memory_bytes,
                    confine=self.confine,
                    redact=self.redact,
                    also=lambda data: self._keep(file, data),
                )
        except asyncio.CancelledError:
            self._redact()
            raise
        await asyncio.to_thread(self._redact)
        return self.outcome

    def _redact(self) -> None:
        try:
            kept = self.path.read_bytes().decode("utf-8", "surrogateescape")
            clean = self.redact(kept)
            if clean != kept:
                self.path.write_bytes(clean.encode("utf-8", "surrogateescape"))
        except OSError as error:  # gone, or no room: what is there is what can be read
            self.problem = error.strerror or str(error)

    def _keep(self, file: BinaryIO, data: bytes) -> None:
        self.total_bytes += len(data)
        room = KEPT_BYTES - self.kept_bytes
        if room <= 0 or self.problem:
            return
        try:
            file.write(data[:room])
            self.kept_bytes += len(data[:room])
        except OSError as error:
            self.problem = error.strerror or str(error)

    @property
    def kept(self) -> str:
        """How much of the output can be read, in words: all, or what and why not."""
        if self.kept_bytes == self.total_bytes:
            return "all"
        part = f"the first {_size(self.kept_bytes)}"
        return f"{part} ({self.problem})" if self.problem else part

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
            text = plain(line[: 4 * limit_chars], self.redact)[:limit_chars]
            limit_chars -= len(text) + 1
            if shown and limit_chars < 0:
                break
            shown.append(text)
        return Page(first=first, lines=shown, total=len(lines))


@dataclass(slots=True)
class Runs:
    """The commands of a run by their ids; each may use `memory_bytes` with all it starts.

    `outputs` is the session's folder for what they print, made when it is needed; it outlives the run, so that a
    resumed session can read on. None: what they print is gone with the run.
    """

    memory_bytes: int
    confine: Confine | None = None
    """Puts each command into the sandbox."""
    lasting: bool = True
    """Whether later calls will come; a tool run by hand is the only call."""
    failed_tests: tuple[str, ...] = ()
    """Ids of the tests that failed last."""
    outputs: Path | None = None
    redact: Callable[[str], str] = str
    _exchange: Path | None = None
    _kept: Path | None = None
    _runs: dict[str, Run] = field(default_factory=dict)
    _numbers: Counter[str] = field(default_factory=Counter)
    """Of the last output of each kind."""

    def folder(self) -> Path:
        """Where commands leave their reports: outside the tree, for as long as the run lasts, and only the user's.

        Commands can write there, so that whatever is in it is read by `left_file` only.
        """
        if self._exchange is None:
            self._exchange = Path(tempfile.mkdtemp(prefix="codeflow-"))
        return self._exchange

    def new(self, command: str) -> Run:
        """A command that has not been started; its id stays valid until many others have followed."""
        name = self._next_id("cmd")
        run = self._runs[name] = Run(
            name, command, self._output(name), self.memory_bytes, self.confine, redact=self.redact
        )
        self._make_room()
        return run

    def keep(self, what: str, text: str) -> str:
        """Store a tool's result for `read_output`; its id, or "" when it cannot be stored. `what` names the call."""
        name = self._next_id("res")
        data = text.encode("utf-8", "backslashreplace")
        try:
            path = self._output(name)
            with _private(path) as file:
                file.write(data[:KEPT_BYTES])
        except OSError:  # a full disk: the model is told that the rest is gone
            return ""
        kept = min(len(data), KEPT_BYTES)
        self._runs[name] = self._text(name, what, path, len(data), kept)
        self._make_room()
        return name

    def _text(self, name: str, what: str, path: Path, total: int, kept: int) -> Run:
        return Run(name, what, path, self.memory_bytes, total_bytes=total, kept_bytes=kept, is_command=False)

    def _output(self, name: str) -> Path:
        """Where an output goes."""
        folder = self.outputs or self._own_outputs()
        private_folder(folder)
        return folder / f"{name}.txt"

    def _own_outputs(self) -> Path:
        """A folder for the run's time that no command sees, as none sees `outputs`."""
        if self._kept is None:
            self._kept = Path(tempfile.mkdtemp(prefix="codeflow-kept-"))
        return self._kept

    def _next_id(self, kind: str) -> str:
        """Numbers go on where an earlier process of the session stopped."""
        if not self._numbers[kind] and self.outputs and self.outputs.is_dir():
            found = [_ID.fullmatch(path.stem) for path in self.outputs.glob(f"{kind}-*")]
            self._numbers[kind] = max((int(match[1]) for match in found if match), default=0)
        self._numbers[kind] += 1
        return f"{kind}-{self._numbers[kind]}"

    def _make_room(self) -> None:
        ended = [run for run in self._runs.values() if run.outcome or not run.is_command]
        total = sum(run.kept_bytes for run in ended)
        while len(ended) > _MOST_KEPT or total > _MOST_KEPT_BYTES:
            oldest = ended.pop(0)
            total -= oldest.kept_bytes
            oldest.path.unlink(missing_ok=True)
            del self._runs[oldest.id]

    def start(self, command: str, *, cwd: Path, env: Mapping[str, str], output_limit_chars: int) -> Run:
        """Starts a command in the background; it ends by itself, by `stop`, or with the run."""
        run = self.new(command)
        run.path.touch(mode=0o600)
        run.task = asyncio.create_task(
            run.execute(
                command, cwd=cwd, env=env, timeout_s=_NO_LIMIT_S, output_limit_chars=output_limit_chars
            )
        )
        return run

    def is_busy(self) -> bool:
        """Whether a command runs in the background."""
        return bool(self.running())

    def running(self) -> list[str]:
        """The commands that run in the background."""
        return [run.command for run in self._runs.values() if run.is_running]

    def find(self, name: str) -> Run:
        """A command by its id; an unknown id is a Mistake."""
        if name in self._runs:
            return self._runs[name]
        if _ID.fullmatch(name) and self.outputs and (path := self.outputs / f"{name}.txt").is_file():
            size = path.stat().st_size
            return self._text(name, "from before this session was resumed", path, size, size)
        known = ", ".join(list(self._runs)[-10:]) or "none yet"
        raise Mistake(f"There is no output {name!r}; known are: {known}.")

    def whole_output(self, run: Run, more: str = "") -> list[str]:
        """A line on how to read all that a command printed, and more; none where no later call can."""
        also = f"; {more}" if more else ""
        return [f"[whole output: read_output {run.id}{also}]"] if self.lasting else []

    async def end(self) -> None:
        """Ends what runs in the background, and returns when it has ended and what it left was looked after."""
        tasks = [run.task for run in self._runs.values() if run.task and not run.task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def close(self) -> None:
        """Ends what runs in the background, at the event loop's next turn, and removes what only the run needed."""
        for run in self._runs.values():
            if run.task:
                run.task.cancel()
        self._runs.clear()
        for folder in filter(None, (self._exchange, self._kept)):
            shutil.rmtree(folder)
        self._exchange = self._kept = None


def _private(path: Path) -> BinaryIO:
    """A new file, unbuffered, that only the user can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", buffering=0)


def _size(count: int) -> str:
    return f"{count // _MEGABYTE} MB" if count >= _MEGABYTE else f"{count:,} bytes"
