import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.core.invisible import spelled_out, stripped


@pytest.mark.parametrize(
    "text",
    [
        *("café naïve Straße", "日本語のコメント", "👨‍👩‍👧 ❤️‍🔥 👍🏽 1️⃣ ©️ ▶️ \u2139\ufe0f", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "نمی‌خواهم مرحبا", "\u05e9\u05dc\u05d5\u05dd\u200f (1)"),
        *("क्‍ष हिन्दी", "tab\there\r\n", "葛\U000e0100", "👩🏽‍🚀"),
    ],
)  # fmt: skip
def test_languages_and_emoji_stay_as_they_are(text: str):
    assert spelled_out(text) == text
    assert stripped(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb\u2066c", r"a\u{202e}b\u{2066}c"),
        ("x\u200by\ufeff", r"x\u{200b}y\u{feff}"),
        ("".join(chr(0xE0000 + ord(char)) for char in "hi"), r"\u{e0068}\u{e0069}"),
        ("a\ufe01b\U000e0121", r"a\u{fe01}b\u{e0121}"),
        ("😀\ufe0f\ufe00\ufe01", "😀\ufe0f" + r"\u{fe00}\u{fe01}"),
        ("latin\u200djoin\u200cer", r"latin\u{200d}join\u{200c}er"),
        ("\x1b[2Jgone\x9b1m\x07", r"\u{1b}[2Jgone\u{9b}1m\u{7}"),
        ("soft\u00adhyphen \u3164", r"soft\u{ad}hyphen \u{3164}"),
    ],
)
def test_what_hides_is_spelled_out(text: str, shown: str):
    assert spelled_out(text) == shown
    assert not set(stripped(text)) & set("\u202e\u200b\x1b\ufeff")


@given(st.text())
def test_nothing_else_changes(text: str):
    shown = spelled_out(text)
    assert spelled_out(shown) == shown
    if text.isprintable():
        assert shown == text or any(not char.isalnum() for char in text)
    assert stripped(stripped(text)) == stripped(text)
