import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.text import printable, unescaped


@given(st.text().filter(lambda text: "\\" not in text))
def test_what_is_shown_means_what_it_was_made_of(text: str):
    assert unescaped(printable(text)) == text


@given(st.binary())
def test_a_name_of_any_bytes_is_shown_on_one_line_and_understood(name: bytes):
    text = name.decode("utf-8", "surrogateescape").replace("\\", "")
    assert printable(text).isprintable()
    assert unescaped(printable(text)) == text


@pytest.mark.parametrize("text", [r".e\x6ev", r".e\u006ev", r"a\U0001f642", r"a\xff", r"C:\Users\q", "\\"])
def test_an_escape_for_what_needs_none_is_text(text: str):
    assert unescaped(text) == text
