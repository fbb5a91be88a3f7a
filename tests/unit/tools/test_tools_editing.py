# ruff: noqa: ASYNC240 - a test has the event loop to itself

import codecs
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.values import ToolResult
from codeflow.tools.editing import edit_file, write_file
from codeflow.tools.edits.splices import Splice, substitute
from codeflow.tools.files import read_file
from codeflow.tools.text import decode
from codeflow.tools.workspace import Workspace


async def edit(ws: Workspace, old: str, new: str, **arguments: bool) -> ToolResult:
    return await edit_file.function(ws, "f", old, new, **arguments)


@pytest.fixture
def file(ws: Workspace) -> Path:
    return ws.root / "f"


async def test_one_exact_occurrence_is_replaced_and_shown(ws: Workspace, file: Path):
    file.write_text("a\nb\nc\nd\ne\nf\n")
    result = await edit(ws, "c\n", "C1\nC2\n")
    assert file.read_text() == "a\nb\nC1\nC2\nd\ne\nf\n"
    assert (
        result.content
        == "f edited.\n     1\ta\n     2\tb\n-    3\tc\n+    3\tC1\n+    4\tC2\n     5\td\n     6\te"
    )
    assert (result.display, result.changed) == ("+2 -1", ("f",))


async def test_several_occurrences_are_refused_with_their_lines(ws: Workspace, file: Path):
    file.write_text("x = 1\ny = 2\nx = 1\n")
    result = await edit(ws, "x = 1", "x = 3")
    assert result.is_error
    assert result.content.startswith("old_text occurs 2 times, at lines 1, 3.")
    assert "Or set replace_all" in result.content
    assert file.read_text() == "x = 1\ny = 2\nx = 1\n"


async def test_overlapping_occurrences_are_ambiguous_too(ws: Workspace, file: Path):
    file.write_text("aaaa")
    assert (await edit(ws, "aa", "b")).is_error
    await edit(ws, "aa", "b", replace_all=True)
    assert file.read_text() == "bb"


async def test_replace_all_replaces_all(ws: Workspace, file: Path):
    file.write_text("x\ny\nx\n")
    assert (await edit(ws, "x", "zz", replace_all=True)).display == "+2 -2"
    assert file.read_text() == "zz\ny\nzz\n"


async def test_blanks_at_line_ends_do_not_matter_and_stay_on_shared_lines(ws: Workspace, file: Path):
    file.write_text("def f():  \n    a = 1\t\n    return a   \n")
    await edit(ws, "def f():\n    a = 1\n    return a\n", "def f():\n    a = 2\n    return a\n")
    assert file.read_text() == "def f():  \n    a = 2\n    return a   \n"


async def test_an_indentation_that_differs_unevenly_is_refused(ws: Workspace, file: Path):
    file.write_text("if x:\n        deep()\n    wide()\n")
    before = file.read_bytes()
    result = await edit(ws, "if x:\n    deep()\n    wide()\n", "if x:\n    shallow()\n    wide()\n")
    assert "its indentation differs from old_text's unevenly" in result.content
    assert file.read_bytes() == before


async def test_a_miss_shows_the_nearest_lines(ws: Workspace, file: Path):
    file.write_text("".join(f"line {n}\n" for n in range(50)) + "def compute(total):\n    return total * 2\n")
    result = await edit(ws, "def compute(totals):\n    return totals * 2\n", "x")
    assert "   51\tdef compute(total):" in result.content
    assert "line 10" not in result.content
    assert (
        await edit(ws, "@@@@@@@@", "x")
    ).content == "old_text is not in the file, nor anything close to it. Read the file again."


async def test_an_edit_that_was_made_already_is_recognised(ws: Workspace, file: Path):
    file.write_text("a\nnew\n")
    assert "new_text is, at line 2" in (await edit(ws, "old", "new")).content


@pytest.mark.parametrize(("old", "new"), [("", "x"), ("a", "a")])
async def test_pointless_edits_are_refused(ws: Workspace, file: Path, old: str, new: str):
    file.write_text("a")
    assert (await edit(ws, old, new)).is_error


async def test_crlf_bom_and_encoding_are_kept(ws: Workspace, file: Path):
    file.write_bytes(codecs.BOM_UTF16_LE + "a\r\nb\r\nc".encode("utf-16-le"))
    assert not (await edit(ws, "a\nb\n", "a\nX\nY\n")).is_error
    assert file.read_bytes() == codecs.BOM_UTF16_LE + "a\r\nX\r\nY\r\nc".encode("utf-16-le")


async def test_mixed_line_endings_change_only_where_edited(ws: Workspace, file: Path):
    file.write_bytes(b"a\r\nb\nc\r\nd\n")
    await edit(ws, "c\n", "C\nCC\n")
    assert file.read_bytes() == b"a\r\nb\nC\r\nCC\r\nd\n"


async def test_a_character_that_the_encoding_lacks_is_refused(ws: Workspace, file: Path):
    file.write_bytes(b"caf\xe9")
    assert "cannot be written in the encoding of f, latin-1" in (await edit(ws, "caf", "\u2192")).content
    assert file.read_bytes() == b"caf\xe9"


async def test_every_one_of_places_that_differ_in_depth_is_not_advised_twice(ws: Workspace, file: Path):
    file.write_text("if a:\n    x = 1\n    y = 2\nif b:\n        x = 1\n        y = 2\n")
    content = (await edit(ws, "x = 1\ny = 2", "x = 3\ny = 4", replace_all=True)).content
    assert "occurs 2 times" in content
    assert "edit the places one by one" in content
    assert "set replace_all" not in content


async def test_a_letter_that_could_be_another_one_in_the_true_encoding_is_refused(ws: Workspace, file: Path):
    cyrillic = "# \u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440, \u0439\ny = 1\n".encode("cp1251")
    file.write_bytes(cyrillic)
    assert "not certain, so '\xe9' could" in (await edit(ws, "y = 1", "y = '\xe9'")).content
    assert file.read_bytes() == cyrillic
    await edit(ws, "y = 1", "y = 2")
    assert file.read_bytes() == cyrillic.replace(b"1", b"2")


@pytest.mark.parametrize(
    ("encoding", "comment", "added"),
    [
        ("iso-8859-15", "caf\xe9 \u20ac", "\u20ac"),
        ("shift_jis", "\u8868", "\u672c"),
        ("koi8-r", "ascii", "\u0439"),
    ],
)
async def test_a_declared_encoding_is_taken(
    ws: Workspace, file: Path, encoding: str, comment: str, added: str
):
    before = f"# -*- coding: {encoding} -*-\n# {comment}\ny = 1\n"
    file.write_bytes(before.encode(encoding))
    result = await edit(ws, "y = 1", f"y = '{added}'")
    assert not result.is_error, result.content
    assert file.read_bytes() == before.replace("1\n", f"'{added}'\n").encode(encoding)


async def test_a_declared_encoding_that_lacks_a_character_refuses_it(ws: Workspace, file: Path):
    file.write_bytes("# -*- coding: iso-8859-15 -*-\n# \u20ac\ny = 1\n".encode("iso-8859-15"))
    assert "encoding of f, iso-8859-15" in (await edit(ws, "y = 1", "y = '\xa4'")).content


@pytest.mark.parametrize(
    "marker",
    ["# ... rest of the code ...", "// ... existing code ...", "    … unchanged lines", "/* ... more ... */"],
)
async def test_text_that_stands_for_omitted_code_is_refused(ws: Workspace, file: Path, marker: str):
    file.write_text("a\nb\n")
    result = await edit(ws, "a\nb\n", f"a\n{marker}\n")
    assert "would delete what it stands for" in result.content
    assert file.read_text() == "a\nb\n"


async def test_such_text_may_stay_where_it_was(ws: Workspace, file: Path):
    file.write_text("# ... rest of it\na\n")
    assert not (await edit(ws, "# ... rest of it\na", "# ... rest of it\nb")).is_error


async def test_new_files_and_their_folders_are_created(ws: Workspace):
    result = await write_file.function(ws, "new/deep/f.py", "x\r\n")
    assert (ws.root / "new/deep/f.py").read_bytes() == b"x\r\n"
    assert (result.content, result.changed) == ("new/deep/f.py created.", ("new/deep/f.py",))


async def test_only_a_file_that_was_read_can_be_replaced(ws: Workspace, file: Path):
    file.write_bytes(codecs.BOM_UTF8 + b"a\r\nb\r\n")
    assert "you have not read it" in (await write_file.function(ws, "f", "x")).content
    await read_file.function(ws, "f")
    assert not (await write_file.function(ws, "f", "x\ny\n")).is_error
    assert file.read_bytes() == codecs.BOM_UTF8 + b"x\r\ny\r\n"
    assert not (await write_file.function(ws, "f", "z\n")).is_error


async def test_a_file_that_changed_since_it_was_read_is_kept(ws: Workspace, file: Path):
    file.write_text("a\n")
    await read_file.function(ws, "f")
    file.write_text("b\n")
    assert "has changed since you read it" in (await write_file.function(ws, "f", "x")).content
    assert file.read_text() == "b\n"


async def test_a_file_that_was_read_in_part_is_kept_until_the_rest_is_read(ws: Workspace, file: Path):
    file.write_text("1\n2\n3\n")
    await read_file.function(ws, "f", line_count=2)
    refused = await write_file.function(ws, "f", "x")
    assert "shown 2 of the 3 lines" in refused.content
    await read_file.function(ws, "f", start_line=3)
    assert not (await write_file.function(ws, "f", "x")).is_error


async def test_an_edit_of_a_half_known_file_does_not_count_as_reading_it(ws: Workspace, file: Path):
    file.write_text("1\n2\n3\n")
    await read_file.function(ws, "f", line_count=1)
    await edit(ws, "1\n", "one\n")
    assert (await write_file.function(ws, "f", "x")).is_error


async def test_an_edit_of_a_known_file_keeps_it_known(ws: Workspace, file: Path):
    file.write_text("1\n2\n")
    await read_file.function(ws, "f")
    await edit(ws, "1\n", "one\nand\n")
    assert not (await write_file.function(ws, "f", "x")).is_error


@pytest.mark.parametrize("path", ["../out", ".git/hooks/pre-commit", "folder", "f/below-a-file", "\ud800"])
async def test_impossible_targets_are_error_results(ws: Workspace, file: Path, path: str):
    file.touch()
    (ws.root / "folder").mkdir()
    assert (await write_file.function(ws, path, "x")).is_error


async def test_content_that_is_no_text_is_refused(ws: Workspace):
    assert (await write_file.function(ws, "f", "a\ud800")).is_error
    assert not (ws.root / "f").exists()


LINES = st.lists(st.sampled_from(["a", "a ", " b", "c\t", "", "é"]), min_size=1, max_size=8)


@given(lines=LINES, endings=st.lists(st.sampled_from(["\n", "\r\n"]), min_size=8, max_size=8), data=st.data())
def test_replacing_a_span_leaves_every_other_byte_alone(
    lines: list[str], endings: list[str], data: st.DataObject
):
    content = "".join(line + ending for line, ending in zip(lines, endings, strict=False))
    normal = content.replace("\r\n", "\n")
    start = data.draw(st.integers(0, len(normal)))
    end = data.draw(st.integers(start, len(normal)))
    edited = substitute(content, [Splice(start, end, "<>")], "\n")
    before, _, after = edited.partition("<>")
    assert content.startswith(before)
    assert content.endswith(after)
    assert edited.replace("\r\n", "\n") == normal[:start] + "<>" + normal[end:]


async def test_a_file_without_final_newline_keeps_having_none(ws: Workspace, file: Path):
    file.write_text("a\nb")
    await edit(ws, "a\nb\n", "a\nc\n")
    assert file.read_text() == "a\nc"


@pytest.mark.parametrize(
    ("content", "old", "new"),
    [
        ('SEP = "|"\nrows = []\n', 'SEP = "|"\\nrows = []', 'SEP = "|"\\nrows = ["a\\tb"]'),
        ("run:\n  a\n  b\n", "a\\n  b", "C:\\new\\n  b"),
        ('def f():\n    print("a")\n', 'def f():\\n    print("a")', 'def f():\\n    print("b\\n")'),
        ("run:\n  a\n  b\n", "a\\n  b", "C:\\new b"),
        ('p = "a"\nq = 1\n', 'p = \\"a\\"\\nq = 1', 'p = \\"b\\n\\"\\nq = 1'),
    ],
)
async def test_an_escape_that_may_belong_to_the_code_is_not_decoded(ws, content, old, new):
    (ws.root / "f.txt").write_text(content)
    answer = await edit_file.function(ws, "f.txt", old, new)
    assert answer.is_error
    assert (ws.root / "f.txt").read_text() == content


@given(before=st.lists(LINES, max_size=3), new=LINES)
def test_files_whose_lines_end_in_returns_keep_them(before: list[list[str]], new: list[str]):
    data = "".join(f"{line}\r" for lines in before for line in lines).encode()
    text = decode(data)
    assert text is not None
    assert text.encode() == data
    if data:
        edited = replace(text, content="".join(f"{line}\n" for line in new)).encode()
        assert edited == "".join(f"{line}\r" for line in new).encode()


async def test_an_edit_of_a_file_whose_lines_end_in_returns_adds_returns(ws: Workspace, file: Path):
    file.write_bytes(b"x = 1\ry = 2\rz = 3\r")
    shown = await read_file.function(ws, "f", 2, 1)
    assert "CR line endings" in shown.content
    assert "    2\ty = 2" in shown.content
    assert not (await edit(ws, "y = 2", "y = 3\nw = 1")).is_error
    assert file.read_bytes() == b"x = 1\ry = 3\rw = 1\rz = 3\r"


async def test_another_unicode_form_is_named(ws: Workspace, file: Path):
    file.write_text("e\u0301 = 1\n", encoding="utf-8")
    refused = await edit(ws, "\u00e9 = 1", "\u00e9 = 2")
    assert "Unicode form alone" in refused.content
    assert "NFD" in refused.content
    assert "U+0301" in refused.content
    assert not (await edit(ws, "e\u0301 = 1", "e\u0301 = 2")).is_error


async def test_a_folder_is_no_name_for_a_new_file(ws: Workspace):
    assert "names a folder" in (await write_file.function(ws, "dir/", "x")).content
    assert not (ws.root / "dir").exists()


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("~/x.txt", "Write a path relative to the workspace"),
        ("file:///some/x%20y.txt", "Write the path alone: /some/x y.txt"),
    ],
)
async def test_a_path_for_a_shell_or_a_browser_makes_no_folders(ws: Workspace, path: str, advice: str):
    assert advice in (await write_file.function(ws, path, "x")).content
    assert list(ws.root.iterdir()) == []


async def test_a_folder_that_is_called_like_home_can_be_meant(ws: Workspace):
    assert not (await write_file.function(ws, "./~/x.txt", "x")).is_error
    assert not (await edit_file.function(ws, "~/x.txt", "x", "y")).is_error


async def test_a_nul_would_make_the_file_binary(ws: Workspace, file: Path):
    file.write_text("x\n")
    assert "has a NUL character" in (await edit(ws, "x", "a\0b")).content
    assert "has a NUL character" in (await write_file.function(ws, "new", "a\0b")).content
    assert (file.read_text(), [path.name for path in ws.root.iterdir()]) == ("x\n", ["f"])


async def test_a_hard_link_that_an_edit_parts_is_said(ws: Workspace, file: Path):
    file.write_text("a\n")
    other = ws.root / "other"
    other.hardlink_to(file)
    result = await edit(ws, "a", "b")
    assert "[f was one of 2 hard links to a file; the others keep what it was]" in result.content
    assert (file.read_text(), other.read_text()) == ("b\n", "a\n")
    assert "hard links" not in (await edit(ws, "b", "c")).content


async def test_an_edit_keeps_an_east_asian_encoding(ws: Workspace):
    before = "# 日本語のコメントです\r\ndef f(x):\r\n    return x  # 表の合計を返す\r\n"
    (ws.root / "f").write_bytes(before.encode("cp932"))
    await edit(ws, "表の合計", "表の値段")
    assert (ws.root / "f").read_bytes() == before.replace("合計", "値段").encode("cp932")


async def test_a_text_of_uncertain_encoding_is_not_edited(ws: Workspace):
    data = "x = 1  # 値段\n".encode("cp932")
    (ws.root / "f").write_bytes(data)
    result = await edit(ws, "x = 1", "x = 2")
    assert "it is not certain whether it is cp932 or" in result.content
    assert "iconv" in result.content
    assert (ws.root / "f").read_bytes() == data
