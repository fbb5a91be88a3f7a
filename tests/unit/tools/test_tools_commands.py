import shlex
import sys
from collections.abc import Callable

import pytest

from codeflow.tools.commands import run_command
from codeflow.tools.testing.run import run_tests
from codeflow.tools.workspace import Workspace


async def test_a_command_shows_its_exit_code_and_output(ws: Workspace):
    result = await run_command.function(ws, "echo hello; exit 3")
    lines = result.content.split("\n")
    assert lines[0] == "$ echo hello; exit 3"
    assert lines[1].startswith("exit code 3, ")
    assert lines[2] == "hello"
    assert not result.is_error


async def test_a_signal_is_named(ws: Workspace):
    assert (await run_command.function(ws, "kill -SEGV $$")).display.startswith(
        "exit code -11 (killed by signal 11)"
    )


async def test_the_time_limit_is_an_error(make_workspace: Callable[..., Workspace]):
    result = await run_command.function(make_workspace(timeout_s=0.2), "echo before; sleep 30")
    assert result.is_error
    assert result.display == "stopped after 0.2 s, the time limit"
    assert "before" in result.content


@pytest.mark.parametrize("command", ["", "  \n", "echo \0"])
async def test_what_is_no_command_is_refused(ws: Workspace, command: str):
    assert (await run_command.function(ws, command)).is_error


async def test_commands_see_no_credentials(ws: Workspace, env: dict[str, str]):
    env |= {
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "OPENAI_API_KEY": "hunter2",
        "MYAPP_HOST": "hunter2",
        "CI": "yes",
    }
    fresh = Workspace(ws.root, ws.settings, env)
    content = (await run_command.function(fresh, "env")).content
    assert "hunter2" not in content
    assert "CI=yes" in content


@pytest.mark.slow
async def test_the_test_command_of_the_settings_is_run_with_a_quoted_target(
    make_workspace: Callable[..., Workspace],
):
    ws = make_workspace(tests=f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider")
    (ws.root / "test_a.py").write_text("def test_good():\n    pass\n\ndef test_bad():\n    assert 1 == 2\n")
    everything = await run_tests.function(ws)
    assert everything.display.startswith("1 failed, 1 passed; exit code 1, ")
    assert "assert 1 == 2" in everything.content
    assert (await run_tests.function(ws, "test_a.py::test_good")).display.startswith(
        "1 passed; exit code 0, "
    )
    injected = await run_tests.function(ws, "test_a.py; touch pwned")
    assert "exit code 4" in injected.content
    assert not (ws.root / "pwned").exists()


@pytest.mark.parametrize(
    ("command", "ran"),
    [
        ("echo go test ./...", "go test -json src/a.js"),
        ("echo cargo test", "cargo test --no-fail-fast -- src/a.js"),
        ("echo mvn -q test", "mvn -q test -Dtest=src/a.js -Dsurefire.failIfNoSpecifiedTests=false"),
    ],
)
async def test_each_runner_gets_its_target_its_own_way(
    make_workspace: Callable[..., Workspace], command: str, ran: str
):
    ws = make_workspace(tests=command)
    (ws.root / "src").mkdir()
    (ws.root / "src/a.js").touch()
    result = await run_tests.function(ws, "src/a.js")
    assert result.content.split("\n")[2] == ran


async def test_targets_that_a_runner_cannot_take_are_refused(make_workspace: Callable[..., Workspace]):
    assert "takes no target" in (await run_tests.function(make_workspace(tests="make test"), "a.c")).content
    assert "not an option" in (await run_tests.function(make_workspace(tests="pytest"), "--co")).content


@pytest.mark.parametrize("tests", ["auto", "off"])
async def test_a_project_without_tests_says_so(make_workspace: Callable[..., Workspace], tests: str):
    assert "No test command is known" in (await run_tests.function(make_workspace(tests=tests))).content
