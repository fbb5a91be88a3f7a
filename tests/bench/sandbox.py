"""What the sandboxes cost a command: the same one without and within each, by turns, in one process.

python -m tests.bench.sandbox
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codeflow.core.settings import load_settings
from codeflow.tools.process import execute
from codeflow.tools.sandbox.choosing import choose
from codeflow.tools.workspace import Workspace

ROUNDS = 60
SANDBOXES: Mapping[str, dict[str, Any]] = {
    "without": {"backend": "off"},
    "bubblewrap": {"backend": "bubblewrap"},
    "with a host": {"backend": "bubblewrap", "hosts": ["pypi.org"]},
    "landlock": {"backend": "landlock"},
    "docker": {"backend": "docker"},
}


async def measured(workspaces: Mapping[str, Workspace]) -> Mapping[str, list[float]]:
    """Seconds of each round."""
    seconds: dict[str, list[float]] = {name: [] for name in workspaces}
    for _ in range(ROUNDS):
        for name, ws in workspaces.items():
            started = time.perf_counter()
            await execute(
                ["true"],
                cwd=ws.root,
                env=ws.env,
                timeout_s=10,
                output_limit_chars=100,
                confine=ws.confining(),
            )
            seconds[name].append(time.perf_counter() - started)
    for ws in workspaces.values():
        await ws.close()
    return seconds


def opened(root: Path, flags: Mapping[str, Any]) -> Workspace | None:
    settings = load_settings(root, env={}, flags={"sandbox": flags})
    choice = choose(settings.sandbox, root, os.environ)
    if choice.missing and flags["backend"] != "off":
        sys.stdout.write(f"no {flags['backend']} here: {choice.missing}. {choice.cure}\n")
        return None
    return Workspace(root, settings.tools, os.environ, sandbox=choice.sandbox)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        workspaces = {name: opened(root, flags) for name, flags in SANDBOXES.items()}
        seconds = asyncio.run(measured({name: ws for name, ws in workspaces.items() if ws}))
    free = statistics.median(seconds["without"])
    for name, rounds in seconds.items():
        median = statistics.median(rounds)
        sys.stdout.write(
            f"{name:12} {median * 1000:6.1f} ms (least {min(rounds) * 1000:.1f}), "
            f"overhead {(median - free) * 1000:.1f} ms, ratio {median / free:.2f}\n"
        )


if __name__ == "__main__":
    main()
