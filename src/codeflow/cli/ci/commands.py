"""`codeflow ci review` and `codeflow ci fix`: what a job of GitHub Actions or GitLab CI runs."""

import os
from pathlib import Path
from typing import Annotated

import typer

from codeflow.cli.reporting import FailOn

app = typer.Typer(
    no_args_is_help=True, help="Reviews and repairs in a job of a code forge; docs/ci.md has workflows."
)

MaxCost = Annotated[
    str, typer.Option(metavar="USD", envvar="CODEFLOW_CI_MAX_COST", help="Stop before this is spent.")
]
JobTimeout = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", envvar="CODEFLOW_CI_TIMEOUT", help="Stop after this time."),
]
Sarif = Annotated[
    Path | None, typer.Option(metavar="FILE", envvar="CODEFLOW_CI_SARIF", help="Write SARIF as well.")
]
Junit = Annotated[
    Path | None, typer.Option(metavar="FILE", envvar="CODEFLOW_CI_JUNIT", help="Write JUnit's XML as well.")
]
CodeQuality = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", envvar="CODEFLOW_CI_CODEQUALITY", help="Write GitLab's code quality as well."
    ),
]
Trigger = Annotated[
    str,
    typer.Option(envvar="CODEFLOW_CI_TRIGGER", help="What a comment begins with that asks for something."),
]


@app.callback()
def _ci() -> None:
    """Each of its commands has its own options."""


@app.command("review")
def review(
    *,
    pull_request: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            min=1,
            envvar="CODEFLOW_CI_PULL_REQUEST",
            help="Which one; default: that of the event.",
        ),
    ] = None,
    fail_on: Annotated[
        FailOn,
        typer.Option(envvar="CODEFLOW_CI_FAIL_ON", help="Exit with 1 when something as bad was found."),
    ] = FailOn.HIGH,
    max_cost: MaxCost = "1.00",
    timeout: JobTimeout = None,
    sarif: Sarif = None,
    junit: Junit = None,
    codequality: CodeQuality = None,
    trigger: Trigger = "/codeflow",
    allow_pull_request_target: Annotated[
        bool,
        typer.Option(
            "--allow-pull-request-target",
            envvar="CODEFLOW_CI_ALLOW_PULL_REQUEST_TARGET",
            help="Review on that event too: read docs/ci.md.",
        ),
    ] = False,
) -> int:
    """Review a pull request, or a merge request of GitLab's, and put the findings on its lines.

    Reviewers only read, and have no token of the forge's.
    """
    from codeflow.cli.ci.gitlab_job import review_on_gitlab
    from codeflow.cli.ci.job import github_job
    from codeflow.cli.ci.reviewing import Wanted, review_on_github

    reports = [("sarif", sarif), ("junit", junit), ("codequality", codequality)]
    wanted = Wanted(
        number=pull_request,
        fail_on=fail_on,
        max_cost=max_cost,
        timeout_s=timeout,
        reports=tuple((form, file) for form, file in reports if file is not None),
        trigger=trigger,
        allow_target=allow_pull_request_target,
    )
    if os.environ.get("GITLAB_CI") == "true":
        return review_on_gitlab(os.environ, wanted)
    return review_on_github(github_job(os.environ), wanted)


@app.command("fix")
def fix_what_is_asked(
    *,
    task: Annotated[
        str, typer.Option(envvar="CODEFLOW_CI_TASK", help="What to do, on the event workflow_dispatch.")
    ] = "",
    max_cost: MaxCost = "2.00",
    timeout: JobTimeout = None,
    trigger: Trigger = "/codeflow",
    label: Annotated[
        str, typer.Option(envvar="CODEFLOW_CI_LABEL", help="Which label on an issue asks for a repair.")
    ] = "codeflow",
    allow: Annotated[
        str,
        typer.Option(
            metavar="RULES",
            envvar="CODEFLOW_CI_ALLOW",
            help="Calls that are not asked about, one rule a line.",
        ),
    ] = "",
    no_sandbox: Annotated[
        bool,
        typer.Option(
            "--no-sandbox",
            envvar="CODEFLOW_CI_NO_SANDBOX",
            help="Work without a sandbox too: what agents write then runs with all rights of the job.",
        ),
    ] = False,
) -> int:
    """Do what somebody with write access asks for in a comment or by a label.

    The result is a draft pull request, or a commit on the pull request that was asked about. Nobody can be asked
    here: what is not free in mode edit and not allowed is refused.
    """
    from codeflow.cli.ci.fixing import FixWanted, fix
    from codeflow.cli.ci.job import github_job

    wanted = FixWanted(
        task=task,
        max_cost=max_cost,
        timeout_s=timeout,
        trigger=trigger,
        label=label,
        allow=tuple(filter(None, map(str.strip, allow.splitlines()))),
        no_sandbox=no_sandbox,
    )
    return fix(github_job(os.environ), wanted)
