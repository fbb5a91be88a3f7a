"""`codeflow ci review` in a job of GitLab CI, and the template that starts it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from tests.e2e.forge import REPOSITORY, TOKEN
from tests.e2e.forge_job import AFTER, Runner, job_of
from tests.e2e.gitlab_forge import GitLabForge
from tests.e2e.test_e2e_ci_review import DIVISION, INJECTION, UNTOUCHED, found

from codeflow.cli.main import command_line
from codeflow.models.endpoint import environment

UNCHANGED = {"file": "calc.py", "line": 5, "severity": "low", "problem": "a line of context"}


@pytest.fixture
def job(shell, tmp_path) -> Iterator[Runner]:
    with job_of(shell, tmp_path, GitLabForge) as made:
        yield made


def review(job: Runner, endpoint, *arguments: str, **more: str):
    env = {
        "GITLAB_CI": "true",
        "CI_API_V4_URL": job.forge.url,
        "CI_PROJECT_ID": "5",
        "CI_PROJECT_PATH": REPOSITORY,
        "CI_SERVER_URL": f"file://{job.folder}/forge",
        "CI_PROJECT_DIR": str(job.workspace),
        "CI_MERGE_REQUEST_IID": "7",
        "GITLAB_TOKEN": TOKEN,
        **more,
    }
    # GitLab's name of the head, beside GitHub's
    job.forge.git("update-ref", "refs/merge-requests/7/head", "refs/pull/7/head")
    model = environment(endpoint.url) if endpoint else {}
    done = job.shell.at(job.workspace)("ci", "review", *arguments, env=env | model)
    assert TOKEN not in done.stdout + done.stderr
    return done


def threads(job: Runner) -> list[tuple[Any, ...]]:
    assert isinstance(job.forge, GitLabForge)
    return [
        (note["position"]["new_line"], note["position"].get("old_line"))
        for note in job.forge.notes
        if note["position"]
    ]


@pytest.mark.slow
def test_threads_begin_at_the_lines_and_follow_the_next_push(job, scripted, tmp_path):
    quality = tmp_path / "quality.json"
    everything = found(security=[INJECTION], correctness=[DIVISION, UNCHANGED], style=[UNTOUCHED])
    with scripted(everything) as endpoint:
        done = review(job, endpoint, "--codequality", str(quality))
    assert done.code == 1, done.stderr
    assert threads(job) == [(3, None), (30, None), (5, 4)]
    assert "```suggestion:-1+0\n    return a + b\n```" in job.forge.notes[0]["body"]
    *_, summary = job.forge.notes
    assert "`calc.py:15`" in summary["body"]
    assert len(json.loads(quality.read_text())) == 4
    answered = job.forge.threads[1]
    answered["notes"].append(
        {"id": 1, "body": "Why?", "author": {"id": 9}, "system": False, "position": None}
    )
    job.push({"calc.py": "# new\n" + AFTER})
    moved = {**INJECTION, "line": 3, "problem": "other words"}
    with scripted(found(security=[moved])) as endpoint:
        assert review(job, endpoint).code == 1
    assert threads(job) == [(4, None), (31, None)]
    assert "other words" in job.forge.notes[0]["body"]
    assert job.forge.notes[1]["body"].startswith("_No longer found at ")
    assert "1 finding (1 high)" in summary["body"]
    assert len(job.forge.threads) == 3


def test_what_is_missing_is_said(job):
    assert "GITLAB_TOKEN is not set" in review(job, None, GITLAB_TOKEN="").stderr
    done = review(job, None, CI_MERGE_REQUEST_IID="")
    assert (done.code, "no pipeline for a merge request" in done.stderr) == (2, True)


def test_the_template_sets_what_the_command_reads():
    template = yaml.safe_load((Path(__file__).parents[2] / "ci" / "gitlab.yml").read_text())
    ((name, job),) = template.items()
    assert re.fullmatch(r"[\w-]+", name)
    assert set(job) <= {"stage", "image", "rules", "variables", "before_script", "script", "artifacts"}
    (group,) = [one for one in command_line().registered_groups if one.name == "ci"]
    assert group.typer_instance is not None
    options = typer.main.get_group(group.typer_instance).commands["review"].params
    given = {variable for variable in job["variables"] if variable.startswith("CODEFLOW_CI_")}
    assert given <= {option.envvar for option in options}
    assert set(job["artifacts"]["reports"].values()) <= set(job["variables"].values())
