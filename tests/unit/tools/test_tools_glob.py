from collections.abc import Callable

import pytest

from codeflow.tools.search import glob, search_files
from codeflow.tools.workspace import Workspace


@pytest.fixture
def tree(ws: Workspace) -> Workspace:
    for name in ("a.py", "src/b.py", "src/deep/c.py", "src/d.ts", "out/e.py", "secret.py", ".hidden/f.py"):
        path = ws.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("needle\n")
    (ws.root / ".gitignore").write_text("out/\nsecret.py\n")
    return ws


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.py", [".hidden/f.py", "a.py", "src/b.py", "src/deep/c.py"]),
        ("src/*.py", ["src/b.py"]),
        ("src/**/*.py", ["src/b.py", "src/deep/c.py"]),
        ("*.{ts,rs}", ["src/d.ts"]),
        ("src/**", ["src/b.py", "src/d.ts", "src/deep/c.py"]),
    ],
)
async def test_files_are_found_by_name_but_not_what_git_ignores(
    tree: Workspace, pattern: str, names: list[str]
):
    result = await glob.function(tree, pattern)
    assert result.content.splitlines() == names
    assert result.display == f"{len(names)} files"


@pytest.mark.parametrize("pattern", ["*", "*.py", "secret.py", "**"])
async def test_a_glob_never_shows_what_git_ignores(tree: Workspace, pattern: str):
    for result in (
        await glob.function(tree, pattern),
        await search_files.function(tree, "needle", glob=pattern),
    ):
        assert "secret.py" not in result.content.splitlines()
        assert "out/" not in result.content


async def test_a_folder_narrows(tree: Workspace):
    assert (await glob.function(tree, "*.py", path="src/deep")).content == "src/deep/c.py"


async def test_no_files_and_mistakes_are_told(tree: Workspace):
    assert (await glob.function(tree, "*.zig")).content == "No files match *.zig."
    assert (await glob.function(tree, "{a")).is_error
    assert (await glob.function(tree, "*", path="..")).is_error
    assert (await glob.function(tree, "*", path="nowhere")).is_error


async def test_many_files_come_in_pages(ws: Workspace):
    for number in range(205):
        (ws.root / f"{number:03}").touch()
    first = (await glob.function(ws, "*")).content.splitlines()
    assert first[-1] == "[files 1-200 of 205; go on with skip=200]"
    rest = (await glob.function(ws, "*", skip=200)).content.splitlines()
    assert rest == ["200", "201", "202", "203", "204"]
    assert "205 in all" in (await glob.function(ws, "*", skip=300)).content


async def test_hits_come_in_pages(make_workspace: Callable[..., Workspace]):
    ws = make_workspace()
    (ws.root / "a").write_text("x\n" * 5)
    first = (await search_files.function(ws, "x", max_results=2)).content
    assert first.endswith("[2 of 5 matching lines; go on with skip=2, or narrow with path, glob or pattern]")
    assert (
        await search_files.function(ws, "x", max_results=3, skip=2)
    ).content == "a\n    3\tx\n    4\tx\n    5\tx"
    assert (await search_files.function(ws, "x", skip=5)).is_error


async def test_a_pattern_that_finds_nothing_for_its_own_sake_is_explained(tree: Workspace):
    (tree.root / "{a,b}.txt").touch()
    assert "put a backslash before each" in (await glob.function(tree, "{a,b}.txt")).content
    assert (await glob.function(tree, "\\{a,b\\}.txt")).content == "{a,b}.txt"
    assert "nothing outside it is listed" in (await glob.function(tree, "../*")).content
