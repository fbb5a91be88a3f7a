"""Findings of a review: from what models claim to what the code bears out, the same fault once, the worst first."""

import difflib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
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


_SEVERITIES: Mapping[str, Severity] = {
    **dict.fromkeys(
        ("high", "critical", "blocker", "fatal", "severe", "urgent", "major", "error"), Severity.HIGH
    ),
    **dict.fromkeys(("medium", "moderate", "warning"), Severity.MEDIUM),
    **dict.fromkeys(("low", "minor", "trivial", "info", "note"), Severity.LOW),
}
"""Words that models use; anything worse than high is high."""
_MAX_WORD_CHARS = 40


class _Claim(BaseModel):
    """A finding as a model writes it."""

    model_config = ConfigDict(extra="ignore")

    file: str = Field(min_length=1)
    line: int = Field(ge=1)
    severity: Any = None
    kind: str = "review"
    problem: str = Field(min_length=1)
    evidence: str = ""
    old: str = ""
    new: str = ""

    @field_validator("line", mode="before")
    @classmethod
    def _is_a_number(cls, given: object) -> object:
        if isinstance(given, bool):
            raise ValueError("true and false are no lines")  # noqa: TRY004 - pydantic reports only these
        return given

    @property
    def weight(self) -> Severity:
        """By its word; what is no word for it is high, so that a slip hides nothing."""
        return self._known or Severity.HIGH

    @property
    def oddity(self) -> str:
        """What the reader should know of the severity; empty when it is a usual word."""
        if self._known:
            return ""
        given = json.dumps(self.severity, ensure_ascii=False)[:_MAX_WORD_CHARS]
        return f"{self.file}:{self.line}: its severity {given} is not low, medium or high: it counts as high"

    @property
    def _known(self) -> Severity | None:
        word = self.severity.strip().lower() if isinstance(self.severity, str) else ""
        return _SEVERITIES.get(word)


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings that the code bears out, what was dropped, one line each, and what nobody has looked for.

    `guessed`: a line for each finding whose severity had to be guessed.
    """

    findings: tuple[Finding, ...]
    dropped: tuple[str, ...] = ()
    not_looked_for: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()


ReadLines = Callable[[str], list[str] | None]
"""The lines of a file of the change, None where there is none."""


def check_findings(
    claims: Mapping[str, Any], failed: Iterable[str], workspace: Path, read: ReadLines, below: str = ""
) -> Checked:
    """What is left of a review's claims: with a line that exists, merged, the worst first.

    `claims`: for each kind of fault what its reviewer's answer held, by right a list of objects. `failed` are the kinds
    whose reviewers did not finish. `below` is where the workspace is in its repository, such as `src/app/`: files that
    are named from there are found as well.
    """
    findings: list[Finding] = []
    dropped: list[str] = []
    guessed: list[str] = []
    unusable = [kind for kind, told in claims.items() if not isinstance(told, list)]
    told = [(kind, claim) for kind, listed in claims.items() if isinstance(listed, list) for claim in listed]
    for kind, claim in told:
        try:
            parsed = _Claim.model_validate({**claim, "kind": kind} if isinstance(claim, Mapping) else claim)
        except ValidationError as error:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            dropped.append(f"a finding without a usable {place or 'form'}")
            continue
        parsed = parsed.model_copy(update={"file": _plain_name(workspace, parsed.file)})
        found = _found(parsed, read(parsed.file))
        if found is None and below and parsed.file.startswith(below):
            parsed = parsed.model_copy(update={"file": parsed.file.removeprefix(below)})
            found = _found(parsed, read(parsed.file))
        if found is None:
            dropped.append(f"{parsed.file}:{parsed.line}: there is no such line ({parsed.problem})")
        else:
            findings.append(found)
            guessed += filter(None, [parsed.oddity])
    not_looked_for = tuple(dict.fromkeys((*failed, *unusable)))
    return Checked(tuple(merge(findings)), tuple(dropped), not_looked_for, tuple(guessed))


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


def _plain_name(workspace: Path, name: str) -> str:
    """A file as its repository names it, however a model put it."""
    path = Path(os.path.normpath(name))
    return (path.relative_to(workspace) if path.is_relative_to(workspace) else path).as_posix()


def _found(claim: _Claim, lines: list[str] | None) -> Finding | None:
    """The claim with its line and its suggestion checked; a suggestion that fits nowhere is left out."""
    if lines is None or claim.line > len(lines):
        return None
    finding = Finding(
        file=claim.file,
        line=claim.line,
        severity=claim.weight,
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


def lines_on_disk(workspace: Path, name: str) -> list[str] | None:
    """The lines of a file of the work tree; None where there is none that a finding could be in."""
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
