"""What a repair came to, for an issue, a pull request and a job's page."""

from collections.abc import Sequence
from dataclasses import dataclass

from codeflow.cli.render.comments import bill
from codeflow.cli.render.markup import code, prose

_MOST_FILES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run and what became of its work. `gates` are name, command and status; `cost` is in dollars, None: not known."""

    exit_code: int
    status: str
    answer: str
    files: tuple[str, ...]
    gates: tuple[tuple[str, str, str], ...]
    denied: tuple[str, ...]
    cost: float | None
    session_id: str | None
    error: str = ""
    branch: str = ""
    commit: str = ""
    pull_number: int | None = None
    pull_url: str = ""


def told_in_comment(outcome: Outcome, run_url: str) -> str:
    """For whoever asked: how it ended, where the work is, and the evidence."""
    return "\n\n".join([_headline(outcome), *_evidence(outcome, run_url)])


def repair_body(outcome: Outcome, number: int | None, run_url: str) -> str:
    """For the pull request that is opened; merging it closes the issue that it is for."""
    closes = [f"Closes #{number}"] if number is not None else []
    return "\n\n".join([*_evidence(outcome, run_url), *closes])


def _headline(outcome: Outcome) -> str:
    if outcome.pull_number is not None:
        return f"**Done: draft #{outcome.pull_number}** from `{code(outcome.branch)}`."
    if outcome.branch:
        return f"**Done:** {outcome.commit[:12]} is on `{code(outcome.branch)}`."
    if outcome.exit_code == 0:
        return "**Nothing was changed**, so nothing was pushed."
    return f"**Not done ({code(outcome.status)}, exit code {outcome.exit_code})**: nothing was pushed."


def _evidence(outcome: Outcome, run_url: str) -> Sequence[str]:
    parts = [prose(outcome.answer), prose(outcome.error)]
    if outcome.gates:
        rows = [
            f"| {prose(name)} | `{code(command)}` | {status} |" for name, command, status in outcome.gates
        ]
        parts.append("\n".join(["| Gate | Command | Result |", "|---|---|---|", *rows]))
    elif outcome.files:
        parts.append("No gate ran: nothing but the answer speaks for this change.")
    if outcome.files:
        more = len(outcome.files) - _MOST_FILES
        shown = ", ".join(f"`{code(path)}`" for path in outcome.files[:_MOST_FILES])
        parts.append(f"Changed: {shown}{f' and {more} more' if more > 0 else ''}")
    if outcome.denied:
        refused = "\n".join(f"- {prose(line)}" for line in outcome.denied[:_MOST_FILES])
        parts.append(f"Not permitted here:\n\n{refused}")
    cost = None if outcome.cost is None else str(outcome.cost)
    return [*filter(None, parts), bill(cost, outcome.session_id, run_url)]
