"""Prints what a turn of a long session costs codeflow itself, and its peak memory; run by `make bench`.

The endpoint runs in a process of its own, so that only codeflow's CPU time is counted: that of the thread which runs
the agents, and that of the whole process. The difference is botocore, in a thread of its own: it turns the whole
conversation into a request, which Bedrock wants anew for every turn.
"""

import asyncio
import operator
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from codeflow.app.build import build
from codeflow.core.events import ConversationCompacted, Event, ModelCalled
from codeflow.core.places import resource as packaged
from codeflow.core.ports import Emit
from codeflow.core.results import RunResult
from codeflow.core.settings import load_settings
from codeflow.core.values import Complexity, Limits, Mode, Pattern, Task
from codeflow.models.endpoint import environment

TASK = "Go through every module and write down what it does. KEEP-THIS-SENTENCE."
MODEL = "global.anthropic.claude-haiku-5-5"
AGENT = "fast_coder"
SUMMARY = "Done: module_001.py to module_400.py were read. Next: the rest."
MEASURED_AT = (10, 100, 500)
FILE_LINES = 120


def project(folder: Path) -> Path:
    """A folder of modules to read, each about 1,500 tokens long."""
    folder.mkdir(parents=True)
    for number in range(50):
        lines = [
            f"def function_{number}_{line}(argument): return argument + {line}" for line in range(FILE_LINES)
        ]
        (folder / f"module_{number:03}.py").write_text("\n".join(lines) + "\n")
    (folder / "notes.md").write_text("# Notes\nround 0\n")
    return folder


def turns(count: int) -> Iterator[dict[str, Any]]:
    """The model's side of a session: reads, two at once, edits, a command that fails; then the answer."""
    for turn in range(1, count):
        first, second = (f"module_{(turn * step) % 50:03}.py" for step in (1, 7))
        match turn % 10:
            case 3:
                calls = [{"read_file": {"path": first}}, {"read_file": {"path": second, "line_count": 40}}]
            case 5:
                edit = {
                    "path": "notes.md",
                    "old_text": f"round {turn // 10}\n",
                    "new_text": f"round {turn // 10 + 1}\n",
                }
                calls = [{"edit_file": edit}]
            case 7:
                calls = [{"run_command": {"command": f"seq {turn}; echo broken-{turn}; exit 3"}}]
            case _:
                calls = [{"read_file": {"path": first, "line_count": 60}}]
        yield {"agent": AGENT, "say": f"Turn {turn}: I decided to look at {first}.", "call": calls}
    yield {"agent": AGENT, "say": "Every module is described in notes.md."}


def transcript(path: Path, count: int) -> Path:
    """A file with the replies of a session of so many turns, and with more summaries than it needs."""
    replies = [*turns(count), *({"agent": "summarizer", "say": SUMMARY} for _ in range(count))]
    path.write_text(
        yaml.safe_dump({"codeflow_transcript": 1, "task": TASK, "replies": replies}, sort_keys=False)
    )
    return path


def small_roster(path: Path, context: int) -> Path:
    """The default roster with a window of `context` tokens for the one model that is used."""
    current = (packaged("config") / "rosters" / "current.toml").read_text()
    path.write_text(f'{current}\n[models."{MODEL}"]\ncontext = {context}\nmax_tokens = 1000\n')
    return path


async def session(
    root: Path, roster: Path, env: Mapping[str, str], consumers: list[Emit], limit: int
) -> RunResult:
    """One run of the scripted task in this process; the endpoint's variables have to be in os.environ."""
    flags = {"run": {"roster": str(roster), "max_cost": "none"}, "gates": {"tests": "off", "lint": "off"}}
    settings = load_settings(root, env=env, flags=flags)
    task = Task(
        text=TASK,
        workspace=root,
        mode=Mode.AUTO,
        pattern=Pattern.SINGLE,
        complexity=Complexity.SIMPLE,
        agent=AGENT,
        limits=Limits(max_turns=limit, timeout_s=3600),
    )
    return await build(settings, task, env=env, approve=None).run(consumers)


@dataclass
class Cost:
    """CPU seconds between one answer of the agent's model and the next."""

    clocks: tuple[Callable[[], float], ...] = (time.thread_time, time.process_time)
    turns: list[tuple[float, ...]] = field(default_factory=list)
    """Per turn, what each clock took."""
    compactions: int = 0
    _last: tuple[float, ...] = ()

    def __call__(self, event: Event) -> None:
        self.compactions += isinstance(event, ConversationCompacted)
        if isinstance(event, ModelCalled) and event.agent == AGENT:
            now = tuple(clock() for clock in self.clocks)
            self.turns.append(tuple(map(operator.sub, now, self._last or now)))
            self._last = now

    def around(self, turn: int) -> tuple[float, ...]:
        """Medians of the ten turns up to this one, in seconds."""
        return tuple(map(statistics.median, zip(*self.turns[turn - 10 : turn], strict=True)))


def measure(count: int, context: int, folder: Path) -> tuple[Cost, RunResult]:
    root = project(folder / "project")
    script = transcript(folder / "transcript.yaml", count)
    command = [sys.executable, "-m", "codeflow.models.endpoint", str(script)]
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        **{f"XDG_{name}_HOME": str(folder / name) for name in ("STATE", "CACHE", "CONFIG")},
    }
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        os.environ.update(environment(url_of(server.stdout)))
        cost = Cost()
        try:
            result = asyncio.run(
                session(root, small_roster(folder / "small.toml", context), env, [cost], count + 10)
            )
        finally:
            server.terminate()
    return cost, result


def url_of(lines: Any) -> str:
    """The address that an endpoint says it listens on."""
    for line in lines:
        if found := re.search(r"http://[\d.:]+", line):
            return found[0]
    raise SystemExit("the endpoint did not start")


def main() -> None:
    write = sys.stdout.write
    for context in map(int, sys.argv[1:] or ("24000", "200000", "1000000")):
        with tempfile.TemporaryDirectory(prefix="codeflow-soak-") as folder:
            cost, result = measure(max(MEASURED_AT), context, Path(folder))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        write(
            f"window {context:,}: {result.status}, {len(cost.turns)} turns, {cost.compactions} compactions\n"
        )
        for turn in MEASURED_AT:
            own, whole = (1000 * seconds for seconds in cost.around(turn))
            write(f"  turn {turn:3}: {own:5.1f} ms of its own, {whole:5.1f} ms with the request\n")
        write(f"  peak memory {peak:.0f} MB\n")


if __name__ == "__main__":
    main()
