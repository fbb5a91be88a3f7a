import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.tools.lsp.positions import apply_edits, split_lines, utf16_length
from codeflow.tools.lsp.values import Position, TextEdit
from codeflow.tools.tool import Mistake

texts = st.text(st.sampled_from("ab é漢𝒳🙂\n\r"), max_size=40)


def position(text: str, offset: int) -> Position:
    lines = split_lines(text[:offset])
    return Position(len(lines) - 1, utf16_length(lines[-1]))


def inside_a_line_end(text: str, offset: int) -> bool:
    return text[max(0, offset - 1) : offset + 1] == "\r\n"


@given(texts, texts, st.data())
def test_an_edit_replaces_exactly_what_stands_between_its_positions(text: str, new: str, data: st.DataObject):
    offsets = st.integers(0, len(text)).filter(lambda offset: not inside_a_line_end(text, offset))
    start, end = sorted((data.draw(offsets), data.draw(offsets)))
    edit = TextEdit(position(text, start), position(text, end), new)
    assert apply_edits(text, [edit]) == text[:start] + new + text[end:]


@given(texts)
def test_no_edits_change_nothing(text: str):
    assert apply_edits(text, []) == text


@given(st.text().filter(lambda text: text.isprintable()))
def test_the_length_is_that_of_the_encoding(text: str):
    assert utf16_length(text) == len(text.encode("utf-16-le")) // 2


def test_several_edits_refer_to_the_text_before_any_of_them():
    edits = [
        TextEdit(Position(1, 0), Position(1, 1), "BB"),
        TextEdit(Position(0, 0), Position(0, 1), ""),
        TextEdit(Position(9, 0), Position(9, 0), "end"),
    ]
    assert apply_edits("a1\nb1\n", edits) == "1\nBB1\nend"


def test_insertions_at_one_place_keep_their_order():
    place = Position(0, 1)
    assert apply_edits("ab", [TextEdit(place, place, "1"), TextEdit(place, place, "2")]) == "a12b"


def test_overlapping_edits_are_refused():
    edits = [
        TextEdit(Position(0, 0), Position(0, 2), "x"),
        TextEdit(Position(0, 1), Position(0, 3), "y"),
    ]
    with pytest.raises(Mistake, match="overlap"):
        apply_edits("abc", edits)
