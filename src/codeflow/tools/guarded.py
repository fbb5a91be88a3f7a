"""Starts commands behind a guard, a process of their own that ends them and all they started when codeflow goes."""

import asyncio
import contextlib
import errno
import os
import signal
import sys
import uuid
from asyncio.subprocess import DEVNULL
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import IO

from codeflow.tools import guard
from codeflow.tools.process_tree import signal_tree

_POLITE_S = 0.2
_KILLED_WITHIN_S = 6.0
_LONGEST_REPORT = 200
_LONGEST_HEADER = 65_536

_Stream = int | IO[bytes]


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a command with all it starts: bytes of memory, processes at a time, bytes of one file; 0: no limit."""

    memory_bytes: int
    processes: int = 0
    file_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a command ended; `exit_code` is -N for a signal N. `problem` says what ended it when it was neither itself nor time."""

    exit_code: int
    duration_s: float | None = None
    problem: str = ""


@dataclass(slots=True, kw_only=True)
class Guarded:
    """A running command. `process` is its guard, whose streams are the command's and which ends when all has ended."""

    process: asyncio.subprocess.Process
    program: str
    limits: Limits
    _marker: str
    _lifeline: int
    _report: int
    _said: str = ""
    _killed: bool = False
    _ended: bool = False

    async def end(self) -> None:
        """Asks a command that still runs to end, then kills it and whatever it left; nothing is left on return."""
        if self._ended:
            return
        if self.process.returncode is None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._lifeline, b"T")
            await self._ended_within(_POLITE_S)
        self.kill()
        if not await self._ended_within(_KILLED_WITHIN_S):
            signal_tree(self.process.pid, self._marker, signal.SIGKILL)
        await self.process.wait()
        self._ended = True
        with os.fdopen(self._report, "rb") as pipe:
            self._said = pipe.read(_LONGEST_REPORT).decode()

    def kill(self) -> None:
        """Kills the command and whatever it started; returns before they have ended."""
        if self._killed:
            return
        self._killed = True
        with contextlib.suppress(BrokenPipeError):
            os.write(self._lifeline, b"K")
        os.close(self._lifeline)
        if self.process.returncode not in {None, 0}:  # no guard is left that could do it
            signal_tree(self.process.pid, self._marker, signal.SIGKILL)

    async def _ended_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.process.wait()
        except TimeoutError:
            return False
        return True

    def ending(self) -> Ending:
        """What the guard reported until its end.

        Raises:
            OSError: when the program could not be started.
        """
        match self._said.split():
            case ["error", number, *_]:
                raise OSError(int(number), os.strerror(int(number)), self.program)
            case ["exit", code, seconds]:
                return Ending(exit_code=int(code), duration_s=float(seconds))
            case ["memory", used, _]:
                return Ending(
                    exit_code=-signal.SIGKILL, problem=_too_large(int(used), self.limits.memory_bytes)
                )
            case ["processes", count, _]:
                return Ending(exit_code=-signal.SIGKILL, problem=_too_many(int(count), self.limits.processes))
            case ["killed", _]:
                return Ending(exit_code=-signal.SIGKILL)
        return Ending(exit_code=self.process.returncode or 1, problem=_GUARD_GONE)


_GUARD_GONE = (
    "stopped: the command's parent process, which is codeflow's guard, was killed, most likely by the command itself "
    "(such as kill -9 $PPID); end only processes that the command started, by their ids"
)


def _too_large(used: int, limit: int) -> str:
    return (
        f"stopped: the command and what it started held {used / 1e9:.1f} GB of memory, more than the "
        f"{limit / 1e9:.1f} GB of tools.command_memory_mb; make it use or print less, or run a smaller part of it"
    )


def _too_many(count: int, limit: int) -> str:
    return (
        f"stopped: the command had {count:,} processes at once, more than the {limit:,} of sandbox.max_processes; "
        "make it start fewer"
    )


async def start(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    limits: Limits,
    journal: Path | None = None,
    stdin: _Stream = DEVNULL,
    stdout: _Stream,
    stderr: _Stream,
    pass_fds: Sequence[int] = (),
) -> Guarded:
    """Starts a program with its arguments; it inherits the file descriptors of `pass_fds`. `journal` is the sandbox's,
    of this command.

    Raises:
        OSError: when it cannot be started; a program that is missing shows at the end.
    """
    lifeline, our_lifeline = os.pipe()
    our_report, report = os.pipe()
    marker = uuid.uuid4().hex
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-IS",
            guard.__file__,
            *map(str, (lifeline, report, *astuple(limits), journal or "")),
            *command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd,
            env={**env, "CODEFLOW_COMMAND": marker},
            start_new_session=True,
            pass_fds=[lifeline, report, *pass_fds],
            limit=_LONGEST_HEADER,
        )
    except BaseException as error:
        os.close(our_lifeline)
        os.close(our_report)
        if isinstance(error, ValueError):
            raise OSError(errno.EINVAL, f"no command can contain this: {error}") from error
        raise
    finally:
        os.close(lifeline)
        os.close(report)
    return Guarded(
        process=process,
        program=command[0],
        limits=limits,
        _marker=marker,
        _lifeline=our_lifeline,
        _report=our_report,
    )
