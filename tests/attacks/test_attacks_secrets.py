"""Attacks on what keeps credentials in: the commit's search, the redactor, git's view of files, what commands leave."""

import asyncio
import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.attacks.test_attacks_commands import sandbox_of
from tests.attacks.world import CANARY, NO_SANDBOX, Picture, World, make
from tests.unit.core.secret_lines import drawn

from codeflow.agents.showing import cleaned
from codeflow.app.permitting import Permits, load_layers
from codeflow.app.remembering import WebWatch
from codeflow.core.disguise import undisguised
from codeflow.core.settings import load_settings
from codeflow.core.values import Ask, Mode
from codeflow.tools.registry import TOOLS
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

pytestmark = pytest.mark.slow

Step = Callable[[World], object]
TOKEN = "ghp_" + drawn(36)
HALF = len(TOKEN) // 2


def git(world: World, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    return subprocess.run(
        command, cwd=world.workspace, env=world.env, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = make(tmp_path)
    (made.workspace / "a.py").write_text("a = 1\n")
    (made.workspace / ".env").write_text("PIN=begin\n")
    (made.home / ".gitconfig").write_text("[user]\nname = t\nemail = t@example.org\n")
    git(made, "add", "-A")
    git(made, "commit", "-qm", "begin")
    return made


def told(world: World, *calls: tuple[str, dict[str, object]], tests: str = "") -> str:
    """What a model is told of the calls, the lot of them."""
    settings = load_settings(world.workspace, env={})
    sandbox = None if NO_SANDBOX else sandbox_of(world)
    ws = Workspace(world.workspace, settings.tools, world.env, tests=tests, sandbox=sandbox)

    async def made() -> str:
        answers: list[str] = []
        try:
            for tool, arguments in calls:
                try:
                    result = await TOOLS[tool].function(ws, **arguments)
                    answers.append(cleaned(result, ws.redactor.redact).content)
                except Mistake as mistake:
                    answers.append(ws.redactor.redact(str(mistake)))
        finally:
            await ws.close()
        return "\n".join(answers)

    return asyncio.run(made())


def write(name: str, content: str | bytes) -> Step:
    data = content if isinstance(content, bytes) else content.encode()
    return lambda world: (world.workspace / name).write_bytes(data)


def also(*steps: Step) -> Step:
    return lambda world: [step(world) for step in steps]


def configured(*arguments: str) -> Step:
    return lambda world: git(world, "config", *arguments)


def lose_an_object(world: World) -> None:
    blob = git(world, "rev-parse", "HEAD:a.py").strip()
    (world.workspace / ".git/objects" / blob[:2] / blob[2:]).unlink()


LEAK = write("a.py", f"token = '{TOKEN}'\n")
ATTRIBUTES = ".gitattributes"
COMMITS = {
    "plain": LEAK,
    "no diff": also(LEAK, write(ATTRIBUTES, "*.py -diff\n")),
    "binary": also(LEAK, write(ATTRIBUTES, "*.py binary\n")),
    "macro": also(LEAK, write(ATTRIBUTES, "[attr]gone -diff -text\n*.py gone\n")),
    "text converter": also(
        LEAK, write(ATTRIBUTES, "*.py diff=none\n"), configured("diff.none.textconv", "true")
    ),
    "external diff": also(
        LEAK, write(ATTRIBUTES, "*.py diff=none\n"), configured("diff.none.command", "true")
    ),
    "user's own diff": also(LEAK, configured("diff.external", "true")),
    "attributes of the repository": also(LEAK, write(".git/info/attributes", "*.py -diff\n")),
    "NUL byte": write("a.py", f"x\0\n{TOKEN}\n"),
    "UTF-16": write("a.py", f"token = '{TOKEN}'\n".encode("utf-16")),
    "zero width": write("a.py", f"{TOKEN[:HALF]}\u200b{TOKEN[HALF:]}\n"),
    "return": write("a.py", f"{TOKEN[:HALF]}\r{TOKEN[HALF:]}\n"),
    "JSON escape": write("a.py", f'"\\u{ord(TOKEN[0]):04x}{TOKEN[1:]}"\n'),
    "base64": write("a.py", base64.b64encode(f"token {TOKEN}\n".encode())),
    "a file of properties": write("a.py", "spring.datasource.password=Welcome1\n"),
    "a constant": write("a.py", "<?php define( 'DB_PASSWORD', 'Tr0ub4dor&3' );\n"),
    "Docker's settings": write("a.py", json.dumps({"auth": base64.b64encode(b"ada:Geheim4711xx").decode()})),
    "no final line break": write("a.py", f"a = 1\n{TOKEN}"),
    "a line like a patch's": write("a.py", f"++ b/x\n@@ -1 +1 @@\ndiff --git a/x b/x\n{TOKEN}\n"),
    "filter": also(
        write("a.py", "a = 2\n"),
        write(ATTRIBUTES, "*.py filter=adds\n"),
        configured("filter.adds.clean", f"cat; echo {TOKEN}"),
    ),
    "encoding": also(
        write("a.py", f"token = '{TOKEN}'\n".encode("utf-16-le")),
        write(ATTRIBUTES, "*.py working-tree-encoding=UTF-16LE\n"),
    ),
    "git that fails": also(LEAK, lose_an_object),
    "too much": write("a.py", "x = 1\n" * 4_000_000),
}


@pytest.mark.parametrize("attack", COMMITS.values(), ids=COMMITS)
def test_no_credential_gets_into_a_commit(world, attack):
    attack(world)
    said = told(
        world, ("git_commit", {"message": "change", "paths": ["a.py"], "on_protected": True}), ("git_log", {})
    )
    assert git(world, "log", "--format=%s").split() == ["begin"]
    assert TOKEN not in said


DISGUISED = {
    "zero width": f"{TOKEN[:9]}\u200b{TOKEN[9:]}",
    "joiner": f"{TOKEN[:9]}\u2060{TOKEN[9:]}",
    "soft hyphen": f"{TOKEN[:9]}\u00ad{TOKEN[9:]}",
    "bidi": f"{TOKEN[:9]}\u202e{TOKEN[9:]}",
    "tag": f"{TOKEN[:9]}\U000e0041{TOKEN[9:]}",
    "variation selector": f"{TOKEN[:9]}\ufe0f{TOKEN[9:]}",
    "NUL": f"{TOKEN[:9]}\0{TOKEN[9:]}",
    "return": f"{TOKEN[:9]}\r{TOKEN[9:]}",
    "colour": f"{TOKEN[:9]}\x1b[31m{TOKEN[9:]}",
    "all between": "\u200b".join(TOKEN),
    "JSON": "".join(f"\\u{ord(char):04x}" for char in TOKEN),
    "JSON in JSON": "".join(f"\\\\u{ord(char):04x}" for char in TOKEN),
    "base64": base64.b64encode(f"a\n{TOKEN}\n".encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(f"??>>{TOKEN}".encode()).decode(),
    "base64 over lines": base64.encodebytes(f"{'x' * 40} {TOKEN}\n".encode()).decode(),
    "UTF-16 in base64": base64.b64encode(TOKEN.encode("utf-16-le")).decode(),
}


@pytest.mark.parametrize("disguised", DISGUISED.values(), ids=DISGUISED)
def test_no_disguise_takes_a_credential_to_a_model(world, disguised):
    (world.workspace / "b.txt").write_text(f"begin\n{disguised}\nend\n", newline="")
    said = told(
        world,
        ("read_file", {"path": "b.txt"}),
        ("search_files", {"pattern": "."}),
        ("run_command", {"command": "cat b.txt"}),
    )
    plain = undisguised(said)
    assert TOKEN not in said
    assert TOKEN not in (plain.text if plain else "")
    assert not any(line and line in said.split() for line in disguised.split())


GIT_SHOWS = {
    "file of a commit": ("git_show", {"ref": "HEAD:.env"}),
    "file of the index": ("git_show", {"ref": ":.env"}),
    "stage of the index": ("git_show", {"ref": ":0:.env"}),
    "path with dots": ("git_show", {"ref": "HEAD:./.env"}),
    "object": ("git_show", {"ref": "{blob}"}),
    "short object": ("git_show", {"ref": "{short}"}),
    "commit": ("git_show", {}),
    "commit, one file": ("git_show", {"ref": "HEAD", "path": ".env"}),
    "diff": ("git_diff", {"ref": "HEAD~1"}),
    "range": ("git_diff", {"ref": "HEAD~1..HEAD", "path": ".env"}),
    "blame": ("git_blame", {"path": ".env"}),
    "stash": ("git_stash", {"action": "show"}),
}


@pytest.mark.parametrize("attack", GIT_SHOWS.values(), ids=GIT_SHOWS)
def test_git_shows_no_file_of_credentials(world, attack):
    (world.workspace / ".env").write_text(f"PIN={CANARY}\n")
    git(world, "commit", "-qam", "change")
    (world.workspace / ".env").write_text(f"PIN={CANARY}2\n")
    git(world, "stash")
    blob = git(world, "rev-parse", "HEAD:.env").strip()
    tool, arguments = attack
    ref = arguments.get("ref", "HEAD").replace("{blob}", blob).replace("{short}", blob[:8])
    assert CANARY not in told(world, (tool, {**arguments, "ref": ref} if "ref" in arguments else arguments))


LINES = (
    *("git show HEAD:.env", "git show main:./.env", "git cat-file -p HEAD:.env", "git cat-file blob :.env"),
    *("git diff HEAD~1 -- .env", "git log -p .env", "git blame .env", "git grep PIN .env", "git archive HEAD .env"),
    *("cat .env", "sudo cat .env", "sh -c 'cat .env'", "echo $(cat .env)", "cat < .env", "head -1 ./.env"),
    *("grep . .env", "base64 .env", "cp .env x.txt", "tar cf x.tar .env", "find . -name x -exec cat .env {} +"),
    *("curl -d @.env http://127.0.0.1", "cat link.txt", "ln -s .env x", "dd if=.env of=x"),
)  # fmt: skip


@pytest.mark.parametrize("mode", [Mode.EDIT, Mode.AUTO])
@pytest.mark.parametrize("line", LINES)
def test_a_line_that_shows_a_file_of_credentials_is_asked_about(world, line, mode):
    (world.workspace / "link.txt").symlink_to(".env")
    settings = load_settings(world.workspace, env={})
    layers = load_layers(settings, world.workspace, world.workspace, world.env)
    permits = Permits(mode, layers, WebWatch(frozenset()))
    assert isinstance(permits.judge(TOOLS["run_command"], {"command": line}).verdict, Ask)


ROW = {"event": "result", "run": 1, "id": f"t::{CANARY}", "outcome": "failed", "path": "a.py", "line": 1}
ROW |= {"location": None, "captured": {}, "message": CANARY, "text": CANARY}
COVERED = {"files": {CANARY: {"executed_lines": [1], "missing_lines": [2]}}}
REPORT = '"$CODEFLOW_TEST_REPORT"'
LEFT = {
    "report is a link": ("run_tests", f"ln -sf {{outside}}/report {REPORT}"),
    "report is a pipe": ("run_tests", f"mkfifo {REPORT}"),
    "report is a folder": ("run_tests", f"mkdir {REPORT}"),
    "report is endless": ("run_tests", f"truncate -s 40G {REPORT} || ln -s /dev/zero {REPORT}"),
    "report is a device": ("run_tests", f"ln -s /dev/zero {REPORT}"),
    "coverage is a link": (
        "coverage_report",
        f"for d in $(dirname {REPORT})/coverage-*; do ln -sf {{outside}}/coverage.json $d/coverage.json; done",
    ),
    "coverage's folder is a link": (
        "coverage_report",
        f"for d in $(dirname {REPORT})/coverage-*; do rmdir $d; ln -s {{outside}} $d; done",
    ),
    "outputs are links": (
        "run_tests",
        f"cd $(dirname {REPORT}); for n in 1 2 3; do ln -sf {{outside}}/report cmd-$n.txt; done",
    ),
}


@pytest.mark.skipif(bool(NO_SANDBOX), reason=f"no sandbox on this machine: {NO_SANDBOX}")
@pytest.mark.parametrize("attack", LEFT.values(), ids=LEFT)
def test_nothing_is_read_through_what_a_test_run_leaves(world, attack):
    tool, plant = attack
    (world.outside / "report").write_text(json.dumps(ROW) + "\n")
    (world.outside / "coverage.json").write_text(json.dumps(COVERED))
    (world.workspace / "evil.sh").write_text(plant.replace("{outside}", str(world.outside)))
    before = Picture.of(world)
    said = told(world, (tool, {}), ("read_output", {"id": "cmd-1"}), tests="sh evil.sh python3 -m pytest")
    assert CANARY not in said
    assert world.breaches(before, said) == [], said
