"""Prints what a node of a workflow costs codeflow itself, beside a plain Strands agent; run by `make bench`.

Twenty agents one after the other, each with one answer, against the embedded endpoint in a process of its own:
first plain Strands agents with one model and the same tools, then a workflow of twenty nodes. Medians of CPU time of this
process between one answer and the next, so that the first nodes' imports and connections do not count. Then a hundred
readers at once: all have to be there at the end.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from strands import Agent
from strands.models.bedrock import BedrockModel
from tests.bench.soak import url_of

from codeflow.agents.specialists import load_specialists
from codeflow.agents.toolbox import tool_spec
from codeflow.app.build import build
from codeflow.core.events import Event, ModelCalled
from codeflow.core.node_events import NodeFinished
from codeflow.core.results import RunResult
from codeflow.core.settings import load_settings
from codeflow.core.values import Complexity, Mode, Task
from codeflow.models.endpoint import environment
from codeflow.orchestration.workflows.loading import Shelf, given
from codeflow.tools.arguments import arguments_model
from codeflow.tools.registry import TOOLS

AGENT = "reviewer"
CHAIN, CROWD = 20, 100
MODEL = "global.anthropic.claude-haiku-5-5"


def workflow(folder: Path, name: str, count: int, *, chain: bool) -> Path:
    """A file with so many readers, one after the other or all at once before a last one."""
    nodes = {
        f"n{number}": {"agent": AGENT, "reads_only": True, "task": "Say yes."} for number in range(count)
    }
    edges: list[dict[str, Any]]
    if chain:
        edges = [{"from": f"n{number}", "to": f"n{number + 1}"} for number in range(count - 1)]
    else:
        edges = [{"from": list(nodes), "to": "last"}]
        nodes["last"] = {"agent": AGENT, "reads_only": True, "task": "Say yes."}
    data = {
        "codeflow_workflow": 1,
        "name": name,
        "description": "a benchmark's",
        "max_parallel": count,
        "nodes": nodes,
        "edges": edges,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


def transcript(folder: Path) -> Path:
    replies = [
        {"agent": agent, "say": "Yes."}
        for agent in (*(f"{AGENT}@n{number}" for number in range(CROWD)), f"{AGENT}@last")
    ]
    path = folder / "transcript.yaml"
    plain = [{"agent": "default", "say": "Yes."} for _ in range(CHAIN)]
    content = {"codeflow_transcript": 1, "task": "Say yes.", "replies": [*replies, *plain]}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@dataclass
class Clock:
    """CPU time of this process at each answer."""

    ticks: list[float] = field(default_factory=list)
    nodes: set[str] = field(default_factory=set)

    def __call__(self, event: Event) -> None:
        if isinstance(event, NodeFinished):
            self.nodes.add(event.node)
        if isinstance(event, ModelCalled):
            self.tick()

    def tick(self) -> None:
        self.ticks.append(time.process_time())

    @property
    def median_ms(self) -> float:
        steps = [1000 * (after - before) for before, after in zip(self.ticks, self.ticks[1:], strict=False)]
        return statistics.median(steps)


async def by_workflow(root: Path, env: Mapping[str, str], path: Path) -> tuple[Clock, RunResult, float]:
    settings = load_settings(root, env=env, flags={"run": {"max_cost": "none", "roster": "current"}})
    loaded = Shelf(paths={}, agents=load_specialists(root, env), tools=TOOLS).check(path)
    task = Task(
        text="Say yes.",
        workspace=root,
        mode=Mode.PLAN,
        complexity=Complexity.MEDIUM,
        workflow=given(loaded, {}),
        models={AGENT: MODEL},
    )
    clock, began = Clock(), time.monotonic()
    result = await build(settings, task, env=env, approve=None).run([clock])
    return clock, result, time.monotonic() - began


async def by_strands(env: Mapping[str, str]) -> Clock:
    """The same agents without codeflow: same prompt, same tool descriptions, one invocation each."""
    specialist = load_specialists(Path.cwd(), env)[AGENT]
    clock, model = Clock(), BedrockModel(model_id=MODEL, max_tokens=1000)
    tools = [_described(name) for name in specialist.tools]
    for _ in range(CHAIN):
        agent = Agent(
            model=model,
            system_prompt=specialist.prompt,
            tools=tools,
            callback_handler=None,
        )
        await agent.invoke_async("Say yes.")
        clock.tick()
    return clock


def _described(name: str) -> Any:
    from strands.tools import PythonAgentTool

    tool = TOOLS[name]
    return PythonAgentTool(name, tool_spec(tool, arguments_model(tool)), _never)


def _never(*_given: Any, **_more: Any) -> Any:
    raise AssertionError("no tool is called")


def served(folder: Path, work: Callable[[Mapping[str, str]], Any]) -> Any:
    """What the work comes to while an endpoint in a process of its own answers."""
    command = [sys.executable, "-m", "codeflow.models.endpoint", str(transcript(folder))]
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        **{f"XDG_{name}_HOME": str(folder / name) for name in ("STATE", "CACHE", "CONFIG")},
    }
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        os.environ.update(environment(url_of(server.stdout)))
        try:
            return asyncio.run(work(env))
        finally:
            server.terminate()


def main() -> None:
    write = sys.stdout.write
    with tempfile.TemporaryDirectory(prefix="codeflow-workflows-") as place:
        folder = Path(place)
        root = folder / "project"
        root.mkdir()
        chain = workflow(folder, "chain", CHAIN, chain=True)
        crowd = workflow(folder, "crowd", CROWD, chain=False)
        plain = served(folder, by_strands)
        ours, result, _ = served(folder, lambda env: by_workflow(root, env, chain))
        write(f"{CHAIN} nodes one after the other: {result.status}\n")
        write(f"  plain Strands agents  {plain.median_ms:6.1f} ms CPU a node\n")
        write(f"  nodes of a workflow   {ours.median_ms:6.1f} ms CPU a node\n")
        write(f"  beyond Strands        {ours.median_ms - plain.median_ms:6.1f} ms\n")
        many, result, seconds = served(folder, lambda env: by_workflow(root, env, crowd))
        write(f"{CROWD} readers at once: {result.status}, {len(many.nodes) - 1} ended, {seconds:.1f} s\n")


if __name__ == "__main__":
    main()
