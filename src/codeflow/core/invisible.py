"""Characters that nobody sees, and that carry text, reorder it or steer a terminal all the same."""

import re
import unicodedata

HIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_FLAGS = re.compile(
    "\U0001f3f4(?:"
    + "|".join(
        "".join(chr(0xE0000 + ord(letter)) for letter in region) for region in ("gbeng", "gbsct", "gbwls")
    )
    + ")\U000e007f"
)
_VARIANTS = range(0xFE00, 0xFE0E)
_IDEOGRAPHIC_VARIANTS = range(0xE0100, 0xE01F0)
_FIRST_PICTOGRAM = 0xA9
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_JOINING = (range(0x0600, 0x0E00), range(0x0E00, 0x10A0), range(0x1780, 0x18B0), range(0x1B00, 0x1C80))
"""Arabic, the scripts of India, Tibet, Burma, Cambodia and Mongolia, where joiners change the spelling."""
_RIGHT_TO_LEFT = (range(0x0590, 0x0900), range(0xFB1D, 0xFE00), range(0xFE70, 0xFEFD))
_IDEOGRAPHS = (range(0x3400, 0xA000), range(0xF900, 0xFB00), range(0x20000, 0x34000))
_JOINERS = "\u200c\u200d"
_MARKS = "\u200e\u200f\u061c"


def spelled_out(text: str) -> str:
    r"""The text with such characters as `\u{202e}`; emoji, and the joiners and marks that a language needs, stay."""
    return _replaced(text, keep=True)


def stripped(text: str) -> str:
    """The text without them, for a terminal."""
    return _replaced(text, keep=False)


def _replaced(text: str, *, keep: bool) -> str:
    if not HIDDEN.search(text):
        return text
    flags = {at for match in _FLAGS.finditer(text) for at in range(*match.span())}

    def shown(match: re.Match[str]) -> str:
        if match.start() in flags or _belongs(text, match.start()):
            return match[0]
        return f"\\u{{{ord(match[0]):x}}}" if keep else ""

    return HIDDEN.sub(shown, text)


def _belongs(text: str, at: int) -> bool:
    """Whether a language or an emoji needs the character where it stands."""
    char = text[at]
    before = text[at - 1] if at else ""
    after = text[at + 1 : at + 2]
    if char in _JOINERS:
        if before == "\ufe0f" or (before and ord(before) in _SKIN_TONES):
            before = text[at - 2] if at > 1 else ""
        letters = _is_in(before, _JOINING) and (char == "\u200c" or _is_in(after, _JOINING))
        return letters or (char == "\u200d" and _is_pictogram(before) and _is_pictogram(after))
    if char in _MARKS:
        return _is_in(before, _RIGHT_TO_LEFT) or _is_in(after, _RIGHT_TO_LEFT)
    if char in "\ufe0e\ufe0f":
        return _is_pictogram(before) or after == "\u20e3"
    if ord(char) in _VARIANTS:
        return _is_in(before, _IDEOGRAPHS) or _is_pictogram(before)
    if ord(char) in _IDEOGRAPHIC_VARIANTS:
        return _is_in(before, _IDEOGRAPHS)
    return char in "\u180b\u180c\u180d\u180f" and _is_in(before, (range(0x1820, 0x18B0),))


def _is_in(char: str, ranges: tuple[range, ...]) -> bool:
    return bool(char) and any(ord(char) in one for one in ranges)


def _is_pictogram(char: str) -> bool:
    if not char or ord(char) < _FIRST_PICTOGRAM:
        return False
    return unicodedata.category(char) in {"So", "Sm", "Sk"} or char in "\u203c\u2049\u2139\u3030\u303d"
