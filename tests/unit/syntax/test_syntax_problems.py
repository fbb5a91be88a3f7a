import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from codeflow.syntax.problems import MOST_PROBLEMS, problems, unread_lines

CORRECT = {
    "a.py": "def f[T](x: T) -> T:\n    return f'{x!r:{'>'}3}'\n",  # later than Python 3.11
    "old.py": "print 'python 2'\n",
    "a.js": "export const f = async ({a, ...b}) => a?.b ?? 1\n",
    "a.ts": "abstract class A<T extends U> { private x?: T }\n",
    "a.go": "package m\n\nfunc f[T any](x T) (T, error) { return x, nil }\n",
    "a.json": '{"a": [1, null]}',
    "a.toml": "[a]\nb = 1\n",
    "a.yml": "a: &x [1]\nb: !tag {c: *x}\n---\nsecond: 1\n",
    "a.txt": "((((",
    "script": "#!/bin/sh\nfoo() { bar; }\n",
}


@pytest.mark.parametrize("path", CORRECT)
def test_correct_text_has_no_problems(path):
    assert problems(path, CORRECT[path]) == []


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("a.py", "def f():\n    x = (1,\n", 2),
        ("a.py", "def f():\nreturn 1\n", 2),
        ("a.py", "if a:\n    b\n  c\n", 3),
        ("a.py", "x = 1\n\0", 1),
        ("a.js", "let a = 1;\nlet x = ;\n", 2),
        ("a.go", "package m\n\nfunc f() {\n\tx := [\n}\n", 4),
        ("a.java", "class A {\n  void f() { g( }\n}\n", 2),
        ("a.json", '{"a": 1,\n"b"}', 2),
        ("a.json", '{"a": 1,}', 1),
        ("a.toml", "a = 1\nb = \n", 2),
        ("a.toml", "a = [\n1,\n", 3),
        ("a.yaml", "a: 1\nb: c: d\n", 2),
        ("a.yaml", "a: \x01\n", 1),
        ("script", "#!/bin/bash\nif true; then\necho\n", 4),
    ],
)
def test_an_error_is_told_with_its_line(path, text, line):
    first = problems(path, text)[0]
    assert first.startswith(f"line {line}: ")
    assert "\n" not in first


def test_a_missing_piece_is_named():
    assert problems("a.java", "class A { int f() { return 1 } }\n") == ["line 1: ';' is missing"]


def test_where_macros_may_be_to_blame_it_is_said():
    assert problems("a.c", "int f() { return 1 }\n") == [
        "line 1: ';' is missing, or a macro that the parser cannot expand"
    ]


UNSURE = "SELECT 1;\nFOO BAR BAZ ((;\nCREATE TABLE a (b INT);\n"


def test_a_grammar_that_stumbles_over_correct_code_raises_no_alarm():
    assert problems("a.sql", UNSURE) == []
    assert unread_lines("a.sql", UNSURE) == ["2"]
    assert unread_lines("a.py", "def") == []


@pytest.mark.parametrize("text", ["(" * 20_000, "x = " + "[" * 20_000])
def test_python_nested_too_deeply_for_every_parser_is_an_error(text):
    assert problems("a.py", text)[0].startswith("line 1: ")


def test_there_are_never_too_many():
    assert 0 < len(problems("a.js", "let = ;\n)\n" * 50)) <= MOST_PROBLEMS


@pytest.mark.parametrize("path", ["a.py", "a.js", "a.json", "a.toml", "a.yaml"])
@pytest.mark.parametrize("text", ["[" * 50_000, "(" * 50_000, "\udcff", "x = " + "-" * 50_000 + "1"])
def test_hostile_text_is_survived(path, text):
    assert len(problems(path, text)) <= MOST_PROBLEMS


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
@settings(max_examples=50)
def test_what_a_writer_writes_has_no_problems(value):
    assert problems("a.json", json.dumps(value)) == []
    assert problems("a.yaml", yaml.safe_dump(value)) == []
    assert problems("a.py", f"value = {value!r}\n") == []
