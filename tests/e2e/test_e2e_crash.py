"""SIGKILL at any moment of a run of several agents: resuming ends as if nothing had happened."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.harness import CODEFLOW, Finished, Shell
from tests.e2e.test_e2e_graph import WHOLE, ZERO

from codeflow.core.events import ModelCalled
from codeflow.models.endpoint import Endpoint, environment
from codeflow.sessions.past import Past
from codeflow.sessions.records import decode, read_file, whole_lines

TASK = "make the failing test pass"
EARLIEST_S = 0.2
SEEDS = int(os.environ.get("SEEDS", "20"))
"""Ten kills each: two hundred, unless `make soak SEEDS=…` says otherwise."""


def tree(project: Path) -> dict[str, bytes]:
    """Every file that the run is answerable for."""
    files = (path for path in project.rglob("*") if path.is_file())
    names = {path.relative_to(project).as_posix(): path for path in files}
    hidden = (".git/", "__pycache__/", ".pytest_cache/")
    return {
        name: path.read_bytes() for name, path in names.items() if not any(part in name for part in hidden)
    }


def run_until(shell: Shell, endpoint: Endpoint, arguments: list[str], moment_s: float) -> Finished | None:
    """A run that is killed, with all of its group, at a moment; None when it was."""
    process = subprocess.Popen(
        [CODEFLOW, *arguments, "--output", "json", "--mode", "auto"],
        cwd=shell.project,
        env={**shell.env, **environment(endpoint.url)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, err = process.communicate(timeout=moment_s)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        return None
    return Finished(process.returncode, out, err)


def sessions(shell: Shell) -> list[Path]:
    return list(Path(shell.env["XDG_STATE_HOME"]).glob("codeflow/sessions/*/*.jsonl"))


def crash_and_resume(shell: Shell, endpoint: Endpoint, moments_s: list[float]) -> tuple[Finished, int]:
    """The end of a run that was killed at these moments of its life and resumed each time; and how often it was."""
    arguments = ["run", TASK]
    for kills, moment_s in enumerate(moments_s):
        finished = run_until(shell, endpoint, arguments, moment_s)
        if finished is not None:
            return finished, kills
        arguments = ["resume"] if began(shell) else ["run", TASK]
    done = run_until(shell, endpoint, arguments, 120)
    assert done is not None
    return done, len(moments_s)


def began(shell: Shell) -> bool:
    """Whether the killed process got as far as writing down what it was asked for, in a whole line."""
    lines = (line for path in sessions(shell) for _, line in whole_lines(read_file(path), str(path)))
    return any(b'"run_started"' in line for line in lines)


def copy_of(shell: Shell, place: Path) -> Shell:
    """The same project and user, untouched."""
    place.mkdir()
    shutil.copytree(shell.project, place / "project", symlinks=True)
    homes = ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HOME")
    return Shell(place / "project", {**shell.env, **{home: str(place / home) for home in homes}})


def check(shell: Shell, tmp_path: Path, scripted, seed: int, kills: int) -> None:
    """Kills runs, at moments from their first to their last, until that many were."""
    with scripted(WHOLE) as endpoint:
        whole = copy_of(shell, tmp_path / "whole")
        started = time.monotonic()
        expected = run_until(whole, endpoint, ["run", TASK], 120)
        takes_s = time.monotonic() - started
        assert expected is not None
        assert expected.code == 0, expected.stdout + expected.stderr
        expected_tree = tree(whole.project)
    random_moments = random.Random(seed)
    number = 0
    while kills > 0:
        number += 1
        victim = copy_of(shell, tmp_path / f"crash{number}")
        moments_s = [
            random_moments.uniform(EARLIEST_S, takes_s) for _ in range(random_moments.choice((1, 1, 2)))
        ]
        told = f"seed {seed}, crash {number} at {moments_s} of {takes_s}"
        with scripted(WHOLE) as endpoint:
            done, killed = crash_and_resume(victim, endpoint, moments_s)
        kills -= killed
        assert done.code == 0, f"{told}: {done.stdout}{done.stderr}"
        assert tree(victim.project) == expected_tree, told
        assert done.result["answer"] == expected.result["answer"], told
        assert [gate["name"] for gate in done.result["gates"]] == [
            gate["name"] for gate in expected.result["gates"]
        ], told
        repeated = Counter((request.agent, request.step) for request in endpoint.requests)
        assert max(repeated.values()) <= 1 + len(moments_s), told
        assert sum(repeated.values()) - len(repeated) <= len(moments_s), f"{told}: {repeated}"
        unseen = done.result["model_calls"] - len(endpoint.requests)
        assert 0 <= unseen <= len(moments_s), f"{told}: {unseen} calls are in the bill and were not sent"


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_killed_run_ends_as_if_nothing_had_happened(shell, tmp_path, scripted):
    assert ZERO
    check(shell, tmp_path, scripted, seed=0, kills=2)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_killed_runs_end_as_if_nothing_had_happened(shell, tmp_path, scripted, seed):
    check(shell, tmp_path, scripted, seed, kills=10)


@pytest.mark.slow
def test_every_beginning_of_a_log_adds_up_to_conversations_that_can_go_on(shell, scripted):
    with scripted(WHOLE) as endpoint:
        done = run_until(shell, endpoint, ["run", TASK], 120)
    assert done is not None
    (log,) = sessions(shell)
    events = [decode(line, place) for place, line in whole_lines(read_file(log), str(log))]
    past, known = Past(), Decimal(0)
    for length, event in enumerate(events, 1):
        past.add(event)
        known += (event.cost or 0) if isinstance(event, ModelCalled) else 0
        assert past.run.spend.known == known
        for agent, talk in past.conversations.items():
            assert well_formed(talk.messages), f"{agent} after {length} events: {talk.messages}"
            assert set(talk.results).isdisjoint(talk.unanswered())
    assert past.run.is_over
    assert not past.run.lost
    assert not any(talk.is_open or talk.begun for talk in past.conversations.values())


def well_formed(messages: list[dict[str, Any]]) -> bool:
    """What Converse asks for: roles take turns, and the message after tool calls answers each of them once."""
    if any(message["role"] != ("user", "assistant")[index % 2] for index, message in enumerate(messages)):
        return False
    for message, answer in pairwise(messages):
        asked = [block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block]
        given = [block["toolResult"]["toolUseId"] for block in answer["content"] if "toolResult" in block]
        if sorted(asked) != sorted(given):
            return False
    return True
