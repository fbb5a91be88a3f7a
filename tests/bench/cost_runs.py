"""Real runs of codeflow against the embedded endpoint, for `make bench-cost`: what each visit of a course reads and writes.

Everything but the models' words is codeflow's own: prompts, tool descriptions, tool results, hand-overs, and caching as
the endpoint bills it. Every coder leaves the gates red until `Way.red_until` of them have worked.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.bench.cost_law import Visit, When
from tests.e2e.harness import RULES, commit_all

from codeflow.agents.specialists import load_specialists
from codeflow.app.build import build
from codeflow.core.events import AgentStarted, Event, ModelCalled, ToolFinished
from codeflow.core.places import resource as packaged
from codeflow.core.results import RunResult
from codeflow.core.settings import load_settings
from codeflow.core.values import Complexity, Limits, Mode, Pattern, Task
from codeflow.models.endpoint import Endpoint, environment, load
from codeflow.orchestration.workflows.loading import Shelf, given
from codeflow.tools.registry import TOOLS

TASK = "Make the failing test pass: fifty results are wrong since the last release, the causes are in the modules."
MODULES, FUNCTIONS = 50, 60
NEVER = 99
CODERS = frozenset({"fast_coder", "senior_coder", "lead_coder", "debugger"})

TURNS = {  # of one visit, the answer included; the same for every model
    Complexity.SIMPLE: {"coder": 5, "debugger": 5, "architect": 3, "helper": 4},
    Complexity.MEDIUM: {"coder": 15, "debugger": 9, "architect": 6, "helper": 7},
    Complexity.COMPLEX: {"coder": 40, "debugger": 20, "architect": 12, "helper": 12},
}
SAID_CHARS, ANSWER_CHARS, NEW_LINES = 240, 1200, 10
"""Per turn, per visit, per edit: about 60 and 300 tokens, and 10 lines of code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to do a task: a pattern and who begins it, or a packaged workflow."""

    name: str
    pattern: Pattern | None = None
    agent: str | None = None
    workflow: str | None = None
    red_until: int = NEVER
    """How many visits of coders and debuggers it takes to turn the gates green; NEVER: the run ends red."""
    rival: str = ""
    """The one agent that it is compared with."""


WAYS = (
    Way(name="one fast_coder", pattern=Pattern.SINGLE, agent="fast_coder"),
    Way(name="one senior_coder", pattern=Pattern.SINGLE, agent="senior_coder"),
    Way(name="one lead_coder", pattern=Pattern.SINGLE, agent="lead_coder"),
    Way(
        name="cascade from fast_coder", pattern=Pattern.CASCADE, agent="fast_coder", rival="one senior_coder"
    ),
    Way(
        name="cascade from senior_coder",
        pattern=Pattern.CASCADE,
        agent="senior_coder",
        rival="one lead_coder",
    ),
    Way(name="graph", pattern=Pattern.GRAPH, red_until=3, rival="one senior_coder"),
    Way(name="workflow bugfix", workflow="bugfix", red_until=3, rival="one senior_coder"),
    Way(name="workflow feature", workflow="feature", red_until=4, rival="one senior_coder"),
)
CAST = {  # who speaks, by the name that the wire knows, and how often at most
    None: ("fast_coder", "senior_coder", "lead_coder", *["debugger"] * 3, "architect", "test_engineer",
           "reviewer", "documentation"),
    "bugfix": ("test_engineer@reproduce", "fast_coder@repair", *["debugger@escalate"] * 3),
    "feature": ("architect@plan", "senior_coder@code", *["debugger@debug"] * 4, "test_engineer@tests",
                "reviewer@review", "documentation@document"),
}  # fmt: skip


def project(folder: Path, red_until: int) -> Path:
    """A repository of 50 modules, each about 1,600 tokens long, and a test that counts who has worked on them."""
    folder.mkdir(parents=True)
    for number in range(MODULES):
        lines = [_function(number, line) for line in range(FUNCTIONS)]
        (folder / f"module_{number:02}.py").write_text("\n".join(lines))
    (folder / "test_results.py").write_text(
        "import unittest\nfrom pathlib import Path\n\n\nclass ResultsTest(unittest.TestCase):\n"
        "    def test_results_are_those_of_the_last_release(self):\n"
        f"        right = len(list(Path(__file__).parent.glob('notes/*.md'))) >= {red_until}\n"
        "        found = [f'result {n} is {n if right else -n}' for n in range(1, 51)]\n"
        "        self.assertEqual(found, [f'result {n} is {n}' for n in range(1, 51)])\n"
    )
    (folder / ".gitignore").write_text("__pycache__/\n")
    commit_all(folder)
    return folder


def _function(number: int, line: int) -> str:
    name = f"function_{number}_{line}"
    return (
        f'def {name}(argument):\n    """Adds {line} to what it is given."""\n    return argument + {line}\n'
    )


def turns(who: str, serial: int, count: int) -> Iterator[dict[str, Any]]:
    """One visit: reads, searches and edits, its note and the tests, then the answer; `serial` keeps visits apart."""
    agent = who.partition("@")[0]
    writes = agent in CODERS
    calls: list[dict[str, dict[str, Any]]]
    for turn in range(count - (3 if writes else 1)):
        module = (7 * serial + turn - turn % 3) % MODULES
        path = f"module_{module:02}.py"
        match turn % 3:
            case 1 if writes:
                calls = [{"edit_file": {"path": path, **_edit(module, serial)}}]
            case 2:
                calls = [{"search_files": {"pattern": f"function_{module}_{turn}"}}]
            case _:
                calls = [{"read_file": {"path": path, "line_count": 150}}]
        yield {"agent": who, "say": _words(f"Turn {turn + 1}: next is {path}.", SAID_CHARS), "call": calls}
    if writes:
        note = {"path": f"notes/{agent}-{serial}.md", "content": _words("What was wrong.", SAID_CHARS)}
        yield {"agent": who, "say": _words("A note of it.", SAID_CHARS), "call": [{"write_file": note}]}
        yield {"agent": who, "say": _words("Now the tests.", SAID_CHARS), "call": [{"run_tests": {}}]}
    yield {"agent": who, "say": _answer(agent)}


def _edit(module: int, function: int) -> dict[str, str]:
    """A function's body gets longer."""
    head = _function(module, function).splitlines(keepends=True)[:2]
    body = f"    return argument + {function}\n"
    steps = [f"    step_{n} = argument * {n} + {function}\n" for n in range(NEW_LINES)]
    return {"old_text": "".join([*head, body]), "new_text": "".join([*head, *steps, body])}


def _words(start: str, chars: int) -> str:
    return (start + " The results of the modules are compared one by one." * (chars // 40))[:chars]


def _answer(agent: str) -> str:
    said = _words("Done, as far as it could be seen.", ANSWER_CHARS)
    if agent == "architect":
        step = {"id": "s1", "specialist": "senior_coder", "goal": _words("Correct the results.", 400)}
        return json.dumps({"summary": said, "steps": [step]})
    return f'{said}\n{{"findings": []}}' if agent == "reviewer" else said


def transcript(path: Path, way: Way, size: Complexity) -> Path:
    """A file with the replies of all who may come to work on a task of this size."""
    verdict = {"complexity": size, "kind": "bugfix", "confidence": 0.9, "reason": "a test fails"}
    replies: list[dict[str, Any]] = [{"agent": "router", "say": json.dumps(verdict)}]
    for serial, who in enumerate(CAST[way.workflow]):
        agent = who.partition("@")[0]
        role = agent if agent in TURNS[size] else "coder" if agent in CODERS else "helper"
        replies += turns(who, serial, TURNS[size][role])
    replies += [{"agent": "summarizer", "say": _words("Modules were read.", ANSWER_CHARS)}] * 20
    content = {"codeflow_transcript": 1, "task": TASK, "replies": replies}
    path.write_text(yaml.dump(content, Dumper=_Plain, sort_keys=False))
    return path


class _Plain(yaml.SafeDumper):
    """Without the anchors that YAML writes for the summarizer's equal replies."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@dataclass(slots=True)
class Bill:
    """Who visited, one after the other, and what the calls of each visit took."""

    visits: list[tuple[str, list[ModelCalled]]] = field(default_factory=lambda: [("router", [])])
    mistakes: list[str] = field(default_factory=list)
    """Tool calls that failed, of which the script has none."""

    def __call__(self, event: Event) -> None:
        if isinstance(event, AgentStarted):
            self.visits.append((event.agent.partition("@")[0], []))
        if isinstance(event, ModelCalled):
            self.visits[-1][1].append(event)
        if isinstance(event, ToolFinished) and event.is_error:
            self.mistakes.append(f"{event.agent}: {event.tool}: {event.display}")


def measure(roster: str, size: Complexity, way: Way) -> list[Visit]:
    """The course of one run, its chances still 0.

    Raises:
        RuntimeError: the run did not go as scripted, or codeflow's bill is not the endpoint's.
    """
    where = f"{roster}, {size}, {way.name}"
    with tempfile.TemporaryDirectory(prefix="codeflow-cost-") as place:
        folder = Path(place)
        root = project(folder / "project", way.red_until)
        script = load(transcript(folder / "transcript.yaml", way, size))
        with Endpoint(script, rules_for=RULES) as endpoint:
            os.environ.update(environment(endpoint.url))
            bill = Bill()
            result = asyncio.run(_run(folder, root, roster, way, bill))
            if bill.mistakes:
                raise RuntimeError(f"{where}: {'; '.join(bill.mistakes)}")
            if endpoint.violations or endpoint.billed != result.usage:
                raise RuntimeError(f"{where}: {endpoint.violations or 'its bill differs from the endpoint'}")
    expected = "done" if way.red_until < NEVER else "failed"
    if result.status != expected or result.error not in {None, "the gates are still red"}:
        raise RuntimeError(f"{where}: {result.status}: {result.error}")
    return _course(bill)


async def _run(folder: Path, root: Path, roster: str, way: Way, bill: Bill) -> RunResult:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AWS_REGION": "us-east-1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # only time is saved: this machine's plugins are none of the project's
    }
    env |= {f"XDG_{name}_HOME": str(folder / name) for name in ("STATE", "CACHE", "CONFIG")}
    settings = load_settings(root, env=env, flags={"run": {"roster": roster, "max_cost": "none"}})
    workflow = None
    if way.workflow:
        shelf = Shelf(paths={}, agents=load_specialists(root, env), tools=TOOLS)
        workflow = given(shelf.check(packaged("config") / "workflows" / f"{way.workflow}.yaml"), {})
    task = Task(
        text=TASK,
        workspace=root,
        mode=Mode.AUTO,
        no_sandbox=True,
        pattern=way.pattern,
        agent=way.agent,
        workflow=workflow,
        limits=Limits(max_turns=60, timeout_s=3600),
    )
    return await build(settings, task, env=env, approve=None).run([bill])


def _course(bill: Bill) -> list[Visit]:
    course: list[Visit] = []
    for agent, calls in bill.visits:
        usages = [call.usage for call in calls if call.usage is not None]
        costs = [call.cost for call in calls if call.cost is not None]
        if len(usages) != len(calls) or len(costs) != len(calls):
            raise RuntimeError(f"{agent}: a call without usage or price")
        begun = any(visit.when is When.WHILE_RED for visit in course)
        helper = When.ONCE_GREEN if begun else When.ALWAYS
        course.append(
            Visit(
                agent=agent,
                when=When.WHILE_RED if agent in CODERS else helper,
                cost=float(sum(costs)),
                calls=len(calls),
                prompt_tokens=sum(usage.prompt_tokens for usage in usages),
                cached_tokens=sum(usage.cache_read_tokens for usage in usages),
                output_tokens=sum(usage.output_tokens for usage in usages),
            )
        )
    return course
