"""What `codeflow ci` writes into a pull request and a job's summary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codeflow.cli.render.findings import as_markdown, counted, finding_as_markdown
from codeflow.cli.render.markup import code, fenced, prose
from codeflow.core.redaction import PLACEHOLDER
from codeflow.orchestration.reviewing import Checked, Finding, Severity

_MOST_SUGGESTED = 10_000
"""Characters of a suggestion; nobody applies a longer one unread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a review came to, as its JSON says. `cost` is in dollars, None when a call has no known price."""

    checked: Checked
    cost: str | None
    session_id: str


def read_review(told: Mapping[str, Any]) -> Told:
    """A review from its JSON."""
    checked = Checked(
        findings=tuple(map(_finding, told["findings"])),
        dropped=tuple(told["dropped"]),
        not_looked_for=tuple(told["not_looked_for"]),
    )
    return Told(checked=checked, cost=told["cost"], session_id=told["session_id"])


def _finding(told: Mapping[str, Any]) -> Finding:
    suggestion = told["suggestion"]
    return Finding(
        file=told["file"],
        line=told["line"],
        severity=Severity[told["severity"].upper()],
        kinds=tuple(told["kinds"]),
        problem=told["problem"],
        evidence=told["evidence"],
        patch=told["patch"],
        replaces=(suggestion["first_line"], suggestion["last_line"]) if suggestion else None,
        replacement=suggestion["text"] if suggestion else "",
    )


def remark(finding: Finding, suggestion: str | None) -> str:
    """A finding at its line. `suggestion` is what opens a block that the forge can apply, None where none fits."""
    head = f"**{finding.severity.name.capitalize()}** ({', '.join(finding.kinds)}): {prose(finding.problem)}"
    parts = [head, prose(finding.evidence)]
    if suggestion and _can_be_applied(finding):
        parts.append(fenced(finding.replacement, suggestion))
    elif finding.patch:
        parts.append(fenced(finding.patch, "diff"))
    return "\n\n".join(filter(None, parts))


def _can_be_applied(finding: Finding) -> bool:
    """Not what was cut, or holds the mark of a credential that was taken out of what the model read."""
    text = finding.replacement
    return len(text) <= _MOST_SUGGESTED and not PLACEHOLDER.search(text)


def summary(told: Told, commit: str, elsewhere: Sequence[Finding], run_url: str) -> str:
    """The review's own words: how much was found, and what no line of the diff can hold."""
    checked = told.checked
    found = len(checked.findings)
    at_lines = found - len(elsewhere)
    says = f"{found} finding{'s' * (found != 1)} ({counted(checked.findings)})" if found else "no findings"
    parts = [f"**codeflow has reviewed {commit[:12]}: {says}**"]
    if at_lines and elsewhere:
        parts.append(f"{at_lines} at their lines; the diff does not show those of the following.")
    if checked.not_looked_for:
        parts.append(f"Not complete: nobody has looked for {prose(', '.join(checked.not_looked_for))}.")
    parts += map(finding_as_markdown, elsewhere)
    parts.append(bill(told.cost, told.session_id, run_url))
    return "\n\n".join(parts)


def bill(cost: str | None, session_id: str | None, run_url: str) -> str:
    """One small line: what it cost, and where more about it stands."""
    parts = [f"${float(cost):.4f}" if cost is not None else "cost not known"]
    if session_id:
        parts.append(f"session `{code(session_id)}`")
    if run_url:
        parts.append(f"[log]({run_url})")
    return f"<sub>{' · '.join(parts)}</sub>"


def job_summary(told: Told, commit: str, run_url: str, notes: Sequence[str]) -> str:
    """All of a review for the page of a job."""
    parts = [f"## codeflow review of {commit[:12]}", as_markdown(told.checked)]
    parts += [f"> {prose(note)}" for note in notes]
    return "\n\n".join([*parts, bill(told.cost, told.session_id, run_url)])
