"""Every fault of a Bedrock call through every pattern, and the table that docs/reliability.md shows of it.

`python -m tests.e2e.fault_matrix` writes the table anew; test_e2e_fault_matrix.py fails when it is out of date.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from tests.e2e.harness import BUG, EDIT, READ, RULES, SAID

from codeflow.app.build import build
from codeflow.core.events import Event, ModelCalled
from codeflow.core.results import RunResult
from codeflow.core.settings import load_settings, merge
from codeflow.core.values import EXIT_CODES, Complexity, Mode, Pattern, Task
from codeflow.models.endpoint import Endpoint, environment
from codeflow.models.endpoint.transcript import Transcript

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- fault matrix: begin -->", "<!-- fault matrix: end -->"
ATTEMPTS = 3
LIMIT_S = 1.5
"""Long enough for a whole answer of the endpoint on a busy machine."""
FLAGS: Mapping[str, Any] = {
    "run": {"mode": "auto"},
    "gates": dict.fromkeys(("tests", "lint", "types", "build"), "off"),
    "models": {"connect_timeout_s": 5, "read_timeout_s": 20},
    "faults": {"max_attempts": ATTEMPTS, "max_wait_s": 0.001, "breaker": {"cool_down_s": 0.001}},
}
_ROLES = (
    "router",
    "architect",
    "senior_coder",
    "fast_coder",
    "test_engineer",
    "reviewer",
    "debugger",
    "documentation",
)
_MODELS = ("global.anthropic.claude-haiku-5-5", "global.anthropic.claude-sonnet-5-5")


@dataclass(frozen=True, slots=True)
class Row:
    """One fault at one moment; it meets the agent's answer, which calls a tool unless `words`."""

    name: str
    moment: str
    fault: Mapping[str, Any]
    words: bool = False
    flags: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.name}, {self.moment}"


def _first(name: str, error: str, message: str = "As asked for.") -> Row:
    return Row(name, "first byte", {"error": error, "message": message})


def _midway(name: str, error: str) -> Row:
    return Row(name, "mid-stream", {"stream_error": error, "after": 3, "message": "As asked for."})


def _limits(**limits: float) -> Mapping[str, Any]:
    """A time limit; the abandoned try's thread is let go soon after, by the limit on the connection's silence."""
    return {"faults": limits, "models": {"read_timeout_s": LIMIT_S + 1}}


ROWS: Sequence[Row] = (
    _first("ThrottlingException 429", "ThrottlingException"),
    _midway("throttlingException", "throttlingException"),
    _first("ServiceQuotaExceededException 400", "ServiceQuotaExceededException"),
    _first("ModelNotReadyException 429", "ModelNotReadyException"),
    _first("ModelTimeoutException 408", "ModelTimeoutException"),
    _first("ServiceUnavailableException 503", "ServiceUnavailableException"),
    _midway("serviceUnavailableException", "serviceUnavailableException"),
    _first("InternalServerException 500", "InternalServerException"),
    _midway("internalServerException", "internalServerException"),
    _first("ConflictException 400", "ConflictException"),
    _first("ModelErrorException 424", "ModelErrorException"),
    _midway("modelStreamErrorException", "modelStreamErrorException"),
    Row("connection cut", "first byte", {"cut": 0}),
    Row("connection cut", "mid-stream", {"cut": 3}),
    Row("no first token", "first byte", {"stall": 1}, flags=_limits(first_token_timeout_s=LIMIT_S)),
    Row("answer without end", "mid-stream", {"stall": 4}, flags=_limits(call_timeout_s=LIMIT_S)),
    Row("silent connection", "first byte", {"stall": 0}, flags={"models": {"read_timeout_s": LIMIT_S}}),
    Row("silent connection", "mid-stream", {"stall": 4}, flags={"models": {"read_timeout_s": LIMIT_S}}),
    _first("AccessDeniedException 403", "AccessDeniedException", "You don't have access to the model."),
    _first("ResourceNotFoundException 404", "ResourceNotFoundException"),
    _first(
        "ValidationException 400: needs a profile",
        "ValidationException",
        "Invocation of model ID x with on-demand throughput isn't supported.",
    ),
    _first(
        "ValidationException 400: no streaming tools",
        "ValidationException",
        "This model doesn't support tool use in streaming mode.",
    ),
    _first("ValidationException 400: invalid request", "ValidationException", "messages.0 is wrong"),
    _midway("validationException", "validationException"),
    _first(
        "ValidationException 400: context overflow",
        "ValidationException",
        "Input is too long for requested model.",
    ),
    Row("stop model_context_window_exceeded", "answer", {"stop": "model_context_window_exceeded"}),
    _first("ExpiredTokenException 403", "ExpiredTokenException"),
    _first("UnrecognizedClientException 403", "UnrecognizedClientException"),
    Row("tool call's JSON malformed", "answer", {"truncate": 10, "stop": "tool_use"}),
    Row("tool call truncated", "answer", {"truncate": 10, "stop": "max_tokens"}),
    Row("stop malformed_tool_use", "answer", {"stop": "malformed_tool_use"}),
    Row("stop malformed_model_output", "answer", {"stop": "malformed_model_output"}),
    Row("answer cut at the output limit", "answer", {"truncate": 10, "stop": "max_tokens"}, words=True),
    Row("stop guardrail_intervened", "answer", {"stop": "guardrail_intervened"}, words=True),
    Row("stop content_filtered", "answer", {"stop": "content_filtered"}, words=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A row in one pattern: whom the fault meets, and how often."""

    pattern: Pattern
    agent: str
    lasting: bool


CASES = (
    Case(pattern=Pattern.SINGLE, agent="fast_coder", lasting=False),
    Case(pattern=Pattern.GRAPH, agent="fast_coder", lasting=False),
    Case(pattern=Pattern.SINGLE, agent="fast_coder", lasting=True),
    Case(pattern=Pattern.GRAPH, agent="fast_coder", lasting=True),
    Case(pattern=Pattern.GRAPH, agent="reviewer", lasting=True),
)
HEAD = (
    "| fault | when | counted as | once: single | graph | always: single | graph | graph's reviewer | a failed try costs |",
    "|---|---|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the run of a case ended."""

    result: RunResult
    tries: tuple[ModelCalled, ...]
    """Of the one step that the fault meets."""
    violations: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.result.status]

    @property
    def cell(self) -> str:
        """`tries on the first model + tries on the second -> exit code`."""
        counts = [str(len(list(group))) for _, group in groupby(self.tries, lambda called: called.model)]
        return f"{' + '.join(counts)} → {self.exit_code}"


def play_all(row: Row, folder: Path) -> list[Ending]:
    """Every case of a row at once, for most of the time of some rows is a silence."""
    with ThreadPoolExecutor(len(CASES)) as pool:
        folders = [folder / str(number) for number in range(len(CASES))]
        return list(pool.map(play, [row] * len(CASES), CASES, folders))


def play(row: Row, case: Case, folder: Path) -> Ending:
    """Run a case in an empty folder against an endpoint of its own, with AWS's variables already set."""
    (folder / "project").mkdir(parents=True)
    (folder / "project" / "calc.py").write_text(BUG)
    roster = folder / "two.toml"
    roster.write_text("[roles]\n" + "".join(f"{role} = {json.dumps(_MODELS)}\n" for role in _ROLES))
    replies = _replies(row, case)
    transcript = TypeAdapter(Transcript).validate_python({"task": "repair add", "replies": replies})
    with Endpoint(transcript, rules_for=RULES) as endpoint:
        called, result = asyncio.run(_run(row, case, folder, roster, endpoint.url))
        violations = tuple(endpoint.violations)
    faulty = next(call.step for call in called if call.agent == case.agent and _is_met(call, row))
    tries = tuple(call for call in called if (call.agent, call.step) == (case.agent, faulty))
    return Ending(result=result, tries=tries, violations=violations)


def _is_met(call: ModelCalled, row: Row) -> bool:
    """Whether the call is the first one that the row's fault met."""
    return call.outcome != "ok" or (row.words and call.stop_reason != "tool_use")


async def _run(
    row: Row, case: Case, folder: Path, roster: Path, url: str
) -> tuple[list[ModelCalled], RunResult]:
    env = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("STATE", "CACHE", "CONFIG")}
    settings = load_settings(folder / "project", env=env, flags=_flags(row, roster, url))
    task = Task(
        text="repair add",
        workspace=folder / "project",
        mode=Mode.AUTO,
        pattern=case.pattern,
        complexity=Complexity.SIMPLE,
    )
    called: list[ModelCalled] = []

    def note(event: Event) -> None:
        if isinstance(event, ModelCalled):
            called.append(event)

    result = await build(settings, task, env=env, approve=None).run([note])
    return called, result


def _flags(row: Row, roster: Path, url: str) -> dict[str, Any]:
    sections = {"run": {"roster": str(roster)}, "models": {"endpoint_url": url}}
    return merge(merge(dict(FLAGS), sections), row.flags)


def _replies(row: Row, case: Case) -> list[dict[str, Any]]:
    faults = [row.fault] * (60 if case.lasting else 1)
    coder: list[dict[str, Any]] = [READ, EDIT, SAID]
    if case.pattern is Pattern.SINGLE:
        return _struck(coder, row, faults)
    if case.agent == "fast_coder":
        coder = _struck(coder, row, faults)
    reviewer: list[dict[str, Any]] = [
        {"agent": "reviewer", "call": [{"list_directory": {}}]},
        {"agent": "reviewer", "say": '{"findings": []}'},
    ]
    if case.agent == "reviewer":
        reviewer = _struck(reviewer, row, faults)
    step = {"id": "s1", "specialist": "fast_coder", "goal": "add adds", "files": ["calc.py"], "needs": []}
    plan = {"summary": "Repair add.", "steps": [step], "acceptance": [], "risks": []}
    return [
        {"agent": "architect", "say": json.dumps(plan)},
        *coder,
        {"agent": "test_engineer", "say": "Nothing to add."},
        *reviewer,
        {"agent": "documentation", "say": "Nothing to do."},
    ]


def _struck(replies: Sequence[Mapping[str, Any]], row: Row, faults: Sequence[Any]) -> list[dict[str, Any]]:
    """The replies with the faults before the one they concern: the last call, or the last words."""
    position = len(replies) - (1 if row.words else 2)
    return [
        {**reply, "faults": list(faults)} if index == position else dict(reply)
        for index, reply in enumerate(replies)
    ]


def line(row: Row, endings: Sequence[Ending]) -> str:
    """The row of the table."""
    first = endings[0].tries[0]
    cells = [row.name, row.moment, str(first.outcome), *(ending.cell for ending in endings)]
    return f"| {' | '.join([*cells, _cost(endings[-1].tries[0])])} |"


def _cost(call: ModelCalled) -> str:
    if call.cost is None:
        return "unknown"
    return "its tokens" if call.cost else "nothing"


@cache
def documented() -> tuple[str, ...]:
    """The table's lines in the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return tuple(text.partition(BEGIN)[2].partition(END)[0].strip().splitlines())


def main() -> None:
    """Play every case and write the table into the document."""
    os.environ.update(environment("http://127.0.0.1:9"))
    lines = list(HEAD)
    for row in ROWS:
        with tempfile.TemporaryDirectory() as folder:
            lines.append(line(row, play_all(row, Path(folder))))
        sys.stderr.write(f"{lines[-1]}\n")
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    table = "\n".join(lines)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
