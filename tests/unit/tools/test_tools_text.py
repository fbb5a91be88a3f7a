import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.tools.text import Text, decode, numbered


@pytest.mark.parametrize(
    ("data", "content", "encoding"),
    [
        (b"caf\xc3\xa9", "café", "utf-8"),
        (codecs.BOM_UTF8 + b"x", "x", "utf-8"),
        ("\ufeffhé".encode("utf-16-le"), "hé", "utf-16-le"),
        ("\ufeffhé".encode("utf-16-be"), "hé", "utf-16-be"),
        ("\ufeffhé".encode("utf-32-le"), "hé", "utf-32-le"),
        (b"caf\xe9\r\n", "café\r\n", "latin-1"),
        (b"", "", "utf-8"),
    ],
)
def test_encodings_are_recognised(data: bytes, content: str, encoding: str):
    text = decode(data)
    assert text is not None
    assert (text.content, text.encoding) == (content, encoding)


@pytest.mark.parametrize("data", [b"\x7fELF\0\0", b"\xff\xfe\x00", b"\x89PNG\r\n\x1a\n\xff\xfe", b"a\0b"])
def test_binary_data_is_not_text(data: bytes):
    assert decode(data) is None


@given(st.binary(max_size=60))
def test_whatever_decodes_encodes_to_the_same_bytes(data: bytes):
    text = decode(data)
    assert text is None or text.encode() == data


def test_lines_are_split_at_line_endings_only():
    assert Text("a\x0cb\u2028c\r\nd\n").lines == ["a\x0cb\u2028c", "d"]
    assert Text("").lines == []
    assert Text("\n\n").lines == ["", ""]


def test_long_lines_are_cut_and_say_so():
    assert numbered(["x" * 12], 7, width=10) == f"    7\t{'x' * 10} [line cut: 10 of its 12 characters shown]"
