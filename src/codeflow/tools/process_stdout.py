"""Runs programs that answer on stdout, such as linters with JSON; what they say on stderr stands apart."""

import asyncio
import os
import shlex
import shutil
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from codeflow.tools.left import left_file
from codeflow.tools.process import Outcome, execute
from codeflow.tools.workspace import Workspace


async def run_for_stdout(
    ws: Workspace,
    arguments: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    manager: str = "",
) -> tuple[Outcome, str]:
    """The outcome, whose output is stderr, and stdout; the program works in the workspace, in the sandbox.

    `manager` is the package manager that it is, which has the network.
    """
    file = ws.runs.folder() / f"{uuid.uuid4().hex}.stdout"
    outcome = await execute(
        f"exec {shlex.join(arguments)} > {shlex.quote(str(file))}",
        cwd=ws.root,
        env=env or ws.env,
        timeout_s=ws.settings.command_timeout_s,
        output_limit_chars=ws.settings.output_limit_chars,
        memory_bytes=ws.memory_bytes,
        redact=ws.redactor.redact,
        confine=ws.confining(manager),
    )
    return outcome, await asyncio.to_thread(_take, file)


def find_program(ws: Workspace, name: str) -> str | None:
    """A program of the project's own (virtual environment, node_modules) or from PATH."""
    path = os.pathsep.join([str(ws.root / "node_modules/.bin"), ws.env["PATH"]])
    return shutil.which(name, path=path)


def _take(file: Path) -> str:
    """What a program left there; nothing when it is no file any more, but a link that leads elsewhere."""
    data = left_file(file.parent, file.name)
    with suppress(OSError):  # it is gone already, or a folder
        file.unlink()
    return (data or b"").decode("utf-8", "surrogateescape")  # names of files may be any bytes
