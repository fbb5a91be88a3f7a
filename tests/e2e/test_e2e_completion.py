"""What Tab does in real shells that were told how to complete codeflow."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pexpect
import pytest
from tests.e2e.harness import CODEFLOW, REPAIR

SHELLS = {
    "bash": (["--norc", "--noprofile", "-i"], 'eval "$(codeflow completion bash)"'),
    "zsh": (["-f", "-i"], 'autoload -U compinit; compinit -u; eval "$(codeflow completion zsh)"'),
    "fish": (["--no-config", "-i"], "codeflow completion fish | source"),
}
PROMPT = "READY> "


@pytest.fixture(params=SHELLS)
def typed(request, shell):
    """A function that types a line and Tab into an interactive shell, and returns what the line has become."""
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"{request.param} is not installed")
    flags, script = SHELLS[request.param]
    env = {
        **shell.env,
        "PATH": f"{Path(CODEFLOW).parent}:{os.environ['PATH']}",
        "TERM": "dumb",
        "PS1": PROMPT,
    }
    child = pexpect.spawn(
        program, flags, cwd=str(shell.project), env=env, encoding="utf-8", dimensions=(40, 200), timeout=60
    )
    if request.param == "fish":
        child.sendline(f"function fish_prompt; echo -n '{PROMPT}'; end")
    child.sendline(f"{script}; echo SET''UP")
    child.expect("SETUP\r")

    def type_and_tab(line: str, expected: str) -> None:
        child.send(f"{line}\t")
        child.expect(re.escape(expected[len(line) :]))

    yield type_and_tab
    child.close(force=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("codeflow workfl", "codeflow workflows"),
        ("codeflow run --mode e", "codeflow run --mode edit"),
        ("codeflow run --agent fast", "codeflow run --agent fast_coder"),
        ("codeflow run --file test_c", "codeflow run --file test_calc.py"),
    ],
)
def test_tab_completes_commands_values_and_files(typed, line, expected):
    typed(line, expected)


def asked(shell, line: str) -> list[str]:
    """What bash would offer for a line that ends at the cursor."""
    words = line.replace("=", " = ").replace(":", " : ").split(" ")
    script = (
        f"eval \"$({CODEFLOW} completion bash)\"; COMP_LINE='{line}'; COMP_POINT={len(line)}; "
        f"COMP_WORDS=({' '.join(map(repr, words))}); COMP_CWORD={len(words) - 1}; "
        f"_codeflow_completion {CODEFLOW}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=shell.project,
        env=dict(shell.env),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("codeflow run --agent fast", ["fast_coder"]),
        ("codeflow run --mode=e", ["edit"]),
        ("codeflow run --roster ", ["classic", "current", "local", "open"]),
        ("codeflow run --model router=amazon.nova-micro-v1:", ["0"]),
        ("codeflow tools show run_c", ["run_command"]),
        ("codeflow workflows show bugf", ["bugfix"]),
        ("codeflow setup --profile w", ["work"]),
    ],
)
def test_bash_is_offered_values(shell, line, offered):
    (Path(shell.env["HOME"]) / ".aws").mkdir()
    (Path(shell.env["HOME"]) / ".aws/config").write_text("[profile work]\nregion = us-east-1\n")
    assert asked(shell, line) == offered


def test_sessions_are_offered_by_their_ids(shell, scripted):
    with scripted(REPAIR) as endpoint:
        session_id = shell.run(endpoint).result["session_id"]
    assert asked(shell, "codeflow sessions show 20") == [session_id]
    assert asked(shell, "codeflow undo 20") == [session_id]


def test_what_cannot_be_read_offers_nothing_and_says_nothing(shell):
    (shell.project / ".codeflow").mkdir()
    (shell.project / ".codeflow/settings.toml").write_text("[run")
    assert asked(shell, "codeflow run --workflow b") == []


@pytest.mark.parametrize("name", ["bash", "zsh", "fish", "powershell"])
def test_each_shell_has_a_script(shell, name):
    done = shell("completion", name)
    assert (done.code, done.stderr) == (0, "")
    assert "_CODEFLOW_COMPLETE" in done.stdout
    program = shutil.which(name)
    if program and name != "powershell":
        subprocess.run([program, "-n"], input=done.stdout, text=True, check=True, capture_output=True)


def test_an_unknown_shell_is_refused(shell):
    done = shell("completion", "tcsh")
    assert done.code == 2
    assert "'bash', 'zsh', 'fish', 'powershell'" in done.stderr
