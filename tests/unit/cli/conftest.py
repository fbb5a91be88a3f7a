import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from codeflow.core.results import RunResult, Share
from codeflow.core.values import (
    Complexity,
    FileChange,
    GateResult,
    GateStatus,
    Pattern,
    Route,
    Status,
    TaskKind,
    Usage,
)

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    base = {
        name: os.environ[name]
        for name in ("PATH", "LANG", "PYTHONPATH", "CODEFLOW_SANDBOX__BACKEND")
        if name in os.environ
    }
    return base | {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": str(tmp_path / "home/config"),
        "XDG_STATE_HOME": str(tmp_path / "home/state"),
        "XDG_CACHE_HOME": str(tmp_path / "home/cache"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    return made


@pytest.fixture
def cli(home: dict[str, str], folder: Path) -> Cli:
    def run(*arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "codeflow", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            cwd=folder,
            env=home | more,
        )

    return run


@pytest.fixture
def result() -> RunResult:
    usage = Usage(input_tokens=1200, output_tokens=340, cache_read_tokens=5000)
    share = Share(name="fast_coder", calls=2, usage=usage, cost=None, known_cost=Decimal("0.0123"))
    gate = GateResult(
        name="tests", command="pytest -q", status=GateStatus.GREEN, exit_code=0, duration_s=1.24, output="ok"
    )
    return RunResult(
        status=Status.DONE,
        session_id="20261121-084512-k3f9",
        answer="The comparison was off by one.",
        complexity=Complexity.SIMPLE,
        pattern=Pattern.SINGLE,
        route=Route(
            complexity=Complexity.SIMPLE,
            kind=TaskKind.BUGFIX,
            confidence=0.9,
            reason="one file",
            source="router",
        ),
        plan=None,
        files_changed=(FileChange(path="a.py", change="modified", added_lines=1, removed_lines=1),),
        diff="--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a\n+b\n",
        gates=(gate, replace(gate, name="lint", command="ruff check", status=GateStatus.RED, exit_code=1)),
        usage=usage,
        cost=None,
        known_cost=Decimal("0.0123"),
        unpriced_calls=1,
        by_agent=(share,),
        by_model=(share,),
        model_calls=2,
        duration_s=12.3,
    )
