import os
import shutil
import stat
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeflow.sessions.checkpoints import Checkpoints
from codeflow.sessions.history import Kind

NAMES = ["a", "b", "dir", "x.txt", "y.dat", "out", "new\nline", os.fsdecode(b"\xe9")]
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
contents = st.one_of(st.just(b"a\r\nb\n"), st.binary(max_size=40))
edit = st.one_of(
    st.tuples(st.just("write"), paths, contents),
    st.tuples(st.just("link"), paths, paths.map(os.fsencode)),
    st.tuples(st.just("mode"), paths, st.sampled_from([b"600", b"644", b"755", b"711"])),
    st.tuples(st.just("move"), paths, paths.map(os.fsencode)),
    st.tuples(st.just("folder"), paths, st.just(b"")),
    st.tuples(st.just("delete"), paths, st.just(b"")),
)
edits = st.lists(edit, max_size=10)
IGNORED = "*.dat\nout/\n"


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file, link and folder but `.git`, with its mode and content."""
    found = {}
    for folder, folders, names in os.walk(root):
        if ".git" in folders:
            folders.remove(".git")
        for name in [*names, *folders]:
            file = Path(folder) / name
            status = file.lstat()
            mode = stat.S_IFLNK if stat.S_ISLNK(status.st_mode) else status.st_mode
            content = b""
            if stat.S_ISLNK(mode):
                content = os.fsencode(file.readlink())
            elif stat.S_ISREG(mode):
                content = file.read_bytes()
            found[str(file.relative_to(root))] = (mode, content)
    return found


def apply(root: Path, change: tuple[str, str, bytes]) -> None:
    """Does what an agent's shell could do; what is impossible here and now is left out."""
    kind, path, value = change
    file = root / path
    if blocked(root, file):
        return
    if kind == "mode":
        if file.exists() and not file.is_symlink():
            file.chmod(int(value, 8))
        return
    if kind == "move":
        target = root / os.fsdecode(value)
        inside = target.is_relative_to(file) or file.is_relative_to(target)
        if os.path.lexists(file) and not inside and not blocked(root, target):
            remove(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.rename(target)
        return
    remove(file)
    if kind == "delete":
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    if kind == "link":
        file.symlink_to(os.fsdecode(value))
    elif kind == "folder":
        file.mkdir()
    else:
        file.write_bytes(value)


def blocked(root: Path, file: Path) -> bool:
    return any(parent.is_symlink() or parent.is_file() for parent in file.parents if parent != root)


def remove(file: Path) -> None:
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file)
    file.unlink(missing_ok=True)


@contextmanager
def workspace(before, *, repository: bool):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "work"
        root.mkdir()
        (root / ".gitattributes").write_text("*.txt text eol=crlf\n*.dat filter=missing\n")
        (root / ".gitignore").write_text(IGNORED)
        for change in before:
            apply(root, change)
        if repository:
            git(root, "init", "-q")
            git(
                root,
                "add",
                "--",
                ".gitattributes",
                ".gitignore",
                *(["dir"] if any((root / "dir").glob("*")) else []),
            )
        yield root, Checkpoints(root, "law", Path(folder) / "store")


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)


@pytest.mark.parametrize("repository", [True, False])
@settings(max_examples=15)
@given(before=edits, during=st.lists(edits, min_size=1, max_size=3), killed=st.booleans(), data=st.data())
@pytest.mark.slow
def test_undo_restores_the_whole_tree_of_any_step_whatever_a_run_did(
    repository, before, during, killed, data
):
    with workspace(before, repository=repository) as (root, checkpoints):
        saved = [(checkpoints.take("0"), tree(root))]
        for number, changes in enumerate(during, 1):
            for change in changes:
                apply(root, change)
            kind = Kind.END if number == len(during) and not killed else Kind.STEP
            saved.append((checkpoints.take(str(number), kind), tree(root)))
        for step, expected in [saved[0], *data.draw(st.permutations(saved))[:2]]:
            fresh = Checkpoints(root, "law", checkpoints._store.path.parent)
            assert fresh.undo(step).conflicts == ()
            assert tree(root) == expected
        fresh = Checkpoints(root, "law", checkpoints._store.path.parent)
        fresh.restore_to(saved[-1][0])
        assert tree(root) == saved[-1][1]


@pytest.mark.parametrize("repository", [True, False])
@settings(max_examples=15)
@given(before=edits, during=edits, users=edits)
@pytest.mark.slow
def test_what_the_user_did_since_survives_or_nothing_is_done(repository, before, during, users):
    with workspace(before, repository=repository) as (root, checkpoints):
        first = tree(root)
        checkpoints.take("start")
        for change in during:
            apply(root, change)
        run = tree(root)
        checkpoints.take("the end", Kind.END)
        for change in users:
            apply(root, change)
        now = tree(root)
        undone = checkpoints.undo()
        after = tree(root)
        if undone.conflicts:
            assert after == now
            return
        for path in now.keys() | run.keys():
            was_changed_by_user = now.get(path) != run.get(path)
            is_folder = path in now and stat.S_ISDIR(now[path][0])
            # what the user removed may be needed as a folder again, for a file that comes back in it
            is_folder |= path not in now and path in after and stat.S_ISDIR(after[path][0])
            if was_changed_by_user and not is_folder and now.get(path) != first.get(path):
                assert after.get(path) == now.get(path)
