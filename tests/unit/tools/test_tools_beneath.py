import contextlib
import itertools
import os
import stat
import threading
from pathlib import Path

import pytest

from codeflow.tools import beneath

MANY = 300


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "d").mkdir(parents=True)
    return folder


def test_a_folder_that_is_a_link_now_is_not_followed(root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.txt").write_text("theirs")
    (root / "link").symlink_to(tmp_path / "elsewhere")
    for act in (
        lambda: beneath.read(root, root / "link/a.txt", at_most=100),
        lambda: beneath.replace(root, root / "link/a.txt", b"mine"),
        lambda: beneath.remove(root, root / "link/a.txt"),
    ):
        with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
            act()
    assert (tmp_path / "elsewhere/a.txt").read_text() == "theirs"


def test_a_file_that_is_a_link_now_is_neither_read_nor_written_through(root, tmp_path):
    (tmp_path / "theirs.txt").write_text("theirs")
    (root / "d/a.txt").symlink_to(tmp_path / "theirs.txt")
    with pytest.raises(OSError, match="symbolic links"):
        beneath.read(root, root / "d/a.txt", at_most=100)
    beneath.replace(root, root / "d/a.txt", b"mine")
    assert (tmp_path / "theirs.txt").read_text() == "theirs"
    assert not (root / "d/a.txt").is_symlink()


def test_writing_lands_inside_while_another_swaps_the_folder_for_a_link(root, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    done = threading.Event()

    def swap() -> None:
        for number in itertools.count():
            if done.is_set():
                return
            with contextlib.suppress(OSError):  # each writing makes the folder again
                (root / "d").rename(root / f"kept-{number}")
            with contextlib.suppress(OSError):
                (root / "d").symlink_to(outside)
                (root / "d").unlink()

    swapping = threading.Thread(target=swap)
    swapping.start()
    written = refused = 0
    try:
        for _ in range(MANY):
            try:
                beneath.replace(root, root / "d/a.txt", b"mine")
                written += 1
            except OSError:  # the folder was a link, or just not there
                refused += 1
    finally:
        done.set()
        swapping.join()
    assert list(outside.iterdir()) == []
    assert written + refused == MANY


def test_replacing_keeps_the_mode_and_makes_folders(root):
    file = root / "new/deep/run.sh"
    beneath.replace(root, file, b"1", 0o755)
    beneath.replace(root, file, b"2")
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"2", 0o755)
    assert [path.name for path in file.parent.iterdir()] == ["run.sh"]


def test_a_new_file_has_the_users_usual_mode(root):
    mask = os.umask(0o027)
    try:
        beneath.replace(root, root / "a.txt", b"1")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((root / "a.txt").stat().st_mode) == 0o640


def test_what_is_no_file_or_too_large_has_no_content(root):
    os.mkfifo(root / "fifo")
    (root / "large").write_bytes(b"x" * 101)
    assert [beneath.read(root, root / name, at_most=100)[1] for name in ("fifo", "large")] == [b"", b""]


def test_removing_twice_is_removing(root):
    (root / "d/a.txt").write_text("x")
    beneath.remove(root, root / "d/a.txt")
    beneath.remove(root, root / "d/a.txt")
    beneath.remove(root, root / "gone/a.txt")
    assert list((root / "d").iterdir()) == []
