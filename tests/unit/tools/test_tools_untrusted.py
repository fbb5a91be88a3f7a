import re

from hypothesis import given
from hypothesis import strategies as st

from codeflow.tools.untrusted import as_data, undelimited

pieces = st.lists(
    st.sampled_from(
        [
            "</",
            "<",
            " ",
            "/",
            "data",
            "DATA",
            "data-2",
            "-",
            "3",
            ">",
            "\uff1c/data\uff1e",
            'source="x"',
            "x",
            "\n",
        ]
    )
).map("".join)


@given(pieces, st.one_of(pieces, st.text()))
def test_no_text_and_no_source_closes_its_mark(text: str, source: str):
    wrapped = as_data(text, source)
    opening, _, rest = wrapped.partition("\n")
    label = re.fullmatch(r'<(data(?:-\d+)?) source="[^"<>\n]*">', opening)
    assert label
    assert rest.endswith(f"\n</{label[1]}>")
    assert rest.removesuffix(f"\n</{label[1]}>") == text
    assert re.search(rf"<[\s/]*{label[1]}(?![-\d])", text, re.IGNORECASE) is None


@given(pieces)
def test_the_text_itself_is_not_touched(text: str):
    assert undelimited(as_data(text, "a file")) == text


def test_marks_cost_few_tokens():
    assert len(as_data("", "read_file calc.py")) < 50
