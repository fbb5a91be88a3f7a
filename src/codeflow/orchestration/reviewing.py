"""Findings of a review: from what models claim to what the code bears out, the same fault once, the worst first."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from codeflow.orchestration.planner import is_inside

NEAR_LINES = 3
"""Two findings so close together may be the same fault."""
ALIKE = 0.5
"""How much of two descriptions has to agree for them to be of the same fault."""
MAX_FILE_BYTES = 4_000_000


class Severity(IntEnum):
    """How much a fault matters."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault at a line of a file. `patch` repairs it, as a unified diff; empty where nobody suggests one."""

    file: str
    line: int
    severity: Severity
    kinds: tuple[str, ...]
    problem: str
    evidence: str
    patch: str = ""
    replaces: tuple[int, int] | None = None
    """First and last line that the patch replaces."""
    replacement: str = ""


class _Claim(BaseModel):
    """A finding as a model writes it."""

    model_config = ConfigDict(extra="ignore")

    file: str = Field(min_length=1)
    line: int = Field(ge=1)
    severity: Severity = Severity.MEDIUM
    kind: str = "review"
    problem: str = Field(min_length=1)
    evidence: str = ""
    old: str = ""
    new: str = ""

    @field_validator("severity", mode="before")
    @classmethod
    def _by_name(cls, given: object) -> object:
        """Anything worse than high is high; what nobody knows is in the middle."""
        known = {"critical": 3, "blocker": 3, "high": 3, "major": 3, "minor": 1, "low": 1, "info": 1}
        return Severity(known.get(given.lower(), 2)) if isinstance(given, str) else given


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings that the code bears out, and what was dropped, one line each."""

    findings: tuple[Finding, ...]
    dropped: tuple[str, ...]


def check_findings(claims: Iterable[Any], workspace: Path) -> Checked:
    """What is left of a review's claims: with a line that exists, merged, the worst first."""
    findings: list[Finding] = []
    dropped: list[str] = []
    for claim in claims:
        try:
            parsed = _Claim.model_validate(claim)
        except ValidationError as error:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            dropped.append(f"a finding without a usable {place or 'form'}")
            continue
        found = _found(parsed, workspace)
        if found is None:
            dropped.append(f"{parsed.file}:{parsed.line}: there is no such line ({parsed.problem})")
        else:
            findings.append(found)
    merged = merge(findings)
    return Checked(tuple(merged), tuple(dropped))


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """The same fault once, told by whoever takes it most seriously; the worst first, then by place."""
    kept: list[Finding] = []
    for finding in sorted(findings, key=_order):
        for number, other in enumerate(kept):
            if _same(finding, other):
                kept[number] = _both(other, finding)
                break
        else:
            kept.append(finding)
    return kept


def _order(finding: Finding) -> tuple[int, str, int, str]:
    return (-finding.severity, finding.file, finding.line, finding.problem)


def _same(one: Finding, other: Finding) -> bool:
    if one.file != other.file or abs(one.line - other.line) > NEAR_LINES:
        return False
    if one.patch and one.patch == other.patch:
        return True
    words, others = one.problem.lower().split(), other.problem.lower().split()
    return difflib.SequenceMatcher(None, words, others).ratio() >= ALIKE


def _both(first: Finding, other: Finding) -> Finding:
    kinds = tuple(dict.fromkeys((*first.kinds, *other.kinds)))
    evidence = "\n".join(dict.fromkeys(filter(None, (first.evidence, other.evidence))))
    if first.patch or not other.patch:
        return replace(first, kinds=kinds, evidence=evidence)
    return replace(
        first,
        kinds=kinds,
        evidence=evidence,
        patch=other.patch,
        replaces=other.replaces,
        replacement=other.replacement,
    )


def _found(claim: _Claim, workspace: Path) -> Finding | None:
    """The claim with its line and its suggestion checked; a suggestion that fits nowhere is left out."""
    lines = _lines(workspace, claim.file)
    if lines is None or claim.line > len(lines):
        return None
    finding = Finding(
        file=claim.file,
        line=claim.line,
        severity=claim.severity,
        kinds=(claim.kind,),
        problem=" ".join(claim.problem.split()),
        evidence=claim.evidence.strip(),
    )
    old, new = claim.old.splitlines(), claim.new.splitlines()
    at = _only_place(lines, old, claim.line)
    if at is None or old == new:
        return finding
    after = [*lines[:at], *new, *lines[at + len(old) :]]
    names = (f"a/{claim.file}", f"b/{claim.file}")
    patch = "\n".join(difflib.unified_diff(lines, after, *names, lineterm="")) + "\n"
    return replace(finding, patch=patch, replaces=(at + 1, at + len(old)), replacement="\n".join(new))


def _lines(workspace: Path, name: str) -> list[str] | None:
    path = workspace / name
    try:
        if not is_inside(workspace, name) or not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            return None
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except (OSError, ValueError):
        return None


def _only_place(lines: Sequence[str], old: Sequence[str], line: int) -> int | None:
    """Where some lines stand: once in the file, or several times and once around the line."""
    if not old:
        return None
    starts = [at for at in range(len(lines) - len(old) + 1) if lines[at : at + len(old)] == list(old)]
    if len(starts) > 1:
        starts = [at for at in starts if at - NEAR_LINES <= line - 1 < at + len(old) + NEAR_LINES]
    return starts[0] if len(starts) == 1 else None
