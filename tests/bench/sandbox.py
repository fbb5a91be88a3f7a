"""What the sandbox costs a command: the same one with and without it, by turns, in one process.

python -m tests.bench.sandbox
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from codeflow.core.settings import load_settings
from codeflow.tools.process import execute
from codeflow.tools.sandbox.choosing import choose
from codeflow.tools.workspace import Workspace

ROUNDS = 60


async def measured(held: Workspace, free: Workspace) -> tuple[list[float], list[float]]:
    """Seconds with and without the sandbox."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for ws, kept in zip((held, free), seconds, strict=True):
            started = time.perf_counter()
            await execute(
                ["true"],
                cwd=ws.root,
                env=ws.env,
                timeout_s=10,
                output_limit_chars=100,
                confine=ws.confining(),
            )
            kept.append(time.perf_counter() - started)
    await held.close()
    await free.close()
    return seconds


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        settings = load_settings(root, env={})
        choice = choose(settings.sandbox, root, os.environ)
        if choice.missing:
            raise SystemExit(f"no sandbox here: {choice.missing}. {choice.cure}")
        held = Workspace(root, settings.tools, os.environ, sandbox=choice.sandbox)
        within, without = asyncio.run(measured(held, Workspace(root, settings.tools, os.environ)))
    for name, seconds in (("without", without), (choice.sandbox.name, within)):
        sys.stdout.write(
            f"{name:12} {statistics.median(seconds) * 1000:6.1f} ms (least {min(seconds) * 1000:.1f})\n"
        )
    more, ratio = (
        statistics.median(within) - statistics.median(without),
        statistics.median(within) / statistics.median(without),
    )
    sys.stdout.write(f"{'overhead':12} {more * 1000:6.1f} ms a command, ratio {ratio:.2f}\n")


if __name__ == "__main__":
    main()
