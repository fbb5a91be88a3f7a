from pathlib import Path

import pytest

from codeflow.sessions.checkpoints import Checkpoints


def write(root: Path, files: dict[str, str]) -> None:
    for path, content in files.items():
        (root / path).write_text(content)


@pytest.fixture
def checkpoints(repo: Path) -> Checkpoints:
    return Checkpoints(repo, "s1")


def test_the_diff_names_added_modified_deleted_renamed_and_binary_files(repo, checkpoints):
    text = "".join(f"line {number}\n" for number in range(20))
    write(repo, {"old.py": text, "gone": "x\n", "edit": "a\nb\n", "image": "\0\1"})
    first = checkpoints.take("start")
    (repo / "old.py").rename(repo / "new.py")
    (repo / "gone").unlink()
    write(repo, {"edit": "a\nc\nd\n", "added": "1\n", "image": "\0\2"})
    changes, patch = checkpoints.diff(first, checkpoints.take("end"))
    assert [(c.path, c.change, c.added_lines, c.removed_lines) for c in changes] == [
        ("added", "added", 1, 0),
        ("edit", "modified", 2, 1),
        ("gone", "deleted", 0, 1),
        ("image", "modified", 0, 0),
        ("new.py", "renamed", 0, 0),
    ]
    assert "rename from old.py\nrename to new.py" in patch
    assert "+c\n+d\n" in patch
    assert "Binary files a/image and b/image differ" in patch


def test_nothing_changed_is_an_empty_diff(repo, checkpoints):
    write(repo, {"a": "1"})
    assert checkpoints.diff(checkpoints.take("start"), checkpoints.take("end")) == ((), "")
