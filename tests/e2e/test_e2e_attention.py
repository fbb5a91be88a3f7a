"""How a terminal calls its person back, and what its title says, byte by byte."""

import os

import pytest
from tests.e2e.harness import EDIT, READ, REPAIR, ROUTER, SAID
from tests.e2e.terminal import Terminal

from codeflow.models.endpoint import environment

TITLE = "\x1b[22;0t\x1b]0;codeflow: make the failing test pass\x07"
RESTORED = "\x1b[23;0t"
COMMAND = {"agent": "fast_coder", "call": [{"run_command": {"command": "true; date"}}]}


def received(shell, endpoint, **env: str) -> str:
    """All that one run sends to its terminal."""
    everything = {**shell.env, **environment(endpoint.url), "CODEFLOW_UI__NOTIFY_AFTER_S": "0", **env}
    with Terminal(shell.project, everything, "run", "make the failing test pass") as screen:
        assert screen.wait_for_end() == 0, screen.shown
        return screen.received


def belled(text: str) -> bool:
    return "\x07" in text.replace(TITLE, "")


@pytest.mark.slow
def test_the_title_says_the_task_and_is_restored_and_the_end_rings(shell, scripted):
    with scripted(REPAIR) as endpoint:
        text = received(shell, endpoint)
    assert text.count(TITLE) == 1
    assert text.index(TITLE) < text.index(RESTORED)
    assert belled(text)


@pytest.mark.parametrize(
    ("env", "sent", "unsent"),
    [
        ({"CODEFLOW_UI__NOTIFY": "osc9"}, "\x1b]9;codeflow done: make", "777"),
        ({"CODEFLOW_UI__NOTIFY": "osc777"}, "\x1b]777;notify;codeflow;done: make", "]9;"),
        ({"CODEFLOW_UI__NOTIFY": "off", "CODEFLOW_UI__TITLE": "false"}, "done", "\x07"),
        ({"CODEFLOW_UI__NOTIFY_AFTER_S": "3600", "CODEFLOW_UI__TITLE": "false"}, "done", "\x07"),
        ({"NO_COLOR": "1", "CODEFLOW_UI__NOTIFY": "osc9"}, "\x07", "\x1b]"),
        ({"TERM": "dumb", "CODEFLOW_UI__NOTIFY": "osc777"}, "\x07", "\x1b]"),
    ],
)
@pytest.mark.slow
def test_each_way_and_none(shell, scripted, env, sent, unsent):
    with scripted(REPAIR) as endpoint:
        text = received(shell, endpoint, **env)
    assert sent in text
    assert unsent not in text


@pytest.mark.slow
def test_the_desktop_is_told_by_its_program_and_the_bell_rings_without_one(shell, scripted, tmp_path):
    program = tmp_path / "bin/notify-send"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/told\n')
    program.chmod(0o755)
    env = {"CODEFLOW_UI__NOTIFY": "desktop", "PATH": f"{program.parent}:{os.environ['PATH']}"}
    with scripted(REPAIR) as endpoint:
        text = received(shell, endpoint, **env)
    assert (tmp_path / "told").read_text().splitlines()[-1] == "done: make the failing test pass"
    assert not belled(text)


@pytest.mark.slow
def test_a_question_rings(shell, scripted):
    env = {**shell.env, "CODEFLOW_UI__NOTIFY_AFTER_S": "0"}
    with scripted([ROUTER, READ, COMMAND, EDIT, SAID]) as endpoint:
        everything = {**env, **environment(endpoint.url)}
        with Terminal(shell.project, everything, "run", "make the failing test pass") as screen:
            screen.wait_for("allow it?")
            assert belled(screen.received)
            screen.type("y\r")
            assert screen.wait_for_end() == 0


def test_a_pipe_gets_neither(shell, scripted):
    with scripted(REPAIR) as endpoint:
        env = {**environment(endpoint.url), "CODEFLOW_UI__NOTIFY_AFTER_S": "0"}
        done = shell("run", "make the failing test pass", env=env)
    assert done.code == 0
    assert not {"\x07", "\x1b"} & {*done.stdout, *done.stderr}
