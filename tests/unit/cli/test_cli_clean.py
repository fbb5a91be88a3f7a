import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.cli.render.clean import clean, first_lines, one_line, visible


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;new title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jgone?", "gone?"),
        ("\x1bcreset", "reset"),
        ("over\rwritten\b\b", "overwritten"),
        ("user\u202egnp.exe", "usergnp.exe"),
        ("an open title \x1b]0;\nstays on its line", "an open title \nstays on its line"),
        ("tabs\tand\nlines\r\nstay", "tabs\tand\nlines\nstay"),
    ],
)
def test_what_would_act_on_the_terminal_is_removed(hostile, shown):
    assert clean(hostile) == shown


@given(st.text())
def test_clean_text_never_holds_a_control_character(text):
    assert not [c for c in clean(text) if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160]


@given(st.text())
def test_one_line_is_one_bounded_line(text):
    line = one_line(text, 40)
    assert len(line) <= 40
    assert len(line.splitlines()) <= 1


def test_nothing_of_a_command_can_hide_from_the_person_who_is_asked():
    assert visible("ls \x1b]0; rm -rf ~ \x07") == r"ls \x1b]0; rm -rf ~ \x07"
    assert visible("true\r rm x\n\u202e") == "true\\r rm x\n\\u202e"


def test_first_lines_say_when_more_were_left_out():
    assert first_lines("a\n\nb\nc\n", 2) == "a\nb\n…"
    assert first_lines("a\n\nb\n", 2) == "a\nb"
