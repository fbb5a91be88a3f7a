"""Runs git. The reading commands run nothing that a repository's own configuration names, and see nothing that commands
do not see, whatever a command made of the repository.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

from codeflow.core import inert_git
from codeflow.tools.git_advice import advice
from codeflow.tools.process import Confine, Outcome, execute
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

LITERAL = "--literal-pathspecs"
INERT = ("git", "--no-pager", "--no-optional-locks", *inert_git.OPTIONS, "-c", "core.quotePath=false")
_SHORT_TIMEOUT_S = 20.0
_LONGEST_REFUSAL_LINES = 15
_NOT_A_REVISION = re.compile(r"^-|[\0\n]")


def revision(name: str) -> str:
    """The name of a commit or range as git may be given it: never an option."""
    if not name.strip() or _NOT_A_REVISION.search(name):
        raise Mistake(f"{name!r} is not a commit, branch or range; git_log and git_branch show some.")
    return name


async def ignored(ws: Workspace, folder: Path, names: list[str]) -> set[str]:
    """Those names in a folder that git ignores; none outside a repository."""
    asked = "\0".join(f"./{name}" for name in names)
    answer = await raw(ws, "check-ignore", "-z", "--stdin", cwd=folder, stdin=os.fsencode(asked))
    return {os.fsdecode(name).removeprefix("./") for name in answer.split(b"\0") if name}


async def read(ws: Workspace, *arguments: str) -> str:
    """The output of a command of git that only looks; a Mistake when it fails."""
    env = await inert_environment(ws)
    return succeeded(await run(ws, *INERT, LITERAL, *arguments, env=env, confine=ws.looking))


async def inert_environment(ws: Workspace) -> dict[str, str]:
    """The reading environment, in which git starts no filter but those of `inert_git`."""
    filters = inert_git.filters_off(await raw(ws, *inert_git.ASK_FOR_FILTERS, cwd=ws.root))
    return ws.reading_env | inert_git.variables(filters, ws.root, ws.reading_env)


async def raw(
    ws: Workspace, *arguments: str, cwd: Path, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> bytes:
    """The unaltered output of a short command of git; nothing when it fails."""
    env = env or ws.reading_env
    confined = ws.looking([*INERT, *arguments], cwd, env)
    process = await asyncio.create_subprocess_exec(
        *confined.argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=cwd,
        env=env,
    )
    try:
        async with _ended(process, _SHORT_TIMEOUT_S):
            output, _ = await process.communicate(stdin)
    finally:
        confined.ended()
    return output if process.returncode == 0 else b""


async def must(
    ws: Workspace,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    most_bytes: int = 1_000_000,
    confine: Confine | None = None,
) -> bytes:
    """The unaltered output of a command of git that only looks; a Mistake when it fails, takes too long or prints more
    than that. `confine` is `ws.looking` unless given.
    """
    env = {**(env or ws.reading_env), "LANGUAGE": "en"}
    confined = (confine or ws.looking)([*INERT, *arguments], ws.root, env)
    process = await asyncio.create_subprocess_exec(
        *confined.argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ws.root,
        env=env,
    )
    stdout, stderr = (cast("asyncio.StreamReader", pipe) for pipe in (process.stdout, process.stderr))
    try:
        async with _ended(process, ws.settings.command_timeout_s):
            output, said = await asyncio.gather(_bounded(stdout, most_bytes), stderr.read())
            await process.wait()
    except TimeoutError:
        raise Mistake("git took too long.") from None
    finally:
        confined.ended()
    if process.returncode != 0:
        problem = said.decode(errors="replace").rstrip()
        raise Mistake(advice(problem) or f"git failed with exit code {process.returncode}:\n{problem}")
    return output


async def _bounded(stream: asyncio.StreamReader, most_bytes: int) -> bytes:
    data = bytearray()
    while chunk := await stream.read(65536):
        data += chunk
        if len(data) > most_bytes:
            raise Mistake(
                f"git has more than {most_bytes // 1_000_000} MB to tell, too much to be searched. Name fewer files at a "
                "time, or leave it to the user."
            )
    return bytes(data)


@asynccontextmanager
async def _ended(process: asyncio.subprocess.Process, timeout_s: float) -> AsyncIterator[None]:
    """The process is over at the end, however that comes."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    finally:
        if process.returncode is None:
            process.kill()
            for stream in filter(None, (process.stdout, process.stderr)):
                await _drain(stream)
            await process.wait()


async def _drain(stream: asyncio.StreamReader) -> None:
    """Asyncio waits for the end of a process's output as well, and a stream that nobody reads from may be paused."""
    with suppress(RuntimeError):  # somebody reads it still
        while await stream.read(65536):
            pass


async def change(ws: Workspace, *arguments: str) -> str:
    """The output of a command of git that changes something, with the user's hooks and filters, in the sandbox.

    A hook of the user's runs the project's code, such as its linters, which an agent may have written.
    """
    return succeeded(
        await run(ws, "git", LITERAL, *arguments, env=ws.env, confine=ws.confining()), hooks=True
    )


async def change_quietly(ws: Workspace, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Likewise without hooks; the user's filters are what makes files of what git keeps."""
    command = (*INERT, LITERAL, *arguments)
    return succeeded(await run(ws, *command, env=env or ws.reading_env, confine=ws.confining()))


async def tidy(ws: Workspace, *arguments: str) -> str:
    """Likewise outside the sandbox, for a command that looks at no file of the work tree and runs nothing: in the
    sandbox, what makes a work tree cannot be removed.
    """
    return succeeded(await run(ws, *INERT, LITERAL, *arguments, env=ws.reading_env, confine=None))


async def run(ws: Workspace, *command: str, env: Mapping[str, str], confine: Confine | None) -> Outcome:
    """A command of git with a bounded time and output."""
    return await execute(
        command,
        cwd=ws.root,
        env={**env, "LANGUAGE": "en"},  # its refusals are read
        timeout_s=ws.settings.command_timeout_s,
        output_limit_chars=ws.settings.output_limit_chars,
        memory_bytes=ws.memory_bytes,
        redact=ws.redactor.redact,
        confine=confine,
    )


def succeeded(outcome: Outcome, *, hooks: bool = False) -> str:
    """The output of a command of git; a Mistake when it failed. `hooks`: the output may be that of a hook."""
    if outcome.exit_code == 0:
        return outcome.output.rstrip()
    if known := advice(outcome.output):
        is_more = hooks and outcome.output.count("\n") > _LONGEST_REFUSAL_LINES
        raise Mistake(f"{known}\n\n{outcome.output.rstrip()}" if is_more else known)
    problem = "took too long" if outcome.timed_out else f"failed with exit code {outcome.exit_code}"
    raise Mistake(f"git {problem}:\n{outcome.output.rstrip()}")
