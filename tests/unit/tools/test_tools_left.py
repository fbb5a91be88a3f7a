"""What a command left is read as a file or not at all."""

import os
from pathlib import Path

import pytest

from codeflow.tools import left
from codeflow.tools.left import left_file, left_text


@pytest.fixture
def root(tmp_path: Path) -> Path:
    secret = tmp_path / "outside"
    secret.mkdir()
    (secret / "data.json").write_text("the user's")
    folder = tmp_path / "left"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/data.json").write_text("report")
    (folder / "link.json").symlink_to(secret / "data.json")
    (folder / "linked").symlink_to(secret)
    os.mkfifo(folder / "pipe.json")
    return folder


def test_a_file_below_is_read(root: Path):
    assert left_file(root, "sub/data.json") == b"report"


@pytest.mark.parametrize(
    "name", ["link.json", "linked/data.json", "pipe.json", "sub", "none", "none/data.json", "sub/data.json/x"]
)
def test_anything_else_is_nothing(root: Path, name: str):
    assert left_file(root, name) is None


def test_what_is_too_large_is_nothing(root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(left, "LARGEST_BYTES", 5)
    assert left_file(root, "sub/data.json") is None


def test_what_is_no_text_is_read_all_the_same(root: Path):
    (root / "bytes").write_bytes(b"a\xff")
    assert left_text(root, "bytes") == "a\ufffd"


def test_nothing_stays_open(root: Path):
    before = len(list(Path("/dev/fd").iterdir()))
    for name in ("sub/data.json", "link.json", "linked/data.json", "pipe.json"):
        left_file(root, name)
    assert len(list(Path("/dev/fd").iterdir())) == before
