"""Nothing that models, files or names say reaches a terminal as anything but text."""

import os
import pty
import subprocess

import pytest
from tests.attacks.world import NO_SANDBOX
from tests.e2e.harness import CODEFLOW, EDIT, ROUTER, git

from codeflow.models.endpoint import environment

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202eevil\u200b\U000e0041\x9b1mend"
NAME = "a\x1b[31mb\u202ec.py"


def uses(name: str, **arguments: object):
    return {"agent": "fast_coder", "call": [{name: arguments}]}


def acting(text: str) -> list[str]:
    return [
        char
        for char in text
        if (not char.isprintable() and char not in "\n\t") or char in "\x1b\u202e\u200b\U000e0041"
    ]


@pytest.mark.slow
@pytest.mark.skipif(bool(NO_SANDBOX), reason="without a sandbox what cannot be read is asked in auto too")
def test_every_print_path_shows_plain_text(shell, project, scripted):
    (project / NAME).write_text(f"x = 1\n# {HOSTILE}\n")
    git(project, "add", "-A")
    git(project, "commit", "-qm", f"subject {HOSTILE}")
    replies = [
        ROUTER,
        uses("read_file", path=NAME),
        uses("edit_file", path=NAME, old_text="x = 1", new_text=f"x = '{HOSTILE}'"),
        uses("run_command", command=f"printf '%s' '{HOSTILE}'; false"),
        uses("read_file", path=f"missing {HOSTILE}"),
        EDIT,
        {"agent": "fast_coder", "say": f"done {HOSTILE}"},
    ]
    with scripted(replies) as endpoint:
        run = shell("run", f"fix {HOSTILE}", "--mode", "auto", env=environment(endpoint.url))
    assert run.code == 0, run.stderr
    assert "done evilend" in run.stdout
    session_id = shell("sessions", "--output", "json").stdout.partition('"id": "')[2].partition('"')[0]
    shown = [
        run,
        shell("sessions"),
        shell("sessions", "show", session_id),
        shell("sessions", "show", session_id, "--summary"),
        shell("sessions", "export", session_id, "--format", "markdown"),
        shell("checkpoints", "list", session_id),
        shell("tools", "run", "read_file", "--json", '{"path": "calc.py\\u001b[2J"}'),
        shell("tools", "run", "search_files", "--json", '{"pattern": "x = "}'),
        shell("tools", "run", "git_log"),
        shell("undo", session_id),
        shell("run", HOSTILE, "--agent", HOSTILE),
    ]
    for done in shown:
        assert acting(done.stdout + done.stderr) == []


@pytest.mark.slow
def test_a_diff_on_a_terminal_is_text_and_in_a_pipe_a_patch(shell, project, scripted):
    change = uses("edit_file", path="calc.py", old_text="a - b", new_text=f"a + b  # {HOSTILE}")
    with scripted([ROUTER, change, {"agent": "fast_coder", "say": "done"}]) as endpoint:
        assert shell.run(endpoint).code == 0
    piped = shell("checkpoints", "diff", "1").stdout
    assert HOSTILE in piped
    master, slave = pty.openpty()
    with os.fdopen(master, "rb", buffering=0) as terminal:
        subprocess.run(
            [CODEFLOW, "checkpoints", "diff", "1"],
            cwd=project,
            env=shell.env,
            stdout=slave,
            timeout=60,
            check=True,
        )
        os.close(slave)
        shown = terminal.read(65_536).decode().replace("\r\n", "\n")
    assert "evilend" in shown
    assert acting(shown) == []
