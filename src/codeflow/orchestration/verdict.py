"""How the work of a run ended, before it is priced."""

from dataclasses import dataclass

from codeflow.core.values import Status
from codeflow.orchestration.gates import was_refused
from codeflow.orchestration.job import Job


@dataclass(frozen=True, slots=True)
class Verdict:
    """A status; where the work is not done, what is wrong and what to do."""

    status: Status
    error: str | None = None
    hint: str | None = None


INTERRUPTED = Verdict(Status.INTERRUPTED, "interrupted")
FAULT = Verdict(
    Status.FAILED,
    "a fault inside codeflow ended the run",
    "Run `codeflow --debug …` again for the traceback.",
)


def judge(job: Job, problem: str | None) -> Verdict:
    """The verdict on work that came to its own end; `problem` is what its pattern says is wrong."""
    unverified = _unverified(job)
    if problem is None and unverified is None:
        return Verdict(Status.DONE)
    if problem is None:
        return Verdict(Status.STOPPED, unverified, "Allow it in a terminal, or with --mode auto.")
    if denied := job.crew.bench.denied:
        return Verdict(
            Status.STOPPED,
            f"{problem}; {len(denied)} actions were not permitted",
            "Allow them in a terminal, or with --mode auto.",
        )
    if job.crew.out_of:
        return Verdict(Status.STOPPED, problem, f"Go on with a higher limit: {job.crew.out_of}.")
    return Verdict(Status.FAILED, problem)


def _unverified(job: Job) -> str | None:
    """What the policy kept from happening although the result depends on it."""
    if job.crew.bench.unasked_changes:
        return f"changes were not permitted: {'; '.join(job.crew.bench.unasked_changes)}"
    refused = [gate.name for gate in job.gate_results if was_refused(gate)]
    return f"not verified, these gates were not permitted: {', '.join(refused)}" if refused else None
