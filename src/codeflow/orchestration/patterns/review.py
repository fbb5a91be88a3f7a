"""A reviewer's findings, and which of them a command proves."""

from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from codeflow.core.values import Gate, GateStatus
from codeflow.orchestration.job import Job
from codeflow.orchestration.planner import is_inside
from codeflow.orchestration.replies import last_object


class Finding(BaseModel):
    """A claimed fault: where it is, and a command that fails because of it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    file: str
    line_number: int = Field(alias="line", ge=1)
    problem: str = Field(min_length=1)
    command: str = Field(min_length=1)

    @property
    def line(self) -> str:
        return f"{self.file}:{self.line_number}: {self.problem} (fails: {self.command})"


class _Review(BaseModel):
    model_config = ConfigDict(extra="ignore")

    findings: tuple[Finding, ...] = ()


def parse_findings(answer: str) -> tuple[Finding, ...]:
    """The findings that cite file, line and command; an answer without them has none."""
    try:
        return _Review.model_validate(last_object(answer) or {}).findings
    except ValidationError:
        return ()


def cites_a_line(finding: Finding, workspace: Path) -> bool:
    """Whether the cited line exists in a file of the workspace."""
    path = workspace / finding.file
    try:
        if not is_inside(workspace, finding.file) or not path.is_file():
            return False
        with path.open("rb") as file:
            return sum(1 for _ in file) >= finding.line_number
    except OSError:
        return False


async def prove(
    job: Job, claimed: tuple[Finding, ...], *, first_number: int
) -> tuple[tuple[Finding, Gate], ...]:
    """Run each finding's command; those that fail are proven and become gates, the rest are dropped aloud."""
    proven: list[tuple[Finding, Gate]] = []
    for finding in claimed:
        if not job.once(f"is there {finding.line}", partial(cites_a_line, finding, job.task.workspace)):
            job.warn(f"finding dropped, no such line: {finding.line}")
            continue
        gate = Gate(
            name=f"finding-{first_number + len(proven)}",
            command=finding.command,
            timeout_s=job.settings.tools.command_timeout_s,
        )
        (result,) = await job.gates.run_only((gate,))
        if result.status is GateStatus.RED:
            proven.append((finding, gate))
        else:
            job.warn(f"finding dropped, its command proves nothing ({result.status}): {finding.line}")
    return tuple(proven)
