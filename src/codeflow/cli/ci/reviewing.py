"""`codeflow ci review`: a pull request's change reviewed, and the findings put on its lines."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from codeflow.cli.ci.asking import Asked, asked_in, refuse_strangers
from codeflow.cli.ci.checkout import Checkout
from codeflow.cli.ci.child import run_codeflow
from codeflow.cli.ci.job import Job
from codeflow.cli.render.clean import one_line
from codeflow.cli.render.comments import Told, job_summary, read_review, remark, summary
from codeflow.core.errors import UsageError
from codeflow.core.redaction import Redactor
from codeflow.core.values import EXIT_CODES, Status
from codeflow.forges.diffs import FileDiff
from codeflow.forges.github import pull_request
from codeflow.forges.pulls import Published, PullRequest
from codeflow.forges.remarks import Claim, Place, Remark, place
from codeflow.forges.wire import ForgeError
from codeflow.orchestration.reviewing import Finding, Severity

_REVIEWED = frozenset({0, 1, EXIT_CODES[Status.STOPPED]})
"""Exit codes of a review that has something to say; after others nobody could look."""
_NO_RIGHTS = frozenset({401, 403, 404})
_MOST_AT_LINES = 50
"""Remarks at lines in one review; the least serious ones beyond go into the summary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the options of `codeflow ci review` say. `reports` are pairs such as ("sarif", a file)."""

    number: int | None
    fail_on: str
    max_cost: str
    timeout_s: float | None
    reports: tuple[tuple[str, Path], ...]
    trigger: str
    allow_target: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A review that has ended. `told` is None when there was nothing to review, or nobody could."""

    code: int
    told: Told | None


class ReviewJob(Protocol):
    """The job of a forge, as far as a review needs it."""

    @property
    def workspace(self) -> Path: ...
    @property
    def url(self) -> str: ...
    @property
    def token(self) -> str: ...
    @property
    def run_url(self) -> str: ...
    def tell(self, **values: object) -> None: ...
    def summarize(self, markdown: str) -> None: ...


class Forge(Protocol):
    """Where a review is put."""

    def diffs(self, number: int) -> dict[str, FileDiff]: ...
    def suggestion(self, where: Place) -> str: ...
    def publish(
        self, number: int, commit: str, remarks: Sequence[Remark], summary: str, *, complete: bool
    ) -> Published: ...


def review_on_github(job: Job, wanted: Wanted) -> int:
    """Review the pull request that the event is about, or that is named; the exit code.

    Raises:
        UsageError, NotPermittedError: when the event has no pull request, or must not be obeyed.
        ForgeError, GitError: when the forge or git refuses.
    """
    pull = _which(job, wanted)
    if pull is None:
        job.tell(status="skipped")
        return 0
    refs = [f"refs/heads/{pull.base_branch}", f"refs/pull/{pull.number}/head"]
    return review_pull_request(job, job.github, pull, refs, wanted)


def review_pull_request(
    job: ReviewJob, forge: Forge, pull: PullRequest, refs: Sequence[str], wanted: Wanted
) -> int:
    """Review it and tell about it wherever that can be told; `refs` hold its commits at the forge.

    Raises:
        ForgeError, GitError: when the forge or git refuses.
    """
    checkout = Checkout(job.workspace, job.url, job.token)
    checkout.require(pull.base_sha, pull.head_sha, refs)
    with checkout.head_without_its_instructions(pull.base_sha, pull.head_sha) as folder:
        reviewed = review_range(f"{pull.base_sha}...{pull.head_sha}", folder, wanted)
    if reviewed.told is None:
        words = (
            "there was nothing to review" if reviewed.code == 0 else f"ended with exit code {reviewed.code}"
        )
        job.summarize(f"## codeflow review of {pull.head_sha[:12]}\n\n{words}; the log says more.")
        job.tell(status="nothing" if reviewed.code == 0 else "failed")
        return reviewed.code
    url, notes = _publish(job, forge, pull, reviewed.told)
    job.summarize(job_summary(reviewed.told, pull.head_sha, job.run_url, notes))
    job.tell(status="reviewed", review_url=url, pull_request=pull.number, **counts(reviewed.told))
    return reviewed.code


def counts(told: Told) -> dict[str, object]:
    """The outputs that say how much was found and what it cost."""
    found = told.checked.findings
    by_severity = {one.name.lower(): sum(finding.severity is one for finding in found) for one in Severity}
    complete = str(not told.checked.not_looked_for).lower()
    return {
        "findings": len(found),
        **by_severity,
        "complete": complete,
        "cost_usd": told.cost or "",
        "session": told.session_id,
    }


def _which(job: Job, wanted: Wanted) -> PullRequest | None:
    """The pull request that is to be reviewed; None when nobody asked."""
    if wanted.number is not None:
        return job.github.pull_request(wanted.number)
    if job.event == "pull_request_target" and not wanted.allow_target:
        raise UsageError(
            "on pull_request_target a stranger's change runs beside your secrets: not reviewed",
            hint="Use `on: pull_request`, or read docs/ci.md and give --allow-pull-request-target.",
        )
    if job.event in {"pull_request", "pull_request_target"}:
        return pull_request(job.payload.get("pull_request") or {})
    if job.event != "issue_comment":
        raise UsageError(
            f"the event {job.event!r} has no pull request", hint="Say which with --pull-request NUMBER."
        )
    asked = asked_in(job, wanted.trigger, "review")
    if asked is None:
        print("codeflow: nobody asked for a review; nothing to do", file=sys.stderr)
        return None
    return _asked_for(job, asked)


def _asked_for(job: Job, asked: Asked) -> PullRequest:
    refuse_strangers(job)
    if not asked.is_pull_request:
        raise UsageError(f"#{asked.number} is no pull request", hint="Ask under a pull request.")
    return job.github.pull_request(asked.number)


def review_range(change: str, folder: Path, wanted: Wanted) -> Reviewed:
    """Let `codeflow review` look at a range of commits in a folder, without the forge's token."""
    with TemporaryDirectory(prefix="codeflow-ci-") as scratch:
        found = Path(scratch, "findings.json")
        options = ["--workspace", str(folder), "--output", "json", "--save", str(found)]
        options += ["--fail-on", wanted.fail_on, "--max-cost", wanted.max_cost]
        options += ["--timeout", str(wanted.timeout_s)] if wanted.timeout_s is not None else []
        for form, file in wanted.reports:
            options += ["--report", f"{form}={file.absolute()}"]
        code, _ = run_codeflow(["review", change, *options], Path(scratch), os.environ)
        if code not in _REVIEWED or not found.exists():
            return Reviewed(code=code, told=None)
        return Reviewed(code=code, told=read_review(json.loads(found.read_text(encoding="utf-8"))))


def _publish(job: ReviewJob, forge: Forge, pull: PullRequest, told: Told) -> tuple[str, list[str]]:
    """The address of the review, and what should be known about it; a token that may not comment is no failure."""
    try:
        remarks, elsewhere = remarks_of(told.checked.findings, forge.diffs(pull.number), forge.suggestion)
        words = Redactor(os.environ).redact(summary(told, pull.head_sha, elsewhere, job.run_url))
        complete = not told.checked.not_looked_for
        done = forge.publish(pull.number, pull.head_sha, remarks, words, complete=complete)
    except ForgeError as error:
        if error.status_code not in _NO_RIGHTS:
            raise
        note = f"The pull request could not be commented: {one_line(str(error))}. {error.hint}"
        print(f"codeflow: {Redactor(os.environ).redact(note)}", file=sys.stderr)
        return "", [note]
    counted = f"{done.new} new, {done.edited} edited, {done.gone} taken back"
    print(f"codeflow: {counted}: {done.url}", file=sys.stderr)
    refused = f"The forge refused the lines of {done.refused} remarks; they are in the summary."
    return done.url, ([refused] if done.refused else [])


def remarks_of(
    findings: Sequence[Finding], diffs: dict[str, FileDiff], suggestion: Callable[[Place], str]
) -> tuple[list[Remark], list[Finding]]:
    """Remarks at lines of the diff, and the findings that are at none. `suggestion` opens a block to be applied."""
    claims = [
        Claim(path=one.file, line=one.line, kind=one.kinds[0], replaces=one.replaces) for one in findings
    ]
    remarks: list[Remark] = []
    elsewhere: list[Finding] = []
    redactor = Redactor(os.environ)
    for finding, at in zip(findings, place(claims, diffs), strict=True):
        if at is None or len(remarks) == _MOST_AT_LINES:
            elsewhere.append(finding)
            continue
        clean = replace(finding, replacement=redactor.redact(finding.replacement))
        body = redactor.redact(remark(clean, suggestion(at) if at.fits else None))
        remarks.append(Remark(place=at, body=body))
    return remarks, elsewhere
