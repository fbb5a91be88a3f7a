"""Runs one command to its end: no terminal, no leftovers, bounded time and memory."""

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from codeflow.tools.output import HeadTail
from codeflow.tools.process_tree import signal_tree

_TERMINATE_GRACE_S = 0.2
_LAST_OUTPUT_S = 1.0
_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command ended. `exit_code` is -N for a signal N, and None when time ran out."""

    exit_code: int | None
    output: str
    """stdout and stderr as they came, without terminal escapes; head and tail when over the limit."""
    timed_out: bool
    duration_s: float
    total_chars: int
    """Length of the whole output before escapes were taken out and the middle was left out."""


async def execute(
    command: str | Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout_s: float,
    output_limit_chars: int,
    also: Callable[[bytes], None] | None = None,
) -> Outcome:
    """Runs a shell line (str) or a program with its arguments; whatever it started has ended on return.

    `also` gets every piece of the output as it comes.

    Raises:
        OSError: when it cannot be started.
    """
    started = time.monotonic()
    marker = uuid.uuid4().hex
    argv = [shell(env), "-c", command] if isinstance(command, str) else command
    output = HeadTail(output_limit_chars)
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb", buffering=0) as pipe:
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                cwd=cwd,
                env={**env, "CODEFLOW_COMMAND": marker},
                start_new_session=True,
            )
        except ValueError as error:
            raise OSError(errno.EINVAL, f"no command can contain this: {error}") from error
        finally:
            os.close(write_end)
        receivers = [output.add, also] if also else [output.add]
        collecting = asyncio.create_task(_collect(pipe, receivers))
        try:
            timed_out = await _supervise(process, marker, timeout_s)
            await asyncio.wait({collecting}, timeout=_LAST_OUTPUT_S)
        finally:
            collecting.cancel()
            await asyncio.wait({collecting})
    return Outcome(
        exit_code=None if timed_out else process.returncode,
        output=output.text(),
        timed_out=timed_out,
        duration_s=time.monotonic() - started,
        total_chars=output.total_chars,
    )


def shell(env: Mapping[str, str]) -> str:
    """The shell that runs command lines: bash where there is one, since models write bash."""
    return shutil.which("bash", path=env.get("PATH")) or "/bin/sh"


async def _supervise(process: asyncio.subprocess.Process, marker: str, timeout_s: float) -> bool:
    """Waits for the command and ends what it left running, also when cancelled; True when time ran out."""
    try:
        async with asyncio.timeout(timeout_s):
            await process.wait()
    except TimeoutError:
        return True
    else:
        return False
    finally:
        await _end(process, marker)


async def _end(process: asyncio.subprocess.Process, marker: str) -> None:
    """Asks a command that still runs to end, then kills it and whatever it left."""
    if process.returncode is None:
        signal_tree(process.pid, marker, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TERMINATE_GRACE_S):
                await process.wait()
    signal_tree(process.pid, marker, signal.SIGKILL)
    await process.wait()


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
