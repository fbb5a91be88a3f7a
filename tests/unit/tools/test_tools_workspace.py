import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codeflow.core.errors import UsageError
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "a/b/../../../work2/x", "..", "./.."])
def test_paths_that_leave_the_root_are_refused(ws: Workspace, path: str):
    with pytest.raises(Mistake, match="outside the workspace"):
        ws.resolve(path)


def test_a_sibling_whose_name_begins_like_the_root_is_outside(ws: Workspace):
    (ws.root.parent / "work-secret").mkdir()
    with pytest.raises(Mistake, match="outside"):
        ws.resolve("../work-secret/key")


@pytest.mark.parametrize("target", ["/etc", "/nowhere/at/all", "../home"])
def test_symlinks_that_lead_out_are_refused_for_existing_and_new_files(ws: Workspace, target: str):
    (ws.root / "link").symlink_to(target)
    for path in ("link", "link/new.txt", "link/deep/../x"):
        with pytest.raises(Mistake, match="outside"):
            ws.resolve(path)


def test_symlinks_that_stay_inside_and_absolute_paths_inside_are_followed(ws: Workspace):
    (ws.root / "real").mkdir()
    (ws.root / "link").symlink_to("real")
    assert ws.relative(ws.resolve("link/new.txt")) == "real/new.txt"
    assert ws.relative(ws.resolve(str(ws.root / "real/x"))) == "real/x"


def test_a_root_that_is_itself_a_symlink_works(ws: Workspace, tmp_path: Path):
    (tmp_path / "alias").symlink_to(ws.root)
    alias = Workspace(tmp_path / "alias", ws.settings, {})
    assert alias.resolve("x") == ws.root / "x"


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_impossible_names_are_mistakes(ws: Workspace, path: str):
    with pytest.raises(Mistake, match="not a usable path"):
        ws.resolve(path)


def test_symlink_loops_are_mistakes(ws: Workspace):
    (ws.root / "loop").symlink_to("loop")
    with pytest.raises(Mistake, match="not a usable path"):
        ws.resolve("loop/x")


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".GIT/hooks/x",
        "sub/.git/hooks/x",
        ".git",
        ".codeflow/settings.toml",
        "sub/.codeflow/x",
        "gitlink/config",
    ],
)
def test_what_belongs_to_git_and_codeflow_is_not_writable(ws: Workspace, path: str):
    (ws.root / ".git").mkdir()
    (ws.root / "gitlink").symlink_to(".git")
    with pytest.raises(Mistake, match="cannot be written"):
        ws.writable(path)


@pytest.mark.parametrize("path", ["", ".", "./", "a/.."])
def test_the_root_itself_is_not_a_file(ws: Workspace, path: str):
    with pytest.raises(Mistake, match="the workspace itself"):
        ws.writable(path)


@pytest.mark.parametrize("path", [".gitignore", ".github/workflows/ci.yml", "docs/codeflow/x"])
def test_names_that_only_look_alike_are_writable(ws: Workspace, path: str):
    assert ws.relative(ws.writable(path)) == path


def test_a_missing_root_is_a_usage_error(ws: Workspace, tmp_path: Path):
    with pytest.raises(UsageError, match="not a folder"):
        Workspace(tmp_path / "missing", ws.settings, {})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(parts=st.lists(st.sampled_from(["..", ".", "a", "/", "out", "in", "//", "~", "a b"]), max_size=8))
def test_no_path_ever_resolves_outside(make_workspace: Callable[..., Workspace], parts: list[str]):
    ws = make_workspace()
    for name, target in (("out", "/etc"), ("in", ".")):
        if not (ws.root / name).is_symlink():
            (ws.root / name).symlink_to(target)
    try:
        real = ws.resolve("/".join(parts))
    except Mistake:
        return
    assert real == real.resolve()
    assert real.is_relative_to(ws.root)


def test_writing_keeps_the_mode_and_leaves_nothing_beside_it(ws: Workspace):
    script = ws.root / "run.sh"
    script.write_text("old")
    script.chmod(0o750)
    ws.write(script, b"new")
    assert script.read_bytes() == b"new"
    assert stat.S_IMODE(script.stat().st_mode) == 0o750
    assert [entry.name for entry in ws.root.iterdir()] == ["run.sh"]


def test_a_failed_write_leaves_the_folder_as_it_was(ws: Workspace):
    (ws.root / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        ws.write(ws.root / "folder", b"x")
    assert [entry.name for entry in ws.root.iterdir()] == ["folder"]
