import os
from collections.abc import Callable
from pathlib import Path

import pytest

from codeflow.core.values import ToolResult
from codeflow.tools.editing import write_file
from codeflow.tools.files import list_directory, read_file
from codeflow.tools.workspace import Workspace


async def read(ws: Workspace, path: str, **arguments: int) -> ToolResult:
    return await read_file.function(ws, path, **arguments)


async def test_lines_are_numbered_with_a_tab(ws: Workspace):
    (ws.root / "a.py").write_text("one\n\ttwo\n")
    assert await read(ws, "a.py") == ToolResult(content="    1\tone\n    2\t\ttwo", display="lines 1-2 of 2")


async def test_a_range_says_how_to_go_on(ws: Workspace):
    (ws.root / "a").write_text("".join(f"{n}\n" for n in range(1, 11)))
    result = await read(ws, "a", start_line=3, line_count=2)
    assert result.content == "    3\t3\n    4\t4\n[lines 3-4 of 10; go on with start_line=5]"


async def test_the_setting_limits_the_lines(make_workspace: Callable[..., Workspace]):
    ws = make_workspace(lines=2)
    (ws.root / "a").write_text("1\n2\n3\n")
    assert "[lines 1-2 of 3; go on with start_line=3]" in (await read(ws, "a", line_count=99)).content


async def test_a_wide_file_is_bounded_too(ws: Workspace):
    (ws.root / "a").write_text(("x" * 3000 + "\n") * 100)
    result = await read(ws, "a")
    assert len(result.content) < 70_000
    assert "[lines 1-30 of 100; go on with start_line=31]" in result.content
    assert "2,000 of its 3,000 characters shown" in result.content


@pytest.mark.parametrize(("start", "count"), [(0, 1), (-4, 1), (1, 0), (1, -1), (9, 1)])
async def test_impossible_ranges_are_refused(ws: Workspace, start: int, count: int):
    (ws.root / "a").write_text("1\n2\n")
    assert (await read(ws, "a", start_line=start, line_count=count)).is_error


async def test_an_empty_file_is_said_to_be_empty(ws: Workspace):
    (ws.root / "a").touch()
    assert (await read(ws, "a")).content == "a is empty."


async def test_peculiar_bytes_are_said(ws: Workspace):
    (ws.root / "win").write_bytes("\ufeffa\r\nb\r\n".encode("utf-16-le"))
    (ws.root / "old").write_bytes(b"caf\xe9\n")
    first = (await read(ws, "win")).content
    assert first.startswith("[utf-16-le, byte order mark, CRLF line endings; kept when you edit]\n    1\ta\n")
    assert (await read(ws, "old")).content == "[latin-1; kept when you edit]\n    1\tcafé"


async def test_binary_and_oversized_files_are_refused_with_size_and_type(ws: Workspace):
    (ws.root / "p.png").write_bytes(b"\x89PNG\0")
    with (ws.root / "big.log").open("wb") as file:
        file.truncate(20_000_000)
    assert (
        await read(ws, "p.png")
    ).content == "p.png is a binary file (5 bytes, image/png) and cannot be shown as text."
    assert "too large to read (20,000,000 bytes" in (await read(ws, "big.log")).content


async def test_devices_and_pipes_are_refused_without_waiting(ws: Workspace):
    os.mkfifo(ws.root / "fifo")
    assert (await read(ws, "fifo")).content.startswith("fifo is a FIFO (named pipe), not")
    assert "fifo  a FIFO (named pipe)" in (await list_directory.function(ws)).content


async def test_a_missing_file_names_its_neighbours(ws: Workspace):
    (ws.root / "settings.py").touch()
    assert (
        await read(ws, "setings.py")
    ).content == "setings.py does not exist. In work/ there is settings.py."
    assert (await read(ws, "zzz/a.py")).is_error
    assert (await read(ws, "settings.py/x")).is_error


async def test_what_the_system_refuses_is_an_error_result(ws: Workspace):
    result = await read(ws, "x" * 5000)
    assert result.is_error
    assert "File name too long" in result.content


async def test_summaries_are_one_clean_line():
    assert read_file.summary({"path": "a\x1b[31m\nb", "start_line": 3, "line_count": 4}) == "a [31m b:3-6"
    assert read_file.summary({"path": "a", "start_line": 3}) == "a:3-"
    assert read_file.summary({"path": "a", "start_line": 1, "line_count": None}) == "a"
    assert read_file.summary({}) == ""


async def test_a_listing_leaves_out_what_git_ignores(ws: Workspace, git: Callable[..., str]):
    for name in ("node_modules", "src", "empty\nname"):
        (ws.root / name).mkdir()
        (ws.root / name / "x").touch()
    (ws.root / ".gitignore").write_text("node_modules/\n*.log\n")
    (ws.root / "a.log").touch()
    (ws.root / "b.txt").write_text("12345")
    (ws.root / "link").symlink_to("/etc")
    result = await list_directory.function(ws)
    assert result.content == (
        ".gitignore  20 bytes\nb.txt  5 bytes\nempty\\nname/\nlink -> /etc\nsrc/\n[2 ignored by git left out]"
    )
    assert result.display == "5 entries"


async def test_a_listing_works_without_git_and_is_capped(ws: Workspace):
    assert (await list_directory.function(ws)).content == "(empty folder)"
    for number in range(1005):
        (ws.root / f"{number:04}").touch()
    content = (await list_directory.function(ws)).content
    assert content.count("\n") == 200
    assert content.endswith("[805 more entries; narrow with glob]")


async def test_names_that_are_not_utf8_can_be_sent(ws: Workspace):
    (ws.root / os.fsdecode(b"caf\xe9")).touch()
    assert (await list_directory.function(ws)).content == "caf\\udce9  0 bytes"


async def test_a_link_that_leaves_the_workspace_is_named_with_its_end(ws: Workspace, tmp_path: Path):
    (tmp_path / "secret").write_text("s")
    (ws.root / "outlink").symlink_to(tmp_path / "secret")
    told = (await read(ws, "outlink")).content
    assert told.startswith(
        f"outlink leads through a symbolic link to {tmp_path / 'secret'}, outside the workspace"
    )
    assert "symbolic link" not in (await read(ws, "../secret")).content


async def test_nothing_can_be_below_a_file(ws: Workspace):
    (ws.root / "a.txt").write_text("a")
    written = await write_file.function(ws, "a.txt/b/c.txt", "c")
    for result in (written, await read(ws, "a.txt/b/c.txt")):
        assert result.is_error
        assert "a.txt is a file, so there can be nothing below it" in result.content
        assert "Errno" not in result.content
