"""Names of files that are not plain text: every tool shows them with escapes, and takes them so."""

from collections.abc import Callable

import pytest

from codeflow.core.values import ToolResult
from codeflow.tools.registry import TOOLS
from codeflow.tools.workspace import Workspace

LATIN = "mod\udce9.py"
SHOWN = r"mod\udce9.py"
BROKEN = r"two\nlines.py"


@pytest.fixture
def strange(ws: Workspace) -> Workspace:
    (ws.root / LATIN).write_text("def needle():\n    return 1\n")
    (ws.root / "two\nlines.py").write_text("needle = 2\n")
    (ws.root / "dir\udcff").mkdir()
    (ws.root / "dir\udcff/x.txt").write_text("needle\n")
    (ws.root / "plain.py").write_text("def other(): ...\n")
    return ws


async def run(ws: Workspace, name: str, **arguments: object) -> ToolResult:
    result = await TOOLS[name].function(ws, **arguments)
    result.content.encode()
    await ws.servers.close()
    return result


async def test_names_are_shown_with_escapes(strange: Workspace):
    listed = (await run(strange, "list_directory")).content
    assert [line.split("  ")[0] for line in listed.splitlines()] == [r"dir\udcff/", SHOWN, "plain.py", BROKEN]
    found = (await run(strange, "glob", pattern="*.py")).content
    assert found.splitlines() == [SHOWN, "plain.py", BROKEN]
    searched = (await run(strange, "search_files", pattern="needle")).content
    assert {r"dir\udcff/x.txt", SHOWN, BROKEN} <= set(searched.splitlines())
    assert f"{SHOWN}:1-2 needle" in (await run(strange, "analyze_complexity")).content


@pytest.mark.parametrize(
    ("tool", "path", "content"),
    [
        ("read_file", SHOWN, "    1\tdef needle():\n    2\t    return 1"),
        ("read_file", LATIN, "    1\tdef needle():\n    2\t    return 1"),
        ("read_file", BROKEN, "    1\tneedle = 2"),
        ("read_file", r"dir\udcff/x.txt", "    1\tneedle"),
        ("list_directory", r"dir\udcff", "x.txt  7 bytes"),
        ("search_files", r"dir\udcff", "dir\\udcff/x.txt\n    1\tneedle"),
        ("parse_ast", SHOWN, "1-2 function: def needle()"),
    ],
)
async def test_a_name_is_taken_as_it_was_shown(strange: Workspace, tool: str, path: str, content: str):
    pattern = {"pattern": "needle"} if tool == "search_files" else {}
    assert (await run(strange, tool, path=path, **pattern)).content == content


async def test_such_files_are_edited_and_committed(strange: Workspace, git: Callable[..., str]):
    edit = await run(strange, "edit_file", path=SHOWN, old_text="return 1", new_text="return 2")
    assert not edit.is_error, edit.content
    assert "return 2" in (strange.root / LATIN).read_text()
    committed = await run(strange, "git_commit", message="m", paths=[SHOWN, BROKEN], on_protected=True)
    assert not committed.is_error, committed.content
    assert git("-c", "core.quotePath=true", "ls-files").split() == [r'"mod\351.py"', r'"two\nlines.py"']


async def test_a_new_file_goes_into_the_folder_that_was_shown(strange: Workspace):
    await run(strange, "write_file", path=r"dir\udcff/new.txt", content="x")
    assert (strange.root / "dir\udcff/new.txt").read_text() == "x"


async def test_a_file_of_the_very_name_comes_first(strange: Workspace):
    (strange.root / SHOWN).write_text("the escape itself\n")
    assert "the escape itself" in (await run(strange, "read_file", path=SHOWN)).content


async def test_a_language_server_is_not_told_of_such_a_file(strange: Workspace):
    result = await run(strange, "rename_symbol", symbol="needle", new_name="nail", path=SHOWN)
    assert result.is_error
    assert f"{SHOWN} is no name in UTF-8" in result.content
    found = await run(strange, "find_references", symbol="needle", path=SHOWN)
    assert {r"dir\udcff/x.txt", SHOWN, BROKEN} <= set(found.content.splitlines())
    renamed = await run(strange, "rename_symbol", symbol="other", new_name="another")
    assert not renamed.is_error, renamed.content


async def test_git_shows_names_in_utf_8_as_they_are(strange: Workspace, git: Callable[..., str]):
    (strange.root / "größe.py").touch()
    assert "?? größe.py" in (await run(strange, "git_status")).content.splitlines()
