"""What holds for every edit of files: all of them or none, and no byte besides those that were meant."""

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codeflow.tools.editing import multi_edit
from codeflow.tools.edits.changeset import Changeset
from codeflow.tools.edits.ladder import Edit
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

LINE = st.text(alphabet="ab =('\"\t\\né", max_size=8).map(lambda text: text.replace("\n", ""))
BLOCK = st.lists(LINE, min_size=1, max_size=5)
ENDING = st.sampled_from(["\n", "\r\n"])
ENCODING = st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])
COMMON = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def no_problems(path: str, content: str) -> list[str]:
    return []


@pytest.fixture
def small_files_only() -> Iterator[Callable[[int], None]]:
    """Lets writes beyond so many bytes fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@COMMON
@given(blocks=st.tuples(BLOCK, BLOCK, BLOCK), encoding=ENCODING, ending=ENDING, last=st.booleans())
def test_an_exact_edit_is_a_plain_replacement_and_a_refused_one_nothing(
    ws: Workspace, blocks, encoding: str, ending: str, last: bool
):
    file = ws.root / "f"
    above, new, below = blocks

    def content(lines: list[str]) -> bytes:
        return (ending.join([*above, *lines, *below, "end"]) + ending * last).encode(encoding)

    before = content(["MARK"])
    file.write_bytes(before)
    changes = Changeset(ws, no_problems)
    try:
        changes.edit("f", Edit("MARK\n", "".join(f"{line}\n" for line in new)))
    except Mistake:
        assert file.read_bytes() == before
        return
    changes.commit()
    assert file.read_bytes() == content(new)


@COMMON
@given(old=BLOCK, new=BLOCK)
async def test_several_edits_are_made_together_or_not_at_all(ws: Workspace, old, new):
    files = [ws.root / name for name in "ab"]
    for file in files:
        file.write_text("x = 1\na b\n")
    doubtful = {"path": "b", "old_text": "\n".join(old), "new_text": "\n".join(new)}
    result = await multi_edit.function(
        ws, [{"path": "a", "old_text": "x = 1", "new_text": "x = 2"}, doubtful]
    )
    changed = [file.read_text() != "x = 1\na b\n" for file in files]
    assert changed == ([False, False] if result.is_error else [True, True])


def two_drafts(ws: Workspace) -> Changeset:
    changes = Changeset(ws, no_problems)
    for name in ("a", "b"):
        (ws.root / name).write_text("x = 1\n")
        changes.edit(name, Edit("x = 1", "x = 2"))
    return changes


def test_a_disk_that_fills_leaves_every_file_as_it_was(ws: Workspace, small_files_only):
    changes = two_drafts(ws)
    changes.edit("b", Edit("x = 2", "x = 2" * 1000))
    small_files_only(1000)
    with pytest.raises(Mistake, match=r"b could not be written: .*File too large.* Nothing was changed"):
        changes.commit()
    assert sorted(path.name for path in ws.root.iterdir()) == ["a", "b"]
    assert {(ws.root / name).read_text() for name in "ab"} == {"x = 1\n"}


def test_a_file_that_became_a_link_meanwhile_is_not_followed(ws: Workspace, tmp_path: Path):
    changes = two_drafts(ws)
    outside = tmp_path / "outside"
    outside.write_text("x = 1\n")
    (ws.root / "b").unlink()
    (ws.root / "b").symlink_to(outside)
    with pytest.raises(Mistake, match="has changed since it was read"):
        changes.commit()
    assert (ws.root / "b").is_symlink()
    assert {path.read_text() for path in (outside, ws.root / "a")} == {"x = 1\n"}


def test_a_folder_that_became_a_link_meanwhile_is_not_followed(ws: Workspace, tmp_path: Path):
    folder, outside = ws.root / "folder", tmp_path / "outside"
    for place in (folder, outside):
        place.mkdir()
        (place / "b").write_text("x = 1\n")
    changes = two_drafts(ws)
    changes.edit("folder/b", Edit("x = 1", "x = 2"))
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(outside)
    with pytest.raises(Mistake, match="has changed since it was read"):
        changes.commit()
    assert {path.read_text() for path in (outside / "b", ws.root / "a", ws.root / "b")} == {"x = 1\n"}


def test_a_file_that_became_a_folder_meanwhile_is_left_alone(ws: Workspace):
    changes = two_drafts(ws)
    (ws.root / "b").unlink()
    (ws.root / "b").mkdir()
    with pytest.raises(Mistake, match="b could not be written"):
        changes.commit()
    assert (ws.root / "b").is_dir()
    assert (ws.root / "a").read_text() == "x = 1\n"


def test_what_another_process_wrote_meanwhile_is_kept(ws: Workspace):
    changes = two_drafts(ws)
    (ws.root / "b").write_text("y = 3\n")
    with pytest.raises(Mistake, match="has changed since it was read"):
        changes.commit()
    assert [(ws.root / name).read_text() for name in "ab"] == ["x = 1\n", "y = 3\n"]
