import os
from pathlib import Path

import pytest

from codeflow.core.values import ToolResult
from codeflow.tools.search import find_ripgrep, glob, search_files
from codeflow.tools.workspace import Workspace


async def search(ws: Workspace, pattern: str, **arguments: str | int) -> ToolResult:
    return await search_files.function(ws, pattern, **arguments)


@pytest.fixture
def tree(ws: Workspace) -> Workspace:
    (ws.root / "src").mkdir()
    (ws.root / "src/a.py").write_text("def one():\n    return 1\ndef two():\n    return 2\n")
    (ws.root / "b.txt").write_bytes(b"define\r\nnot here\r\n")
    (ws.root / ".gitignore").write_text("ignored\n")
    (ws.root / "ignored").write_text("def hidden\n")
    return ws


async def test_hits_are_grouped_by_file_with_line_numbers(tree: Workspace):
    result = await search(tree, "^def")
    assert result.content == "b.txt\n    1\tdefine\n\nsrc/a.py\n    1\tdef one():\n    3\tdef two():"
    assert result.display == "3 lines"


async def test_path_and_glob_narrow(tree: Workspace):
    assert "b.txt" not in (await search(tree, "def", path="src")).content
    assert "a.py" not in (await search(tree, "def", glob="*.txt")).content
    assert (await search(tree, "two", path="src/a.py")).content == "src/a.py\n    3\tdef two():"


@pytest.mark.parametrize("path", ["src/a.py", "b.txt", "ignored"])
async def test_a_glob_holds_for_a_file_too(tree: Workspace, path: str):
    for glob_of_it in (path, f"*{Path(path).suffix}" if "." in path else "ign*", "!*.ts"):
        assert not (result := await search(tree, "def", path=path, glob=glob_of_it)).is_error, result.content
        assert result.content.startswith(path)
    refused = await search(tree, "def", path=path, glob="*.ts")
    assert refused.is_error
    assert refused.content == f"{path} is a file, and the glob *.ts leaves it out. Leave out one of the two."


async def test_the_cap_is_said(tree: Workspace):
    content = (await search(tree, "e", max_results=1)).content
    assert content.endswith(
        "[1 of 7 matching lines; go on with skip=1, or narrow with path, glob or pattern]"
    )


async def test_long_lines_are_cut(tree: Workspace):
    (tree.root / "min.js").write_text("needle" + "x" * 100_000)
    assert len((await search(tree, "needle")).content) < 500


async def test_no_match_is_no_error(tree: Workspace):
    assert await search(tree, "zzz") == ToolResult(content="No matches.", display="no matches")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pattern": "foo("}, "unclosed group"),
        ({"pattern": "a\nb"}, "search for one line of it"),
        ({"pattern": "x", "path": "../"}, "outside the workspace"),
        ({"pattern": "x", "path": "nowhere"}, "does not exist"),
        ({"pattern": "x", "glob": "{a"}, "glob"),
        ({"pattern": "a\0b"}, "refused"),
    ],
)
async def test_what_cannot_be_searched_is_explained(tree: Workspace, arguments: dict[str, str], message: str):
    result = await search(tree, **arguments)
    assert result.is_error
    assert message in result.content


async def test_patterns_and_paths_are_never_options(tree: Workspace):
    (tree.root / "--pre=sh").write_text("--files\n")
    result = await search(tree, "--files", path="--pre=sh")
    assert result.content == "--pre=sh\n    1\t--files"


async def test_links_out_of_the_workspace_are_not_followed(tree: Workspace, tmp_path: Path):
    (tmp_path / "secret").write_text("def secret\n")
    (tree.root / "link").symlink_to(tmp_path / "secret")
    assert "secret" not in (await search(tree, "def")).content


def test_ripgrep_comes_with_codeflow_when_path_has_none():
    assert find_ripgrep({"PATH": "/nowhere"}) is not None


async def test_a_missing_ripgrep_says_what_to_do(tree: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sysconfig.get_path", lambda name: "/nowhere")
    tree.reading_env["PATH"] = "/nowhere"
    assert "use run_command with grep" in (await search(tree, "x")).content


async def test_the_end_of_a_line_is_found_before_its_carriage_return(tree: Workspace):
    assert "2\tnot here" in (await search(tree, "here$")).content


async def test_what_a_carriage_return_would_hide_is_shown(ws: Workspace):
    (ws.root / "progress.log").write_bytes(b"abc\rneedle one\nneedle two\n\x1b[2Kneedle three\n")
    assert (await search(ws, "needle")).content == (
        "progress.log\n    1\tabc\\rneedle one\n    2\tneedle two\n    3\tneedle three"
    )


async def test_binary_files_that_match_are_named(ws: Workspace):
    (ws.root / "late.bin").write_bytes(b"text\n" * 20_000 + b"\x00needle\n")
    (ws.root / "two\nlines.bin").write_bytes(b"\x00needle\n")
    alone = (await search(ws, "needle", path="late.bin")).content
    assert alone.startswith("No matches in text.\n[matches in binary files")
    (ws.root / "a.txt").write_text("needle\n")
    content = (await search(ws, "needle")).content
    assert content.startswith("a.txt\n    1\tneedle\n\n[matches in binary files")
    assert content.endswith(": late.bin, two\\nlines.bin]")
    assert "late.bin" not in (await search(ws, "needle", glob="*.txt")).content


async def test_what_ripgrep_cannot_read_is_named(ws: Workspace):
    (ws.root / "u32.txt").write_bytes("needle".encode("utf-32"))
    (ws.root / "u16.txt").write_bytes("needle".encode("utf-16"))
    content = (await search(ws, "needle")).content
    assert content.startswith("u16.txt\n    1\tneedle")
    assert content.endswith("[not searched, as they are in UTF-32: u32.txt; read_file reads them]")
    assert "u32.txt" not in (await search(ws, "needle", glob="u16*")).content


async def test_a_fifo_is_not_waited_for(ws: Workspace):
    os.mkfifo(ws.root / "pipe")
    assert "is a FIFO" in (await search(ws, "x", path="pipe")).content
    assert (await search(ws, "x")).content == "No matches."


async def test_a_name_with_a_line_break_stays_one_name(ws: Workspace):
    (ws.root / "two\nlines.txt").write_text("one\nneedle\nneedle\n")
    (ws.root / "z").write_text("needle\n")
    content = (await search(ws, "needle")).content
    assert content == "two\\nlines.txt\n    2\tneedle\n    3\tneedle\n\nz\n    1\tneedle"
    assert (await glob.function(ws, "*.txt")).content == "two\\nlines.txt"


async def test_the_match_in_a_huge_line_is_shown(ws: Workspace):
    line = "x" * 100_000 + "needle" + "y" * 100_000
    (ws.root / "min.js").write_text(f"{line}\nshort needle\nneedle{'z' * 1000}\n")
    first, second, third = (await search(ws, "needle|short")).content.splitlines()[1:]
    assert first == f"    1\t… {'x' * 120}needle{'y' * 120} … [a part of a long line]"
    assert second == "    2\tshort needle"
    assert third == f"    3\tneedle{'z' * 120} … [a part of a long line]"
    whole = (await search(ws, ".*", path="min.js")).content
    assert "omitted end of long line" in whole
    assert len(whole) < 1500
