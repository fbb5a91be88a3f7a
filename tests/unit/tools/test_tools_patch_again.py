"""A patch whose lines stand in the file already does not bring them in twice; one may write a file anew."""

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.tools.test_tools_patch import patch, tree, write

from codeflow.tools.edits import parsing
from codeflow.tools.edits.patch import patched
from codeflow.tools.files import read_file
from codeflow.tools.tool import Mistake
from codeflow.tools.workspace import Workspace

TEST_A = "class T:\n    def test_a(self):\n        assert 1\n"
TEST_B = "\n    def test_b(self):\n        assert 2\n"
IN_A_DIFF = "".join(f"+{line}" for line in TEST_B.splitlines(keepends=True))
AT_THE_END = f"--- a/t.py\n+++ b/t.py\n@@ -1,3 +1,6 @@\n class T:\n     def test_a(self):\n         assert 1\n{IN_A_DIFF}"


@pytest.mark.parametrize(
    "text",
    [
        AT_THE_END,
        AT_THE_END.replace("@@ -1,3 +1,6 @@", "@@"),
        AT_THE_END.replace("\n", "\r\n"),
        f"*** Begin Patch\n*** Update File: t.py\n@@ class T:\n         assert 1\n{IN_A_DIFF}*** End of File\n*** End Patch\n",
        f"*** Begin Patch\n*** Update File: t.py\n {TEST_A.splitlines()[-1]}\n{IN_A_DIFF} \n*** End Patch\n",
    ],
    ids=["diff", "no numbers", "CRLF", "codex", "a blank line below"],
)
@pytest.mark.parametrize("below", ["", "\n    def test_c(self): ...\n"])
async def test_lines_added_at_the_end_of_a_hunk_are_not_added_again(ws: Workspace, text: str, below: str):
    write(ws, **{"t.py": TEST_A + TEST_B + below})
    result = await patch(ws, text)
    assert result.is_error
    assert tree(ws) == {"t.py": TEST_A + TEST_B + below}


async def test_the_same_patch_says_the_second_time_that_it_may_be_done(ws: Workspace):
    write(ws, **{"t.py": TEST_A})
    assert not (await patch(ws, AT_THE_END)).is_error
    assert tree(ws) == {"t.py": TEST_A + TEST_B}
    assert (
        "at line 1, and old_text is a part of it; is it done already?"
        in (await patch(ws, AT_THE_END)).content
    )


async def test_lines_that_end_the_file_are_not_added_to_its_end(ws: Workspace):
    write(ws, **{"t.py": TEST_A + TEST_B})
    result = await patch(
        ws, f"*** Begin Patch\n*** Update File: t.py\n{IN_A_DIFF}*** End of File\n*** End Patch\n"
    )
    assert "The file ends with the lines that it adds" in result.content


async def test_lines_with_their_own_endings_are_not_added_again(ws: Workspace):
    (ws.root / "a").write_bytes(b"x\r\ny\n")
    result = await patch(ws, "--- a/a\n+++ b/a\n@@ -1 +1,2 @@\n x\r\n+y\n")
    assert "is it done already?" in result.content
    assert (ws.root / "a").read_bytes() == b"x\r\ny\n"


async def test_a_file_is_written_anew_by_its_deletion_and_an_addition(ws: Workspace):
    write(ws, a="x\n")
    anew = "*** Begin Patch\n*** Delete File: a\n*** Add File: a\n+y\n*** End Patch\n"
    refused = await patch(ws, anew)
    assert refused.content == (
        "Nothing was changed: 1 of 2 files cannot be made.\na: Read the whole file before you delete it."
    )
    await read_file.function(ws, "a")
    assert not (await patch(ws, anew)).is_error
    assert tree(ws) == {"a": "y\n"}


LINES = st.lists(st.sampled_from(["a = 1\n", "b = 2\n", "    c = 3\n", "\n"]), min_size=1, max_size=6)


@given(above=LINES, kept=LINES, below=st.one_of(st.just([]), LINES))
def test_a_diff_that_only_adds_is_made_once_alone(above: list[str], kept: list[str], below: list[str]):
    after = [*above, *kept, *below]
    (file,) = parsing.parse("".join(difflib.unified_diff(kept, after, "a/f", "b/f", n=20)))
    with pytest.raises(Mistake):
        patched("".join(after), file, "\n", lambda *_: [])
