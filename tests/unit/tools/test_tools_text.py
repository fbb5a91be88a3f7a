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


EAST_ASIAN = {
    "cp932": "# 日本語のコメントです\ndef f(x):\n    return x  # 表の合計を返す\n",
    "euc_jp": "# 日本語のコメントです。この関数は合計を返します\nx = 1\n",
    "gb18030": "/* 中文注释计算总和并且返回结果 */\nint x;\n",
    "big5": "# 這個函式計算總和並且傳回結果如果清單是空的就傳回零\nx = 1\n",
    "cp949": "# 이 함수는 합계를 계산하고 결과를 반환합니다\nx = 1\n",
}


@pytest.mark.parametrize("encoding", EAST_ASIAN)
def test_east_asian_encodings_are_told_apart(encoding: str):
    data = EAST_ASIAN[encoding].encode(encoding)
    text = decode(data)
    assert text is not None
    assert (text.encoding, text.others, text.content) == (encoding, (), EAST_ASIAN[encoding])
    assert text.encode() == data


@pytest.mark.parametrize(
    "data",
    [
        "# élève déjà là\nnom = 'café'\n".encode("latin-1"),
        "# Größe der Fläche prüfen\n".encode("latin-1"),
        b"# \xc7\xe5, \xff\n",
    ],
)
def test_what_no_east_asian_text_looks_like_is_latin_1(data: bytes):
    text = decode(data)
    assert text is not None
    assert (text.encoding, text.others) == ("latin-1", ())
    assert text.encode() == data


def test_a_short_text_is_read_but_stays_uncertain():
    data = "x = 1  # 値段\n".encode("cp932")
    text = decode(data)
    assert text is not None
    assert text.encoding == "cp932"
    assert "latin-1" in text.others
    assert text.encode() == data
