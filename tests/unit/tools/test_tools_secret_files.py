"""Files that hold credentials are neither shown nor searched, and the tools say so."""

import asyncio
from collections.abc import Callable

import pytest

from codeflow.core.redaction import Redactor
from codeflow.tools.registry import TOOLS
from codeflow.tools.workspace import Workspace

VALUE = "Tr0ub4dor&3"


async def call(ws: Workspace, name: str, **arguments: object):
    return await TOOLS[name].function(ws, **arguments)


@pytest.fixture
def secretive(ws: Workspace) -> Workspace:
    (ws.root / ".env").write_text(f"PIN={VALUE}\nHOST=here\n")
    (ws.root / ".env.example").write_text("PIN=\nHOST=here\n")
    (ws.root / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\nHOST=here\n")
    (ws.root / "own.pem").write_text("-----BEGIN PRIVATE " + f"KEY-----\nHOST=here {VALUE}\n")
    (ws.root / "link.txt").symlink_to(".env")
    return ws


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("read_file", {"path": ".env"}),
        ("read_file", {"path": "link.txt"}),
        ("read_file", {"path": "own.pem"}),
        ("edit_file", {"path": ".env", "old_text": "x", "new_text": "y"}),
        ("write_file", {"path": ".env", "content": "y"}),
        ("parse_ast", {"path": ".env"}),
    ],
)
async def test_they_are_not_shown(secretive: Workspace, name: str, arguments: dict[str, str]):
    result = await call(secretive, name, **arguments)
    assert VALUE not in result.content
    assert result.is_error
    assert "tools.readable_secrets" in result.content


async def test_a_search_leaves_them_out_and_names_them_whatever_they_hold(secretive: Workspace):
    found = await call(secretive, "search_files", pattern="HOST=here")
    assert ".env.example\n    2\tHOST=here" in found.content
    assert "ca.pem\n    2\tHOST=here" in found.content
    note = "[not searched, since they hold credentials: .env, own.pem]"
    assert found.content.endswith(note)
    assert VALUE not in found.content
    nothing = await call(secretive, "search_files", pattern="^PIN=Tr0")
    assert nothing.content == f"No matches in text.\n{note}"
    assert (
        "not searched"
        not in (await call(secretive, "search_files", pattern="HOST", glob="*.example")).content
    )


@pytest.mark.parametrize("path", [".env", "link.txt"])
async def test_a_search_in_one_of_them_finds_nothing(secretive: Workspace, path: str):
    found = await call(secretive, "search_files", pattern=".", path=path)
    assert found.content == "No matches in text.\n[not searched, since they hold credentials: .env]"


async def test_new_ones_can_be_written_and_templates_read(secretive: Workspace):
    assert not (await call(secretive, "write_file", path=".env.local", content="A=1\n")).is_error
    assert "HOST=here" in (await call(secretive, "read_file", path=".env.example")).content


async def test_the_user_can_allow_names(make_workspace: Callable[..., Workspace]):
    ws = make_workspace()
    ws.settings = ws.settings.model_copy(update={"readable_secrets": [".env"]})
    (ws.root / ".env").write_text("HOST=here\n")
    assert "HOST=here" in (await call(ws, "read_file", path=".env")).content
    assert "not searched" not in (await call(ws, "search_files", pattern="HOST")).content


async def test_what_is_kept_of_a_command_holds_no_credential_once_it_has_ended(ws: Workspace):
    ws.redactor = Redactor({"DEPLOY_TOKEN": VALUE})
    ws.runs.redact = ws.redactor.redact
    await call(ws, "run_command", command=f"echo '{VALUE}'; seq 3")
    assert ws.runs.find("cmd-1").text() == "[REDACTED:environment]\n1\n2\n3\n"
    await call(ws, "run_command", command=f"echo '{VALUE}'; sleep 60", background=True)
    started = ws.runs.find("cmd-2")
    await call(ws, "stop_command", id="cmd-2")
    assert started.task
    await asyncio.wait([started.task])
    assert started.text() == "[REDACTED:environment]\n"
