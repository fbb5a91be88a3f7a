"""Fixtures of the end-to-end tests: a repository, a shell in it, and an endpoint that answers."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.forge_job import Runner, job_of
from tests.e2e.harness import BUG, RULES, TEST, Shell, commit_all

from codeflow.models.endpoint import Endpoint, load

Serve = Callable[..., AbstractContextManager[Endpoint]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose one test fails."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "calc.py").write_text(BUG)
    (folder / "test_calc.py").write_text(TEST)
    (folder / ".gitignore").write_text("__pycache__/\n.pytest_cache/\n")
    commit_all(folder)
    return folder


@pytest.fixture
def shell(tmp_path: Path, project: Path) -> Shell:
    kept = {
        name: os.environ[name]
        for name in ("PATH", "LANG", "TMPDIR", "PYTHONPATH", "CODEFLOW_SANDBOX__BACKEND")
        if name in os.environ
    }
    home = tmp_path / "home"
    home.mkdir()
    return Shell(
        project,
        {
            **kept,
            "HOME": str(home),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": "us-east-1",
        },
    )


@pytest.fixture
def scripted(tmp_path: Path):
    """An endpoint that answers with the given replies."""

    @contextmanager
    def serve(replies: Sequence[Mapping[str, Any]], **more: Any) -> Iterator[Endpoint]:
        path = tmp_path / "transcript.yaml"
        script = {"codeflow_transcript": 1, "task": "make the failing test pass", "replies": list(replies)}
        path.write_text(yaml.safe_dump({**script, **more}, sort_keys=False))
        with Endpoint(load(path), rules_for=RULES) as endpoint:
            yield endpoint
        assert endpoint.violations == []

    return serve


@pytest.fixture
def runner(tmp_path: Path, shell: Shell) -> Iterator[Runner]:
    """A job of GitHub Actions for a pull request."""
    with job_of(shell, tmp_path) as made:
        yield made
