"""Attacks by the arguments of a tool call, and by what stands in the workspace when an honest one comes."""

import asyncio
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.attacks.test_attacks_commands import sandbox_of
from tests.attacks.world import CANARY, Picture, World, make

from codeflow.core.settings import load_settings
from codeflow.tools.registry import TOOLS
from codeflow.tools.sandbox.choosing import choose
from codeflow.tools.sandbox.port import Sandbox, Unconfined
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

pytestmark = pytest.mark.slow

PATHS = "workspace paths"
GUARD = "guard"
BOUNDS = "bounded results"
PRIVATE = "private addresses"


@dataclass(frozen=True, slots=True)
class Call:
    """A tool's call in a world where links have been planted: `evil -> {home}`, `file -> {home}/.netrc`."""

    kind: str
    name: str
    layer: str
    tool: str
    arguments: dict[str, Any]


def call(name: str, tool: str, /, kind: str = "paths of tools", layer: str = PATHS, **arguments: Any) -> Call:
    return Call(kind, name, layer, tool, arguments)


PATCH = "--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-secret = {1}\n+x\n"
NEW = "--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 @@\n+evil\n"
CODEX = "*** Begin Patch\n*** Add File: {0}\n+evil\n*** End Patch\n"
CALLS = (
    call("..", "read_file", path="../.netrc"),
    call("absolute", "read_file", path="{home}/.netrc"),
    call("home sign", "read_file", path="~/.netrc"),
    call("through a link", "read_file", path="file"),
    call("through a linked folder", "read_file", path="evil/.netrc"),
    call("dots in the middle", "read_file", path="a/../../.netrc"),
    call("process files", "read_file", path="/proc/self/environ"),
    call("NUL", "read_file", path="../.netrc\0.py"),
    call("URL", "read_file", path="file://{home}/.netrc"),
    call("folder of a link", "list_directory", path="evil"),
    call("folder above", "list_directory", path=".."),
    call("search above", "search_files", pattern="secret", path=".."),
    call("search a link", "search_files", pattern="secret", path="evil"),
    call("search follows no links", "search_files", pattern="secret"),
    call("search's options", "search_files", pattern="--follow"),
    call("search's preprocessor", "search_files", pattern="--pre=cat", path="."),
    call("glob above", "glob", pattern="../**/*"),
    call("glob absolute", "glob", pattern="{home}/**"),
    call("write above", "write_file", path="../evil.txt", content="x"),
    call("write absolute", "write_file", path="{outside}/shared/data.txt", content="x"),
    call("write through a link", "write_file", path="evil/.bashrc", content="x"),
    call("write a linked file", "write_file", path="file", content="x"),
    call("write a hook", "write_file", path=".git/hooks/pre-commit", content="x"),
    call("write git's configuration", "write_file", path=".git/config", content="x"),
    call("write a hook, spelled otherwise", "write_file", path="a/../.GIT/hooks/pre-commit", content="x"),
    call("write codeflow's settings", "write_file", path=".codeflow/settings.toml", content="x"),
    call("write codeflow's agents", "write_file", path=".codeflow/agents/a.md", content="x"),
    call("write a hook of a submodule", "write_file", path="sub/.git/hooks/x", content="x"),
    call("edit above", "edit_file", path="../.netrc", old_text="secret", new_text="x"),
    call("edit a linked file", "edit_file", path="file", old_text="secret", new_text="x"),
    call("edit git's configuration", "edit_file", path=".git/config", old_text="[core]", new_text="[alias]"),
    call("patch above", "apply_patch", patch=PATCH.format("../.netrc", CANARY)),
    call("patch a link", "apply_patch", patch=PATCH.format("file", CANARY)),
    call("patch makes a file above", "apply_patch", patch=NEW.format("../evil.txt")),
    call("patch makes a hook", "apply_patch", patch=NEW.format(".git/hooks/pre-commit")),
    call("codex patch above", "apply_patch", patch=CODEX.format("../evil.txt")),
    call("codex patch makes a hook", "apply_patch", patch=CODEX.format(".git/hooks/post-merge")),
    call("codex patch absolute", "apply_patch", patch=CODEX.format("/tmp/codeflow-evil")),
    call("several edits, one above", "multi_edit", edits=[
        {"path": "code.py", "old_text": "code", "new_text": "x"}, {"path": "../.netrc", "old_text": "secret", "new_text": "x"},
    ]),
    call("outline above", "parse_ast", path="../other-project/.env"),
    call("complexity above", "analyze_complexity", path=".."),
    call("linter above", "run_linter", paths=["../other-project"]),
    call("formatter through a link", "format_code", paths=["evil"]),
    call("tests above", "run_tests", target="../other-project"),
    call("git option", "git_diff", ref="--output=../evil.txt", kind="options", layer="refs are no options"),
    call("git log option", "git_log", path="--output=../evil.txt", kind="options", layer="refs are no options"),
    call("blame above", "git_blame", path="../.netrc"),
    call("commit above", "git_commit", message="x", paths=["../.netrc"]),
    call("package from a folder", "install_dependency", name="../other-project", kind="options", layer="package names"),
    call("package option", "install_dependency", name="--index-url=http://127.0.0.1", kind="options", layer="package names"),
    call("metadata service", "fetch_page", url="http://169.254.169.254/latest/meta-data/", kind="addresses", layer=PRIVATE),
    call("this machine", "fetch_page", url="http://127.0.0.1:{tcp}/", kind="addresses", layer=PRIVATE),
    call("by a name", "fetch_page", url="http://localhost:{tcp}/", kind="addresses", layer=PRIVATE),
    call("decimal address", "fetch_page", url="http://2130706433:{tcp}/", kind="addresses", layer=PRIVATE),
    call("IPv6", "fetch_page", url="http://[::1]:{tcp}/", kind="addresses", layer=PRIVATE),
    call("mapped IPv6", "fetch_page", url="http://[::ffff:127.0.0.1]:{tcp}/", kind="addresses", layer=PRIVATE),
    call("file URL", "fetch_page", url="file://{home}/.netrc", kind="addresses", layer=PRIVATE),
)  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = make(tmp_path)
    (made.workspace / "evil").symlink_to(made.home)
    (made.workspace / "file").symlink_to(made.home / ".netrc")
    return made


def result_of(world: World, tool: str, arguments: dict[str, Any], sandbox: Sandbox | None = None) -> str:
    """What a model would be told."""
    settings = load_settings(world.workspace, env={})
    ws = Workspace(world.workspace, settings.tools, world.env, sandbox=sandbox)

    async def made() -> str:
        try:
            answer: str = (await TOOLS[tool].function(ws, **arguments)).content
        except Mistake as mistake:
            answer = str(mistake)
        finally:
            await ws.close()
        return answer

    return asyncio.run(made())


def filled(world: World, value: Any) -> Any:
    if isinstance(value, str):
        text = value.replace("{home}", str(world.home)).replace("{outside}", str(world.outside))
        return text.replace("{tcp}", str(world.tcp_port))
    if isinstance(value, list):
        return [filled(world, item) for item in value]
    return {key: filled(world, item) for key, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("attack", CALLS, ids=lambda attack: f"{attack.tool}: {attack.name}")
def test_a_call_reaches_nothing_it_may_not(world, attack):
    before = Picture.of(world)
    told = result_of(world, attack.tool, filled(world, attack.arguments), Unconfined())
    assert world.breaches(before, told) == [], told


BOMBS = {
    # a bomb that leaves the shell no time to complain is ended by the clock; the slow one shows the limit on processes
    "fork bomb": (":(){ :|:& };: ; sleep 20", ("processes at once", "Resource temporarily unavailable", "stopped after")),
    "slow fork bomb": ("while true; do sleep 60 & done", "processes at once"),
    "memory": ('python3 -c "b = []\nwhile True: b.append(bytearray(10_000_000))"', "of memory"),
    "endless output": ("yes | head -c 300000000", "300,000,000 characters"),
    "endless line": ("head -c 50000000 /dev/zero | tr '\\0' x", "characters"),
    "file": ("head -c 60000000 /dev/zero > big", "File size limit exceeded"),
    "never ends": ("sleep 1000", "stopped after"),
    "ignores every signal": ("trap '' TERM INT HUP; while true; do sleep 1; done", "stopped after"),
    "daemon": ("setsid nohup sh -c 'sleep 3; echo {canary} > later' >/dev/null 2>&1 & echo started", "started"),
}  # fmt: skip


@pytest.mark.parametrize("line", BOMBS)
def test_a_bomb_is_bounded(tmp_path, line):
    world = make(tmp_path)
    sandbox_of(world)
    limits = {
        "CODEFLOW_TOOLS__COMMAND_TIMEOUT_S": "8",
        "CODEFLOW_TOOLS__COMMAND_MEMORY_MB": "300",
        "CODEFLOW_SANDBOX__MAX_PROCESSES": "200",
        "CODEFLOW_SANDBOX__MAX_FILE_MB": "50",
    }
    settings = load_settings(world.workspace, env=limits)
    sandbox = choose(settings.sandbox, world.workspace, world.env).sandbox
    ws = Workspace(world.workspace, settings.tools, world.env, sandbox=sandbox)
    command, said = BOMBS[line]

    async def ended() -> str:
        try:
            return (await TOOLS["run_command"].function(ws, command.replace("{canary}", CANARY))).content
        finally:
            await ws.close()

    told = asyncio.run(ended())
    assert any(words in told for words in ([said] if isinstance(said, str) else said)), told[-500:]
    assert len(told) < 30_000
    assert not (world.workspace / "later").exists()
    (world.workspace / "big").unlink(missing_ok=True)


def test_a_zip_bomb_and_a_huge_file_are_not_unfolded(world):
    with zipfile.ZipFile(world.workspace / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(50_000_000))
    assert len(result_of(world, "read_file", {"path": "bomb.zip"})) < 5_000
    with (world.workspace / "huge.log").open("wb") as file:
        file.truncate(5_000_000_000)
    assert len(result_of(world, "read_file", {"path": "huge.log"})) < 5_000
    os.truncate(world.workspace / "huge.log", 0)
    (world.workspace / "long.txt").write_text("x" * 9_000_000)
    assert len(result_of(world, "read_file", {"path": "long.txt"})) < 100_000
    assert len(result_of(world, "search_files", {"pattern": "x+"})) < 100_000


GIT = '#!/bin/sh\\necho pwned > {outside}/pwned\\nexec /usr/bin/git "$@"\\n'
PLANTED = {
    "program of the project's environment": f"mkdir -p .venv/bin; ln -s /usr/bin/python3 .venv/bin/python; printf '{GIT}' > .venv/bin/git; chmod +x .venv/bin/git",
    "environment that leads to the commands' home": f"mkdir -p ~/v/bin; ln -s /usr/bin/python3 ~/v/bin/python; printf '{GIT}' > ~/v/bin/git; chmod +x ~/v/bin/git; ln -s {{private}}/v .venv",
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_what_a_command_left_is_not_run_outside_the_sandbox(tmp_path, planted):
    world = make(tmp_path)
    sandbox = sandbox_of(world)
    result_of(world, "run_command", {"command": "true"}, sandbox)
    private = next((world.home / ".cache/codeflow/sandbox").glob("*/home"))
    before = Picture.of(world)
    command = filled(world, planted).replace("{private}", str(private))
    told = result_of(world, "run_command", {"command": command}, sandbox)
    for tool, arguments in (("git_status", {}), ("git_branch", {"name": "feature"})):
        told += result_of(world, tool, arguments, sandbox)
    assert world.breaches(before, told) == [], told


def test_a_command_that_is_cut_short_leaves_nothing_planted(tmp_path):
    world = make(tmp_path)
    settings = load_settings(world.workspace, env={})
    ws = Workspace(world.workspace, settings.tools, world.env, sandbox=sandbox_of(world))
    planted = world.workspace / ".circleci/config.yml"

    async def cut_short() -> None:
        line = "mkdir .circleci; echo evil > .circleci/config.yml; sleep 60"
        running = asyncio.ensure_future(TOOLS["run_command"].function(ws, line))
        while not planted.exists():  # noqa: ASYNC110 - a process of the sandbox makes it
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])
        await ws.close()

    asyncio.run(cut_short())
    assert not planted.exists()
