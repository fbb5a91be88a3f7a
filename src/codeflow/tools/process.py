"""Runs one command to its end: no terminal, no leftovers, bounded time and memory."""

import asyncio
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from codeflow.tools.guarded import Guarded, Limits, start
from codeflow.tools.memory import half_of_memory
from codeflow.tools.output import HeadTail
from codeflow.tools.sandbox.port import Confined

_LAST_OUTPUT_S = 1.0
_CHUNK_BYTES = 65_536
_HALF_DONE = re.compile(r"^error: unable to (unlink old|create file) ", re.MULTILINE)
_HALF_DONE_HINT = (
    "git met a file that it cannot change in the sandbox, and stopped half way: files that it had come to before are "
    "changed, though HEAD has not moved. `git status` and `git diff` show which; undo that with `git merge --abort` or "
    "`git rebase --abort` where git knows of one under way, else with `git restore` of those files, and ask the user to do "
    "this outside the sandbox"
)
_UNNOTED = re.compile(
    r"^(?:error|warning): (?:could not (?:lock|write) config file|unable to write upstream)", re.MULTILINE
)
_UNTRACKED_HINT = (
    "git could not write that into its configuration, whatever else it says: a new branch has no upstream. `git push origin "
    "BRANCH` and `git pull origin BRANCH` work without; the user can set it by `git branch --set-upstream-to=origin/BRANCH`"
)
_READ_ONLY = ("Read-only file system", "Device or resource busy")

Confine = Callable[[Sequence[str], Path, Mapping[str, str]], Confined]
"""Puts a program with its arguments, its folder and its environment into a sandbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command ended. `exit_code` is -N for a signal N, and None when time ran out."""

    exit_code: int | None
    output: str
    """stdout and stderr as they came, without terminal escapes; head and tail when over the limit. A problem ends it."""
    timed_out: bool
    duration_s: float
    total_chars: int
    """Length of the whole output before escapes were taken out and the middle was left out."""
    notes: Sequence[str] = ()
    """On protected files and the user's stashes, where it touched them; they end the output as well."""
    refused_hosts: int = 0
    """Hosts that it asked the sandbox's proxy for and that the settings do not name."""
    problem: str = ""
    """Why codeflow ended it before its time, such as for its memory; empty when it did not."""

    @property
    def was_stopped(self) -> bool:
        """Whether it did not come to its own end."""
        return self.timed_out or bool(self.problem)


async def execute(
    command: str | Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout_s: float,
    output_limit_chars: int,
    memory_bytes: int | None = None,
    also: Callable[[bytes], None] | None = None,
    confine: Confine | None = None,
    redact: Callable[[str], str] = str,
) -> Outcome:
    """Runs a shell line (str) or a program with its arguments; whatever it started has ended on return.

    `also` gets every piece of the output as it comes. The memory of the whole tree is limited, by default to half of
    the machine's. `confine` puts it into a sandbox; `redact` sees lines of the output as they were before a redraw.

    Raises:
        OSError: when it cannot be started.
    """
    started = time.monotonic()
    argv = [shell(env), "-c", command] if isinstance(command, str) else command
    confined = confine(argv, cwd, env) if confine else Confined(argv=argv)
    output = HeadTail(output_limit_chars, redact)
    limit = half_of_memory() if memory_bytes is None else memory_bytes
    proxy = confined.proxy
    try:
        async with proxy.serving() if proxy else nullcontext():
            guarded, timed_out = await _run(
                confined,
                cwd=cwd,
                env=env,
                timeout_s=timeout_s,
                limits=Limits(limit, confined.processes, confined.file_bytes),
                receivers=[output.add, also] if also else [output.add],
            )
    finally:
        notes = confined.ended()  # also after a Ctrl-C
    ending = guarded.ending()
    problem = "" if timed_out else ending.problem
    unnoted = _UNNOTED.search(output.text())
    failed = bool(ending.exit_code or unnoted) and any(words in output.text() for words in _READ_ONLY)
    refused = proxy.told() if proxy else ""
    half = _HALF_DONE_HINT if _HALF_DONE.search(output.text()) else ""
    untracked = _UNTRACKED_HINT if unnoted and "set up to track" in output.text() else ""
    hints = (half, untracked, confined.hint) if failed else ()
    for told in filter(None, (problem, *notes, refused, *hints)):
        output.add(f"\n[{told}]\n".encode())
    return Outcome(
        exit_code=None if timed_out else _exit_code(ending.exit_code, in_sandbox=confined.argv is not argv),
        output=output.text(),
        timed_out=timed_out,
        duration_s=ending.duration_s or time.monotonic() - started,
        total_chars=output.total_chars,
        notes=notes,
        refused_hosts=len(proxy.refused) if proxy else 0,
        problem=problem,
    )


async def _run(
    confined: Confined,
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout_s: float,
    limits: Limits,
    receivers: Sequence[Callable[[bytes], None]],
) -> tuple[Guarded, bool]:
    """The command when it has ended, and whether time ran out; the receivers got its output."""
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb", buffering=0) as pipe:
        try:
            guarded = await start(
                confined.argv,
                cwd=cwd,
                env=env,
                limits=limits,
                journal=confined.journal,
                stdout=write_end,
                stderr=write_end,
                pass_fds=[confined.proxy.channel] if confined.proxy else [],
            )
        finally:
            os.close(write_end)
        collecting = asyncio.create_task(_collect(pipe, receivers))
        try:
            timed_out = await _supervise(guarded, timeout_s)
            await asyncio.wait({collecting}, timeout=_LAST_OUTPUT_S)
        finally:
            collecting.cancel()
            await asyncio.wait({collecting})
    return guarded, timed_out


def shell(env: Mapping[str, str]) -> str:
    """The shell that runs command lines: bash where there is one, since models write bash."""
    return shutil.which("bash", path=env.get("PATH")) or "/bin/sh"


def _exit_code(code: int, *, in_sandbox: bool) -> int:
    """A sandbox says 128 + N, as shells do, where its command was killed by the signal N."""
    return 128 - code if in_sandbox and code - 128 in set(signal.Signals) else code


async def _supervise(guarded: Guarded, timeout_s: float) -> bool:
    """Waits for the command and ends what it left running, also when cancelled; True when time ran out."""
    try:
        async with asyncio.timeout(timeout_s):
            await guarded.process.wait()
    except TimeoutError:
        return True
    else:
        return False
    finally:
        await guarded.end()


async def _collect(pipe: BinaryIO, receivers: Sequence[Callable[[bytes], None]]) -> None:
    """Reads until every holder of the pipe has closed it; cancelled when one outlives the command."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    try:
        while data := await reader.read(_CHUNK_BYTES):
            for receive in receivers:
                receive(data)
    finally:
        transport.close()
