import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from codeflow.sessions.checkpoints import Checkpoints
from codeflow.sessions.history import Kind

NAMES = ["a", "b", "dir", "x.txt", "y.dat"]
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
contents = st.one_of(st.just(b"a\r\nb\n"), st.binary(max_size=40))
edits = st.lists(
    st.one_of(
        st.tuples(st.just("write"), paths, contents),
        st.tuples(st.just("link"), paths, paths.map(str.encode)),
        st.tuples(st.just("mode"), paths, st.sampled_from([b"600", b"644", b"755"])),
        st.tuples(st.just("delete"), paths, st.just(b"")),
    ),
    max_size=12,
)


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    found = {}
    for folder, folders, names in os.walk(root):
        if ".git" in folders:
            folders.remove(".git")
        for name in [*names, *(name for name in folders if (Path(folder) / name).is_symlink())]:
            file = Path(folder) / name
            link = file.is_symlink()
            content = os.fsencode(file.readlink()) if link else file.read_bytes()
            found[str(file.relative_to(root))] = (stat.S_IFLNK if link else file.stat().st_mode, content)
    return found


def apply(root: Path, edit: tuple[str, str, bytes]) -> None:
    """Does what an agent's shell could do; what is impossible here and now is left out."""
    kind, path, value = edit
    file = root / path
    if any(parent.is_symlink() or parent.is_file() for parent in file.parents if parent != root):
        return
    if kind == "mode":
        if file.is_file() and not file.is_symlink():
            file.chmod(int(value, 8))
        return
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file)
    file.unlink(missing_ok=True)
    if kind == "delete":
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    if kind == "link":
        file.symlink_to(os.fsdecode(value))
    else:
        file.write_bytes(value)


@settings(max_examples=25, deadline=None)
@given(before=edits, during=edits, killed=st.booleans())
def test_undo_restores_the_whole_tree_whatever_a_run_did(before, during, killed):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        subprocess.run(["git", "init", "-q", root], check=True)
        (root / ".gitattributes").write_text("*.txt text eol=crlf\n*.dat filter=missing\n")
        for edit in before:
            apply(root, edit)
        subprocess.run(
            ["git", "-c", "core.autocrlf=false", "add", "--", ".gitattributes"], cwd=root, check=True
        )
        checkpoints = Checkpoints(root, "law")
        expected = tree(root)
        checkpoints.take("start")
        for edit in during:
            apply(root, edit)
        if not killed:
            checkpoints.take("the end", Kind.END)
        assert checkpoints.undo().conflicts == ()
        assert tree(root) == expected
