"""What each specialist is told: the task and the evidence, whole; never another agent's account of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from codeflow.core.consulting import Excerpt
from codeflow.core.invisible import spelled_out
from codeflow.core.text import listed
from codeflow.core.values import GateResult, GateStatus, Plan, PlanStep
from codeflow.tools.untrusted import as_data

MAX_DIFF_CHARS = 24_000
MAX_OUTPUT_CHARS = 8_000
MAX_ANSWER_CHARS = 2_000
MAX_NAMES = 50

_CHARS_PER_TOKEN = 3
"""Of code and diffs, rather too few."""


def first_message(
    task: str,
    facts: str,
    baseline: Iterable[GateResult],
    exchanges: Sequence[tuple[str, str]] = (),
    *,
    not_as_said: Sequence[str] = (),
) -> str:
    """Everything that an agent would otherwise spend its first turns on, then the task.

    `exchanges` are the earlier tasks of the session with their answers, which the agent did not see;
    `not_as_said` are files that are not as these left them.
    """
    environment = "\n\n".join(filter(None, (facts, _baseline(baseline))))
    earlier = "".join(
        f"<earlier_task>\n{asked}\n</earlier_task>\n<answer>\n{_tail(answer, MAX_ANSWER_CHARS)}\n</answer>\n\n"
        for asked, answer in exchanges
    )
    earlier += _changed_since(not_as_said)
    return f"<environment>\n{environment}\n</environment>\n\n{earlier}<task>\n{task}\n</task>"


def follow_up(task: str, baseline: Iterable[GateResult], not_as_said: Sequence[str] = ()) -> str:
    """The next task for an agent that has worked in this session; `not_as_said` are files changed by others since."""
    gates = _baseline(baseline)
    environment = f"<environment>\n{gates}\n</environment>\n\n" if gates else ""
    return f"{environment}{_changed_since(not_as_said)}<task>\n{task}\n</task>"


def _changed_since(files: Sequence[str]) -> str:
    """What to know of files that somebody else has changed between two tasks."""
    if not files:
        return ""
    names = as_data(spelled_out(listed(files, MAX_NAMES)), "names of files")
    return (
        "<changed_since>\nSince the task before, somebody else has changed, put back or removed files that this session "
        "had changed. They are not as said above: read them again before you rely on any change in them.\n"
        f"{names}\n</changed_since>\n\n"
    )


def _baseline(baseline: Iterable[GateResult]) -> str:
    results = [result for result in baseline if result.status is not GateStatus.SKIPPED]
    if not results:
        return ""
    failing = [
        as_data(_tail(result.output, MAX_OUTPUT_CHARS), f"output of {result.name} before any change")
        for result in results
        if result.status is GateStatus.RED
    ]
    return "\n".join(["Gates before any change:", *map(_gate_line, results), *failing])


def step_message(step: PlanStep, plan: Plan, *, first: bool) -> str:
    """One step of a plan; the plan itself is told once."""
    files = f"\nFiles: {', '.join(step.files)}" if step.files else ""
    goal = f"Step {step.id}: {step.goal}{files}"
    if not first:
        return f"The step before is done. Next:\n{goal}"
    listed = "\n".join(f"- {other.id} ({other.specialist}): {other.goal}" for other in plan.steps)
    accepted = "\n".join(f"- {command}" for command in plan.acceptance) or "- the project's gates"
    return (
        f"<plan>\n{plan.summary}\n\nSteps:\n{listed}\n\nAccepted when these succeed:\n{accepted}\n</plan>\n\n"
        f"Carry out this step only:\n{goal}"
    )


def takeover_message(prompt: str, agent: str, problem: str, said: str) -> str:
    """The task of a specialist who did not finish, for the one that takes over."""
    last_words = f" It had said:\n{_tail(said, MAX_OUTPUT_CHARS)}" if said else ""
    return (
        f"{prompt}\n\n<takeover>\n{agent} began this and did not finish: {problem}. What it changed is in the "
        f"work tree; look at it before you go on.{last_words}\n</takeover>"
    )


def debug_message(
    task: str, facts: str, diff: str, failing: Sequence[GateResult], unfinished: str = ""
) -> str:
    """The task, the diff and the failing output: what whoever takes over needs, and no more.

    `unfinished` is why the one before gave no answer; "": the work was finished, and the gates are red.
    """
    order = "Make these gates green."
    if unfinished:
        order = (
            f"Somebody began this task and did not finish: {unfinished}. The diff is what they changed; finish the task, "
            "and leave the project's gates green."
        )
    shown = failing_gates(failing)
    parts = [
        f"<environment>\n{facts}\n</environment>",
        f"<task>\n{task}\n</task>",
        _diff(diff),
        f"<failing>\n{shown}\n</failing>" if shown else "",
        order,
    ]
    return "\n\n".join(filter(None, parts))


def consult_message(
    *,
    task: str,
    plan: Plan | None,
    diff: str,
    failing: Sequence[GateResult],
    excerpts: Sequence[Excerpt],
    question: str,
    tokens: int,
) -> str:
    """Where the work stands, and a question about it, in about so many tokens: the longest parts are cut first."""
    steps = "\n".join(f"- {step.id} ({step.specialist}): {step.goal}" for step in plan.steps) if plan else ""
    planned = f"{plan.summary}\n{steps}" if plan else ""
    outputs = [result.output for result in failing]
    texts = [task, planned, diff, question, *outputs, *(one.text for one in excerpts)]
    room = _fair_share([len(text) for text in texts], tokens * _CHARS_PER_TOKEN)
    gates = failing_gates(failing, room)
    parts = [
        f"<task>\n{_head(task, room)}\n</task>",
        f"<plan>\n{_head(planned, room)}\n</plan>" if planned else "",
        as_data(spelled_out(_head(diff, room)), "diff of this run") if diff else "(nothing was changed yet)",
        f"<failing>\n{gates}\n</failing>" if gates else "",
        *(as_data(spelled_out(_head(one.text, room)), one.path) for one in excerpts),
        f"<question>\n{_head(question, room)}\n</question>",
    ]
    return "\n\n".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finished attempt: its number, its diff or, where none changed anything, its answer, and its gates."""

    number: int
    text: str
    gates: Sequence[GateResult]


def choice_message(
    task: str, candidates: Sequence[Candidate], kind: Literal["diff", "answer"], most_chars: int
) -> str:
    """Several finished attempts at a task, to choose one of them; `kind` is what their texts are."""
    room = _fair_share([len(one.text) for one in candidates], most_chars)
    shown = "\n\n".join(
        "\n".join(
            (
                f"Attempt {one.number}:",
                *map(_gate_line, one.gates),
                as_data(spelled_out(_head(one.text, room)), f"{kind} of attempt {one.number}"),
            )
        )
        for one in candidates
    )
    numbers = ", ".join(str(one.number) for one in candidates)
    return (
        f"Choose one of {len(candidates)} attempts at the task below. {_CHOOSE[kind]}\n\n"
        f"<asked>\n{task}\n</asked>\n\n{shown}\n\n"
        "You review no findings this time: finish with a single JSON object and nothing after it, with one of the "
        f'numbers {numbers}:\n{{"attempt": {candidates[0].number}, "reason": "one sentence: why this one"}}'
    )


_CHOOSE = {
    "diff": (
        "Each was made on a copy of this folder, which is as it was before them, and the gates accept each. Look for the "
        "one that does the whole task and nothing else, is right on the edges and breaks no caller; between equals, for "
        "the simplest."
    ),
    "answer": (
        "None shows a change of files: compare their answers. Check what they state against the files here. Look for the one that is "
        "right and answers all of what was asked; between equals, for the shortest."
    ),
}


def _fair_share(lengths: Sequence[int], room: int) -> int:
    """The greatest length to cut each text to, so that all of them fit."""
    left = room
    for place, length in enumerate(sorted(lengths)):
        share = left // (len(lengths) - place)
        if length > share:
            return share
        left -= length
    return max(lengths, default=0)


def node_message(task: str, facts: str, order: str) -> str:
    """For a node of a workflow: the task as a whole, and what is to be done there."""
    return f"<environment>\n{facts}\n</environment>\n\n<task>\n{task}\n</task>\n\n{order}"


def failing_gates(results: Iterable[GateResult], most_chars: int = MAX_OUTPUT_CHARS) -> str:
    """What gates showed, with their output."""
    return "\n\n".join(
        f"{_gate_line(result)}\n{as_data(_tail(result.output, most_chars), f'output of {result.name}')}"
        for result in results
    )


def after_change(task: str, facts: str, diff: str, order: str) -> str:
    """For those who work on a finished change: test engineer, reviewer, documentation."""
    return f"<environment>\n{facts}\n</environment>\n\n<task>\n{task}\n</task>\n\n{_diff(diff)}\n\n{order}"


def findings_message(findings: Iterable[str]) -> str:
    """Proven findings, back to the coder."""
    listed = "\n".join(f"- {finding}" for finding in findings)
    return (
        f"A reviewer proved these faults; each command fails now:\n{listed}\n\n"
        "Repair the causes. The commands are gates from now on."
    )


def _gate_line(result: GateResult) -> str:
    code = "stopped" if result.exit_code is None else f"exit {result.exit_code}"
    return f"- {result.name}: {result.status} ({code}, {result.duration_s:.1f} s): {result.command}"


def _diff(diff: str) -> str:
    if not diff:
        return "(no difference, or no git repository to compare with)"
    left_out = len(diff) - MAX_DIFF_CHARS
    cut = f"\n[{left_out} more characters; read the files, or git_diff]" if left_out > 0 else ""
    return as_data(spelled_out(f"{diff[:MAX_DIFF_CHARS]}{cut}"), "diff of this run")


def _head(text: str, limit: int) -> str:
    left_out = len(text) - limit
    return text if left_out <= 0 else f"{text[:limit]}\n[{left_out} characters after this left out]"


def _tail(text: str, limit: int) -> str:
    left_out = len(text) - limit
    return text if left_out <= 0 else f"[{left_out} characters before this left out]\n{text[-limit:]}"
