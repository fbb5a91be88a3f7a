"""Who asks codeflow for something in a comment, and whether they may."""

import re
from dataclasses import dataclass

from codeflow.cli.ci.job import Job
from codeflow.core.errors import CodeflowError
from codeflow.core.values import Status


class NotPermittedError(CodeflowError):
    """Whoever asks may not, or what is asked about is not to be touched."""

    status = Status.STOPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a comment asks for: `words` follow the trigger, and are those of whoever wrote it."""

    number: int
    is_pull_request: bool
    words: str


def asked_in(job: Job, trigger: str, what: str) -> Asked | None:
    """What a new comment asks for, when it begins with the trigger and `what`, such as "/codeflow review"."""
    issue, comment = job.payload.get("issue") or {}, job.payload.get("comment") or {}
    body = comment.get("body")
    if job.payload.get("action") != "created" or not isinstance(body, str) or job.issue_number is None:
        return None
    begins = rf"\s*{re.escape(trigger)}\s+{re.escape(what)}(?=\s|$)"
    match = re.match(begins, body)
    if match is None:
        return None
    return Asked(
        number=job.issue_number,
        is_pull_request="pull_request" in issue or "pull_request" in job.payload,
        words=body[match.end() :].strip(),
    )


def refuse_strangers(job: Job) -> None:
    """Let only those ask who may push.

    Raises:
        NotPermittedError: for everybody else, and for bots.
    """
    sender = job.payload.get("sender") or {}
    if sender.get("type") != "Bot" and job.github.may_write(job.sender):
        return
    raise NotPermittedError(
        f"{job.sender or 'nobody'} may not push to {job.repository}, and so may not ask for this",
        hint="Somebody with write access can.",
    )
