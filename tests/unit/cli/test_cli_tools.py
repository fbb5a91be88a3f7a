import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from tests.person import Person
from tests.unit.cli.conftest import Cli

from codeflow.tools.registry import TOOLS

MOST_TOKENS = 6_000


def test_the_list_names_every_tool_with_its_effect(cli: Cli):
    listed = cli("tools")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:] if line[:1].strip()] == list(TOOLS)
    assert "Commit the named files as they are now" in listed.stdout
    assert cli("tools", "list").stdout == listed.stdout


def test_all_schemas_together_are_small(cli: Cli, capsys: pytest.CaptureFixture[str]):
    described = json.loads(cli("tools", "--output", "json").stdout)
    sizes = {tool["name"]: len(json.dumps(tool)) for tool in described}
    assert set(sizes) == set(TOOLS)
    tokens = sum(sizes.values()) // 4
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(sizes)} tools, {tokens} tokens, {sum(sizes.values()) // len(sizes)} characters a tool\n"
        )
    assert tokens < MOST_TOKENS
    assert all(set(tool) == {"name", "effect", "description", "schema"} for tool in described)


@pytest.mark.slow
def test_by_hand_nothing_is_promised_to_a_later_call(cli: Cli, folder: Path):
    (folder / "Makefile").write_text("test:\n\t@seq 1 100000\n")
    for tool, arguments in (("run_command", '{"command": "seq 1 100000"}'), ("run_tests", "{}")):
        done = cli("tools", "run", tool, "--mode", "auto", "--json", arguments)
        assert "write it to a file to see all of it" in done.stdout
        assert "read_output" not in done.stdout
    started = '{"command": "sleep 60", "background": true}'
    refused = cli("tools", "run", "run_command", "--mode", "auto", "--json", started)
    assert refused.returncode == 1
    assert "ends with codeflow, right after this call" in refused.stdout


@pytest.mark.slow
def test_one_tool_is_shown_with_its_arguments(cli: Cli):
    shown = cli("tools", "show", "read_file").stdout
    assert shown.startswith("read_file (read)\nRead a text file")
    assert "  path: File in the workspace. (required)\n" in shown
    assert "(default 1)" in shown
    assert json.loads(cli("tools", "show", "glob", "--output", "json").stdout)["schema"]["required"] == [
        "pattern"
    ]


@pytest.mark.slow
def test_a_tool_is_run_in_this_folder(cli: Cli, folder: Path):
    (folder / "a.txt").write_text("hello\n")
    done = cli("tools", "run", "read_file", "--json", '{"path": "a.txt"}')
    assert (done.returncode, done.stdout) == (0, "    1\thello\n")
    assert cli("tools", "run", "git_status").returncode == 1
    elsewhere = cli("tools", "run", "read_file", "--json", '{"path": "a.txt"}', "--workspace", "/nowhere")
    assert elsewhere.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('{"path": "../x"}', "outside the workspace"),
        ('{"way": 1}', "wrong arguments: path: Field required"),
        ("{}", "wrong arguments"),
    ],
)
def test_what_the_tool_refuses_is_printed_and_fails(cli: Cli, arguments: str, message: str):
    done = cli("tools", "run", "read_file", "--json", arguments)
    assert done.returncode == 1
    assert message in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("read_fil",), "Nearest: read_file"),
        (("zzz",), "`codeflow tools` lists them"),
        (("read_file", "--json", "{path}"), "not valid JSON"),
        (("read_file", "--json", "[1]"), "not a JSON object"),
        (("read_file", "--mode", "yolo"), "yolo"),
    ],
)
def test_what_cannot_be_understood_is_a_usage_error(cli: Cli, arguments: tuple[str, ...], message: str):
    done = cli("tools", "run", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_the_rules_for_agents_hold_by_hand(cli: Cli, folder: Path):
    command = ("tools", "run", "run_command", "--json", '{"command": "touch made"}')
    refused = cli(*command)
    assert refused.returncode == 1
    assert "nobody is here to be asked" in refused.stdout
    assert "plan mode only reads" in cli(*command, "--mode", "plan").stdout
    assert not (folder / "made").exists()
    assert cli(*command, "--mode", "auto").returncode == 0
    assert (folder / "made").exists()
    destroys = ("tools", "run", "run_command", "--mode", "auto", "--json", '{"command": "rm -rf ."}')
    assert "not permitted" in cli(*destroys).stdout


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 1)])
def test_a_person_at_a_terminal_is_asked(home: dict[str, str], folder: Path, answer: bytes, code: int):
    argv = ["tools", "run", "run_command", "--json", '{"command": "touch made"}']
    with Person(answer) as person:
        done = subprocess.run(
            [sys.executable, "-m", "codeflow", *argv],
            stdin=person.terminal,
            stderr=person.terminal,
            stdout=subprocess.PIPE,
            check=False,
            cwd=folder,
            env=home,
            timeout=60,
        )
    assert done.returncode == code
    assert (folder / "made").exists() is (code == 0)


@pytest.mark.slow
def test_a_terminal_gets_escapes_spelled_out(home: dict[str, str], folder: Path):
    (folder / "hostile").write_bytes(b"a \x1b]0;pwn\x07 b\n")
    argv = [sys.executable, "-m", "codeflow", "tools", "run", "read_file", "--json", '{"path": "hostile"}']
    leader, follower = pty.openpty()
    try:
        done = subprocess.run(argv, stdout=follower, check=False, cwd=folder, env=home, timeout=60)
        shown = os.read(leader, 10_000)
    finally:
        os.close(leader)
        os.close(follower)
    assert done.returncode == 0
    assert b"a \\u{1b}]0;pwn\\u{7} b" in shown
    assert b"\x1b" not in shown
    piped = subprocess.run(argv, capture_output=True, check=False, cwd=folder, env=home, timeout=60)
    assert b"\x1b" not in piped.stdout
