"""A job of GitLab CI: which merge request it is about, and where to answer."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from codeflow.cli.ci.reviewing import Wanted, review_pull_request
from codeflow.core.errors import UsageError
from codeflow.forges.gitlab import GitLab
from codeflow.forges.wire import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLabJob:
    """One job of a pipeline for merge requests. GitLab shows no summary of a job: its log gets it."""

    workspace: Path
    url: str
    run_url: str
    token: str = field(repr=False)

    def tell(self, **values: object) -> None:
        told = ", ".join(f"{name} {value}" for name, value in values.items())
        print(f"codeflow: {told}", file=sys.stderr)

    def summarize(self, markdown: str) -> None:
        print(markdown, file=sys.stderr)


def review_on_gitlab(env: Mapping[str, str], wanted: Wanted) -> int:
    """Review the merge request of the job, or the one that is named; the exit code.

    Raises:
        UsageError: when the environment describes no such job, or has no token.
        ForgeError, GitError: when the forge or git refuses.
    """
    needed = ("CI_API_V4_URL", "CI_PROJECT_ID", "CI_PROJECT_PATH", "CI_SERVER_URL", "GITLAB_TOKEN")
    for name in needed:
        if not env.get(name):
            hint = "GITLAB_TOKEN is a project access token with the scope api; docs/ci.md shows a job."
            raise UsageError(f"{name} is not set", hint=hint)
    named = str(wanted.number or env.get("CI_MERGE_REQUEST_IID", ""))
    if not named.isdecimal():
        raise UsageError(
            "this is no pipeline for a merge request", hint="Say which one with --pull-request NUMBER."
        )
    project = env.get("CI_MERGE_REQUEST_PROJECT_ID") or env["CI_PROJECT_ID"]
    path = env.get("CI_MERGE_REQUEST_PROJECT_PATH") or env["CI_PROJECT_PATH"]
    gitlab = GitLab(Wire(env["CI_API_V4_URL"], {"PRIVATE-TOKEN": env["GITLAB_TOKEN"]}), project)
    job = GitLabJob(
        workspace=Path(env.get("CI_PROJECT_DIR") or Path.cwd()).resolve(),
        url=f"{env['CI_SERVER_URL']}/{path}.git",
        run_url=env.get("CI_JOB_URL", ""),
        token=env["GITLAB_TOKEN"],
    )
    pull = gitlab.merge_request(int(named))
    refs = [f"refs/heads/{pull.base_branch}", f"refs/merge-requests/{pull.number}/head"]
    return review_pull_request(job, gitlab, pull, refs, wanted)
