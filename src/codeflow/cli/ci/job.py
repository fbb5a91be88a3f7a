"""A job of GitHub Actions: what happened, where to answer, and the files that the runner reads back."""

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codeflow.core.errors import UsageError
from codeflow.core.redaction import Redactor
from codeflow.forges.github import GitHub
from codeflow.forges.wire import Wire

_API_VERSION = "2022-11-28"
_MOST_SUMMARY_BYTES = 1_000_000
"""Of a step's summary; GitHub takes 1 MiB."""
_OF_THE_JOB = re.compile(
    r"(GITHUB|GH|ACTIONS|RUNNER|INPUT|GITLAB|CI)_|(?:.*_)?(?:GITHUB|GITLAB)_TOKEN$|CODEFLOW_CI_"
)
"""Variables by which a process could act on the forge, on the job's later steps, or get other credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of a workflow. `payload` is the event as GitHub tells it: strangers wrote parts of it."""

    event: str
    payload: Mapping[str, Any]
    repository: str
    server_url: str
    run_url: str
    workspace: Path
    github: GitHub
    token: str = field(repr=False)
    outputs: Path | None
    summary: Path | None
    branch: str
    """That the event is about; empty where it is about none."""
    run: str
    """Tells apart runs of the workflow, and their repetitions."""

    def tell(self, **values: object) -> None:
        """Outputs of the step."""
        lines = (
            f"{name.replace('_', '-')}={' '.join(str(value).split())}\n" for name, value in values.items()
        )
        _append(self.outputs, "".join(lines))

    def summarize(self, markdown: str) -> None:
        """Show it on the page of the job."""
        text = Redactor(os.environ).redact(markdown).encode("utf-8", "replace")[:_MOST_SUMMARY_BYTES]
        _append(self.summary, f"{text.decode('utf-8', 'ignore')}\n\n")

    @property
    def url(self) -> str:
        """Where the repository is fetched from and pushed to."""
        return f"{self.server_url}/{self.repository}.git"

    @property
    def sender(self) -> str:
        """The login of whoever caused the event."""
        return str((self.payload.get("sender") or {}).get("login") or "")

    @property
    def issue_number(self) -> int | None:
        """Of the issue or pull request that the event is about."""
        for kind in ("issue", "pull_request"):
            number = (self.payload.get(kind) or {}).get("number")
            if isinstance(number, int):
                return number
        return None


def github_job(env: Mapping[str, str]) -> Job:
    """The job that the environment describes.

    Raises:
        UsageError: when it is none, or has no token.
    """
    hint = "Inside GitHub Actions all of it is set; docs/ci.md shows a workflow."
    needed = ("GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
    for name in needed:
        if not env.get(name):
            raise UsageError(f"{name} is not set: this is no job of GitHub Actions", hint=hint)
    server = env.get("GITHUB_SERVER_URL") or "https://github.com"
    api = env.get("GITHUB_API_URL") or "https://api.github.com"
    repository, token = env["GITHUB_REPOSITORY"], env["GITHUB_TOKEN"]
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": _API_VERSION,
    }
    run, attempt = env.get("GITHUB_RUN_ID", ""), env.get("GITHUB_RUN_ATTEMPT", "")
    return Job(
        event=env["GITHUB_EVENT_NAME"],
        payload=_payload(Path(env["GITHUB_EVENT_PATH"])),
        repository=repository,
        server_url=server,
        run_url=f"{server}/{repository}/actions/runs/{run}" if run.isdecimal() else "",
        workspace=Path(env.get("GITHUB_WORKSPACE") or Path.cwd()).resolve(),
        github=GitHub(Wire(api, headers), repository, env.get("GITHUB_GRAPHQL_URL") or f"{api}/graphql"),
        token=token,
        outputs=_file(env.get("GITHUB_OUTPUT")),
        summary=_file(env.get("GITHUB_STEP_SUMMARY")),
        branch=env.get("GITHUB_REF_NAME", "") if env.get("GITHUB_REF_TYPE") == "branch" else "",
        run=f"{run or secrets.token_hex(4)}{f'-{attempt}' if attempt.isdecimal() and attempt != '1' else ''}",
    )


def without_the_job(env: Mapping[str, str]) -> dict[str, str]:
    """The environment for agents: without the forge's token, and without the files that later steps obey."""
    return {name: value for name, value in env.items() if not _OF_THE_JOB.match(name)}


def _payload(path: Path) -> Mapping[str, Any]:
    try:
        payload = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path}: cannot be read as an event: {error}", hint="GITHUB_EVENT_PATH is a JSON file."
        ) from error
    if not isinstance(payload, dict):
        raise UsageError(f"{path}: is no event", hint="GITHUB_EVENT_PATH is a JSON object.")
    return payload


def _file(name: str | None) -> Path | None:
    return Path(name) if name else None


def _append(path: Path | None, text: str) -> None:
    if path is None:
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
