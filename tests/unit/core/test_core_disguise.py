"""No disguise that a reader sees through hides a credential from the redactor."""

import base64
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.secret_lines import drawn, pem

from codeflow.core.disguise import in_base64, undisguised
from codeflow.core.redaction import Redactor

TOKEN = "ghp_" + drawn(36)
OWN = "correct-horse-7"
KNOWN = Redactor({"DEPLOY_TOKEN": OWN})
NOTHING = st.sampled_from(
    [
        "\u200b",
        "\u200d",
        "\ufeff",
        "\u00ad",
        "\u2060",
        "\u202e",
        "\U000e0041",
        "\x00",
        "\x1b",
        "\x1b[31m",
        "\r",
        "\ufe0f",
    ]
)
SECRET = st.sampled_from([TOKEN, OWN, "AKIA" + "Q2W3E4R5T6Y7U2I3"])


@st.composite
def sprinkled(draw: st.DrawFn) -> tuple[str, str]:
    """A secret, and the same with characters in it that nobody sees."""
    secret = draw(SECRET)
    at = draw(st.lists(st.integers(1, len(secret) - 1), min_size=1, max_size=5, unique=True))
    return secret, "".join(
        f"{draw(NOTHING)}{char}" if place in at else char for place, char in enumerate(secret)
    )


def as_escapes(text: str, slashes: str = "\\") -> str:
    return "".join(f"{slashes}u{ord(char):04x}" for char in text)


@given(sprinkled(), st.sampled_from(["", "a = '", "x\n", "\u200b"]), st.sampled_from(["", "'\n", "\u200b y"]))
def test_what_nobody_sees_hides_nothing_and_all_else_stays(pair: tuple[str, str], before: str, after: str):
    shown = KNOWN.redact(f"{before}{pair[1]}{after}")
    assert shown.startswith(before)
    assert shown.endswith(after)
    assert shown[len(before) : len(shown) - len(after)].startswith("[REDACTED:")
    assert shown.count("REDACTED") == 1


@given(
    SECRET,
    st.sampled_from(
        [
            "{0}\u0301", "\\x{1:02x}", "\\\\x{1:02X}", "%{1:02X}", "%{1:02x}", "&#{1};", "&#x{1:x};", "WIDE",
        ]
    ),
    st.data(),
)  # fmt: skip
def test_accents_wide_letters_and_the_escapes_of_other_languages_hide_nothing(
    secret: str, form: str, data: st.DataObject
):
    at = data.draw(st.sets(st.integers(0, len(secret) - 1), min_size=1))
    said = [
        (chr(ord(char) + 0xFEE0) if form == "WIDE" else form.format(char, ord(char))) if place in at else char
        for place, char in enumerate(secret)
    ]
    shown = KNOWN.redact(f"a {''.join(said)} b")
    assert shown.startswith("a [REDACTED:")
    assert shown.rstrip("\u0301 b").endswith("]")


@given(SECRET, st.integers(0, 10), st.sampled_from(["\\", "\\\\", "\\\\\\\\"]))
def test_escapes_of_json_hide_nothing(secret: str, kept: int, slashes: str):
    escaped = secret[:kept] + as_escapes(secret[kept:], slashes)
    assert KNOWN.redact(f'{{"key": "{escaped}"}}').count("[REDACTED:") == 1
    assert escaped[-6:] not in KNOWN.redact(escaped)


@pytest.mark.parametrize(
    "escape", [r"\u200b", r"\u{200b}", r"\\u200B", r"\u00ad", r"\u202e", r"\r", r"\\r", r"\u000d", r"\u0000"]
)
def test_what_nobody_sees_hides_nothing_when_it_is_spelled_out(escape: str):
    shown = KNOWN.redact(f"x {TOKEN[:9]}{escape}{TOKEN[9:]} y")
    assert shown == "x [REDACTED:github-token] y"


def test_an_escape_has_four_digits():
    assert KNOWN.redact(r"C:\user\u0061bc") == r"C:\user\u0061bc"
    token = "ghp_ab12" + drawn(32)
    assert "[REDACTED" in KNOWN.redact(token.replace("a", r"\u0061"))


def test_numbered_and_added_lines_of_base64_are_read_together():
    lines = textwrap.wrap(base64.b64encode(f"{'x' * 40} {TOKEN}".encode()).decode(), 76)
    for prefix in ("    {}\t", "+", "{}: "):
        text = "\n".join(prefix.format(number) + line for number, line in enumerate(lines, start=7))
        assert lines[1] not in KNOWN.redact(f"@@ x @@\n{text}")


def test_a_slash_escaped_in_json_hides_no_login():
    assert "7seven7" not in KNOWN.redact(r'"https:\/\/deploy:7seven7pass@db.internal.net\/x"')


@given(SECRET, st.text(max_size=20), st.text(max_size=20))
def test_one_level_of_base64_hides_nothing(secret: str, before: str, after: str):
    whole = f"{before}\n{secret}\n{after}".encode()
    for encoded in (
        base64.b64encode(whole),
        base64.urlsafe_b64encode(whole),
        base64.b64encode(whole).rstrip(b"="),
    ):
        assert KNOWN.redact(f"data: {encoded.decode()}").count("[REDACTED:") == 1


def test_a_key_in_base64_over_many_lines_goes_whole():
    encoded = base64.b64encode(f"{pem()}\n".encode()).decode()
    for wrapped in ("\n".join(textwrap.wrap(encoded, 76)), "\n    ".join(textwrap.wrap(encoded, 64))):
        text = f"tls.key: |\n    {wrapped}\nend: 1\n"
        assert KNOWN.redact(text) == "tls.key: |\n    [REDACTED:private-key]\nend: 1\n"
        assert len(KNOWN.redact_lines(text.split("\n"))) == text.count("\n") + 1


def test_a_command_for_powershell_is_read():
    encoded = base64.b64encode(f"curl -H {TOKEN}".encode("utf-16-le")).decode()
    assert (
        KNOWN.redact(f"powershell -EncodedCommand {encoded}")
        == "powershell -EncodedCommand [REDACTED:github-token]"
    )


@pytest.mark.parametrize(
    "text",
    [
        "a\u0300 \U0001f469\u200d\U0001f4bb \u0627\u200c\u0628",
        r'{"html": "\u003ca href=\u0022x\u0022\u003e"}',
        "sha256:" + "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "src/codeflow/orchestration/patterns/graph",
        base64.b64encode(bytes(range(256)) * 40).decode(),
        "one\rtwo\r\nthree\r\n",
    ],
)
def test_what_is_harmless_stays(text: str):
    assert KNOWN.redact(text) == text


@pytest.mark.parametrize(
    "piece",
    [
        "\u200b",
        "\\u0041",
        "\\\\",
        "\x1b[",
        "\r",
        "QUJD\n",
        "QUJDREVGQUJDREVGQUJDREVG\n",
        "AB-_",
        "A" * 25 + " ",
    ],
)
def test_hostile_megabytes_come_to_an_end(piece: str):
    KNOWN.redact(piece * (1_000_000 // len(piece)))  # the suite's time limit is the assertion


texts = st.lists(
    st.sampled_from(["a", "\u200b", "\r", "\n", "\\", "u0041", "/", "\x1b[1m", "\u202e"]), max_size=40
).map("".join)


@given(texts)
def test_each_character_knows_where_it_stood(text: str):
    meant = undisguised(text)
    if meant is None:
        return
    end = 0
    for place in range(len(meant.text)):
        start, stop = meant.original(place, place + 1)
        assert end <= start < stop <= len(text)
        assert text[start:stop] == meant.text[place] or text[start] == "\\"
        end = stop


@given(st.binary(min_size=18, max_size=300))
def test_base64_is_read_as_it_was_written(data: bytes):
    encoded = base64.b64encode(data).decode()
    found = list(in_base64(f"x {encoded}!"))
    assert [(start, end) for start, end, _ in found] == [(2, 2 + len(encoded))]
    assert found[0][2] == data.replace(b"\0", b"").decode("latin-1")
