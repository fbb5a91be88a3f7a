"""YAML files that people write: what is wrong with one is said with its line, in words that help."""

import pytest
from pydantic import BaseModel, ConfigDict

from codeflow.core.errors import UsageError
from codeflow.core.yaml_files import read_yaml


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    names: tuple[str, ...] = ()
    text: str = ""


class Whole(BaseModel):
    parts: dict[str, Part]


def read(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    return read_yaml(path, "Correct it.").model(Whole, "Correct it.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parts:\n  a: {text: x}\n  b: {}\n  a: {}\n", "a.yaml:4: a: is there twice, first on line 2"),
        ("parts: {}\nparts: {}\n", "a.yaml:2: parts: is there twice, first on line 1"),
        ("parts:\n  a:\n    - {x: 1,\n       x: 2}\n", "a.yaml:4: x: is there twice, first on line 3"),
        ("parts: {a: {'text': x, text: y}}\n", "a.yaml:1: text: is there twice"),
        ("", "a.yaml:1: there is nothing in it"),
        ("# only a comment\n", "a.yaml:1: there is nothing in it"),
        ("- a\n", "a.yaml:1: has to be a table"),
        ("parts:\n", "a.yaml:1: parts: has to be a table"),
        ("other: 1\n", "a.yaml:1: parts: is missing"),
        (
            "parts:\n  a: {}\n  on: {}\n",
            "a.yaml:3: parts.on: YAML reads this key as true; put it into quotes",
        ),
        ("parts:\n  a:\n    names: b\n", "a.yaml:3: parts.a.names: has to be a list: [b]"),
        ("parts:\n  a:\n    names: {b: c}\n", "a.yaml:3: parts.a.names: has to be a list, such as [a, b]"),
        ("parts:\n  a:\n    text: 5\n", "a.yaml:3: parts.a.text: has to be text; put it into quotes"),
        ("parts:\n  a: {names: [yes]}\n", "a.yaml:2: parts.a.names.0: has to be text; put it into quotes"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, text, said):
    with pytest.raises(UsageError) as raised:
        read(tmp_path, text)
    assert said in str(raised.value)


def test_a_key_again_in_another_table_and_what_is_merged_in_are_no_repetition(tmp_path):
    text = "x: &common {text: a}\nparts:\n  a: {<<: *common, text: b}\n  b: *common\n"
    parts = read(tmp_path, text).parts
    assert (parts["a"].text, parts["b"].text) == ("b", "a")


def test_a_file_that_holds_itself_is_read_to_its_end(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &x {b: *x}\n")
    assert set(read_yaml(path, "").data) == {"a"}
