import difflib
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from codeflow.core.values import ToolResult
from codeflow.tools.editing import apply_patch, multi_edit
from codeflow.tools.edits import parsing
from codeflow.tools.edits.patch import patched
from codeflow.tools.files import read_file
from codeflow.tools.text import decode
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

Tree = dict[str, str]


def write(ws: Workspace, **files: str) -> None:
    for name, content in files.items():
        (ws.root / name).write_text(content)


def tree(ws: Workspace) -> Tree:
    files = (path for path in ws.root.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(ws.root).as_posix(): path.read_text() for path in files}


async def patch(ws: Workspace, text: str) -> ToolResult:
    return await apply_patch.function(ws, text)


async def test_several_files_are_edited_each_edit_seeing_the_earlier_ones(ws: Workspace):
    write(ws, a="one\n", b="x\n")
    edits = [("a", "one", "two"), ("b", "x", "y"), ("a", "two\n", "two\nthree\n")]
    result = await multi_edit.function(
        ws, [{"path": path, "old_text": old, "new_text": new} for path, old, new in edits]
    )
    assert tree(ws) == {"a": "two\nthree\n", "b": "y\n"}
    assert (result.changed, result.display) == (("a", "b"), "+3 -2")


async def test_one_refusal_keeps_all_files_and_every_problem_is_told(ws: Workspace):
    write(ws, a="one\n", b="x\nx\n")
    edits = [("a", "one", "two"), ("b", "x", "y"), ("missing", "1", "2")]
    result = await multi_edit.function(
        ws, [{"path": path, "old_text": old, "new_text": new} for path, old, new in edits]
    )
    assert result.is_error
    assert "Nothing was changed: 2 of 3 edits" in result.content
    assert "Edit 2 (b): old_text occurs 2 times" in result.content
    assert "Edit 3 (missing): missing does not exist" in result.content
    assert tree(ws) == {"a": "one\n", "b": "x\nx\n"}


async def test_a_file_that_cannot_be_written_takes_the_others_back(ws: Workspace):
    write(ws, a="one\n", gone="bye\n")
    (ws.root / "file").write_text("")
    text = (
        "*** Begin Patch\n*** Update File: a\n-one\n+two\n*** Add File: new/deep/f\n+x\n"
        "*** Delete File: gone\n*** Add File: file/below\n+x\n*** End Patch\n"
    )
    await read_file.function(ws, "gone")
    (ws.root / "gone").chmod(0o640)
    result = await patch(ws, text)
    assert result.is_error
    assert tree(ws) == {"a": "one\n", "gone": "bye\n", "file": ""}
    assert not (ws.root / "new").exists()
    assert (ws.root / "gone").stat().st_mode & 0o777 == 0o640


async def test_new_syntax_errors_are_told_and_old_ones_not(ws: Workspace):
    write(ws, **{"a.py": "x = 1\n", "b.json": '{"a": 1'})
    result = await multi_edit.function(
        ws,
        [
            {"path": "a.py", "old_text": "x = 1", "new_text": "x = ("},
            {"path": "b.json", "old_text": "1", "new_text": "2"},
        ],
    )
    assert "New syntax errors; correct them:\na.py: line 1: '(' was never closed" in result.content
    assert "b.json: " not in result.content


async def test_a_directive_patch_updates_adds_moves_and_deletes(ws: Workspace):
    write(ws, a="def f():\n    x = 1\n\ndef g():\n    x = 1\n", old="bye\n", moved="m\nn\n")
    (ws.root / "moved").chmod(0o755)
    await read_file.function(ws, "old")
    text = """*** Begin Patch
*** Update File: a
@@ def g():
-    x = 1
+    x = 2
*** Add File: new/file
+one
+
+two
*** Update File: moved
*** Move to: there
@@
 m
-n
+o
*** Delete File: old
*** End Patch
"""
    result = await patch(ws, text)
    assert not result.is_error, result.content
    assert tree(ws) == {
        "a": "def f():\n    x = 1\n\ndef g():\n    x = 2\n",
        "new/file": "one\n\ntwo\n",
        "there": "m\no\n",
    }
    assert (ws.root / "there").stat().st_mode & 0o777 == 0o755
    assert result.changed == ("a", "new/file", "moved", "there", "old")


async def test_a_git_diff_applies_as_git_made_it(ws: Workspace, git: Callable[..., str]):
    write(ws, a="1\n2\n3", b="same\n", c="renamed\nfile\nof\nlines\n", d="gone\n", e="script\n")
    git("add", ".")
    git("commit", "-qm", "before")
    before = tree(ws)
    write(ws, a="1\ntwo\n3\n", n="new\n", z="")
    (ws.root / "c").rename(ws.root / "cc")
    (ws.root / "d").unlink()
    (ws.root / "e").chmod(0o755)
    git("add", "-A")
    diff = git("diff", "--cached", "-M")
    after = tree(ws)
    git("reset", "-q", "--hard")
    assert tree(ws) == before
    result = await patch(ws, diff)
    assert not result.is_error, result.content
    assert tree(ws) == after
    assert (ws.root / "e").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("nothing", "names no file"),
        ("--- a/a\n+++ b/a\n@@ -1 +1 @@\n-other\n+x\n", "a: hunk 1"),
        ("--- a/a\n+++ b/a\n@@\n+x\n", "only adds lines"),
        ("--- a/a\n+++ b/a\n@@ -1 +1 @@\nx\n", "cannot be read"),
        (
            "*** Update File: a\n@@ class X:\n-k\n+x\n*** End Patch\n",
            "'class X:' after @@ is not in the file",
        ),
        ("*** Update File: a\n@@ def g():\n-k\n+x\n*** End Patch\n", "not where the line after @@ says"),
        ("*** Update File: a\n-twice\n+x\n*** End Patch\n", "occurs 2 times"),
        ("*** Add File: a\n+x\n*** End Patch\n", "exists already"),
        ("*** Delete File: a\n*** End Patch\n", "Read the whole file before"),
        ("*** Delete File: none\n*** End Patch\n", "does not exist"),
        ("*** Add File: ../out\n+x\n*** End Patch\n", "outside the workspace"),
        ("*** Add File: .git/hooks/x\n+x\n*** End Patch\n", "cannot be written"),
        ("diff --git a/a b/a\nBinary files a/a and b/a differ\n", "Binary files"),
        ("--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-k\n", "does not remove all of its lines"),
        (
            "--- a/a\n+++ b/a\n@@ -1,4 +1,5 @@\n-k\n+l\n+m\n",
            "announces 4 old and 5 new lines after @@ but has 1 and 2",
        ),
        ("--- a/a\n+++ b/a\n@@ -1 +1 @@\n-k\n+l\n+m\n", "announces 1 old and 1 new lines"),
        ("--- a/a\n+++ b/a\n", "says nothing of what changes in a"),
        ("diff --git a/a b/c\nsimilarity index 100%\n", "names two files"),
        ("*** Begin Patch\n*** Update File: a\n-k\n+l\n", "does not end in `*** End Patch`"),
        (
            "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+a\n",
            "l is a symbolic link",
        ),
        (
            "diff --git a/a b/a\nindex 1..2 120000\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-k\n+l\n",
            "a is a symbolic link",
        ),
        ("diff --git a/m b/m\ndeleted file mode 160000\n", "m is a submodule"),
    ],
)
async def test_a_patch_that_does_not_certainly_fit_changes_nothing(ws: Workspace, text: str, cause: str):
    write(ws, a="k\ntwice\ntwice\ndef g():\n    pass\n")
    result = await patch(ws, text)
    assert result.is_error
    assert cause in result.content
    assert "replace_all" not in result.content
    assert tree(ws) == {"a": "k\ntwice\ntwice\ndef g():\n    pass\n"}


async def test_line_numbers_choose_among_equal_places(ws: Workspace):
    write(ws, a="x\ny\nx\ny\n")
    await patch(ws, "--- a/a\n+++ b/a\n@@ -3,2 +3,2 @@\n x\n-y\n+z\n")
    assert tree(ws) == {"a": "x\ny\nx\nz\n"}


async def test_blanks_at_line_ends_come_and_go_as_the_patch_says(ws: Workspace):
    write(ws, a="x  \ny\nz\n")
    await patch(ws, "--- a/a\n+++ b/a\n@@ -1,3 +1,3 @@\n-x  \n-y\n-z\n+x\n+y  \n+k\n")
    assert tree(ws) == {"a": "x\ny  \nk\n"}


LINES = st.lists(st.sampled_from(["a", "b", " c", "", "-d", "+e", "-- f", "++ g", "@@"]), max_size=12)


@given(before=LINES, after=LINES, open_end=st.booleans())
def test_a_unified_diff_makes_what_it_was_made_from_or_is_refused(
    before: list[str], after: list[str], open_end: bool
):
    old, new = ("".join(f"{line}\n" for line in lines) for lines in (before, after))
    diff = "".join(difflib.unified_diff(old.splitlines(True), new.splitlines(True), "a/f", "b/f", n=3))
    if not diff or not old:
        return
    content = old.removesuffix("\n") if open_end and old.strip() else old
    try:
        (file,) = parsing.parse(diff)
        result = patched(content, file, "\n", lambda before, after: [])
    except Mistake:
        return
    assert result in (new, new.removesuffix("\n"))


def test_a_copy_is_refused_since_it_is_no_rename():
    patch = "diff --git a/f.py b/g.py\nsimilarity index 100%\ncopy from f.py\ncopy to g.py\n"
    with pytest.raises(Mistake, match="cannot copy a file"):
        parsing.parse(patch)


def test_two_names_without_a_rename_are_refused_since_one_file_would_go():
    with pytest.raises(Mistake, match=r"turns old\.py into new\.py"):
        parsing.parse("--- old.py\n+++ new.py\n@@ -1 +1 @@\n-a\n+b\n")
    header = "diff --git a/old.py b/new.py\nsimilarity index 90%\nrename from old.py\nrename to new.py\n"
    (moved,) = parsing.parse(f"{header}--- a/old.py\n+++ b/new.py\n@@ -1 +1 @@\n-a\n+b\n")
    assert (moved.source, moved.target) == ("old.py", "new.py")


SIX = "1\n2\n3\n4\n5\n6\n"


@st.composite
def contents(draw: st.DrawFn) -> str:
    """Lines that look like parts of a patch, with endings of both kinds and perhaps none at the end."""
    line = st.sampled_from(
        ["a", "b", " c", "", "-d", "+e", "-- f", "++ g", "--- h", "+++ i", "@@ -1 +1 @@", "--"]
    )
    ending = st.sampled_from(draw(st.sampled_from([["\n"], ["\r\n"], ["\n", "\r\n"]])))
    text = "".join(draw(st.lists(st.builds(str.__add__, line, ending), max_size=8)))
    return text.removesuffix(draw(st.sampled_from(["", "\n", "\r\n"])))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=contents(), after=contents())
def test_what_git_prints_is_applied_to_the_byte_or_refused(before: str, after: str, tmp_path: Path):
    lone = re.compile(r"\r(?!\n)")
    assume(before and after and before != after and not any(map(lone.search, (before, after))))
    for side, text in (("a", before), ("b", after)):
        (tmp_path / side).write_bytes(text.encode())
    command = [shutil.which("git") or "git", "diff", "--no-index", "--text", "a", "b"]
    diff = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).stdout.decode()
    named = diff.replace("diff --git a/a b/b", "diff --git a/f b/f").replace(
        "\n--- a/a\n+++ b/b\n", "\n--- a/f\n+++ b/f\n", 1
    )
    (file,) = parsing.parse(named)
    decoded = decode(before.encode())
    assert decoded is not None
    try:
        result = patched(decoded.content, file, decoded.newline, lambda before, after: [])
    except Mistake:
        return
    assert replace(decoded, content=result).encode() == after.encode()


def test_lines_that_the_header_counts_are_content_whatever_they_look_like():
    diff = "--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1,2 @@\n--- old\n+++ new\n select 1;\n"
    (file,) = parsing.parse(diff)
    assert (file.hunks[0].old, file.hunks[0].new) == (["-- old", "select 1;"], ["++ new", "select 1;"])


def test_a_mail_that_git_has_formatted_ends_at_its_signature():
    diff = "From 1\nSubject: x\n\ndiff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-k\n+l\n-- \n2.39.5\n"
    (file,) = parsing.parse(diff)
    assert (file.hunks[0].old, file.hunks[0].new) == (["k"], ["l"])


@given(lines=LINES, cut=st.integers(1, 40))
def test_a_diff_that_lacks_lines_is_refused(lines: list[str], cut: int):
    new = [f"{line}\n" for line in ["first", *lines, "last"]]
    diff = [*difflib.unified_diff(["first\n"], new, "a/f", "b/f")]
    kept = diff[: -min(cut, len(diff) - 3)]
    with pytest.raises(Mistake, match="cut off"):
        parsing.parse("".join(kept))


async def test_names_that_git_quotes_are_read(ws: Workspace, git: Callable[..., str]):
    names = ["ä b.txt", 'quo"te', "tab\there", "p b/p"]
    (ws.root / "p b").mkdir()
    write(ws, **dict.fromkeys(names, SIX))
    git("add", ".")
    git("commit", "-qm", "before")
    write(ws, **dict.fromkeys(names, SIX.replace("2", "two")))
    (ws.root / "ä b.txt").rename(ws.root / "ö c.txt")
    (ws.root / 'quo"te').chmod(0o755)
    (ws.root / "p b/p").chmod(0o755)
    git("add", "-A")
    diff, after = git("diff", "--cached", "-M"), tree(ws)
    git("reset", "-q", "--hard")
    result = await patch(ws, diff)
    assert not result.is_error, result.content
    assert tree(ws) == after
    assert (ws.root / 'quo"te').stat().st_mode & 0o777 == 0o755
    assert (ws.root / "p b/p").stat().st_mode & 0o777 == 0o755


async def test_a_change_of_line_endings_is_one_wherever_they_are_mixed(ws: Workspace):
    file = ws.root / "f"
    file.write_bytes(b"a\nb\r\nc\n")
    result = await patch(ws, "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\r\n+b\n c\n")
    assert result.content == "f patched.\n(only line endings changed)"
    assert file.read_bytes() == b"a\nb\nc\n"
    again = await patch(ws, "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\r\n+b\n c\n")
    assert "Some of its lines end in CRLF" in again.content
    assert file.read_bytes() == b"a\nb\nc\n"


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
async def test_line_endings_of_a_patch_do_not_matter_when_they_are_all_alike(ws: Workspace, ending: str):
    file = ws.root / "f"
    file.write_bytes(b"a\r\nb\r\nc\n")
    text = "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n".replace("\n", ending)
    assert not (await patch(ws, text)).is_error
    assert file.read_bytes() == b"a\r\nx\r\nc\n"


async def test_a_link_is_not_deleted_in_place_of_what_it_leads_to(ws: Workspace):
    write(ws, a="k\n")
    (ws.root / "l").symlink_to("a")
    await read_file.function(ws, "l")
    result = await patch(ws, "*** Begin Patch\n*** Delete File: l\n*** End Patch\n")
    assert "l is a symbolic link" in result.content
    assert tree(ws) == {"a": "k\n", "l": "k\n"}


async def test_no_edits_are_no_success(ws: Workspace):
    assert (await multi_edit.function(ws, [])).is_error


async def test_kept_dots_in_a_hunk_stand_for_what_is_there_within_its_anchor(ws: Workspace):
    before = (
        "class A:\n    def f(self):\n        one()\n        two()\n        three()\n\n\nclass B:\n    x = 1\n"
    )
    (ws.root / "f.py").write_text(before)
    hunk = "     def f(self):\n ...\n         two()\n-        three()\n+        four()\n"
    for anchor, after in (("class B:", before), ("class A:", before.replace("three", "four"))):
        patch = f"*** Begin Patch\n*** Update File: f.py\n@@ {anchor}\n{hunk}*** End Patch\n"
        result = await apply_patch.function(ws, patch)
        assert result.is_error is (after == before), result.content
        assert (ws.root / "f.py").read_text() == after
