import io
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from rich.console import Console

from codeflow.cli.render.markdown import Blocks, Stream, show_markdown

SAID = """\
# What I found

The `parse` function in [calc](https://example.com/calc) drops the **last** item:

1. it counts from one

   and stops too early
2. nobody noticed

```python
def parse(text):

    return text.split()[:-1]
```
Done.
"""
LINES = st.lists(
    st.sampled_from(
        ["", "text", "- item", "  more", "```", "~~~", "```python", "    code", "# head", "| a | b |"]
    )
).map("\n".join)


def in_pieces(text: str, cuts: list[int]) -> list[str]:
    ends = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    return [text[a:b] for a, b in pairwise(ends)]


def blocks_of(pieces: list[str]) -> list[str]:
    blocks = Blocks()
    return [*(block for piece in pieces for block in blocks.feed(piece)), *blocks.finish()]


@given(LINES, st.lists(st.integers(0, 200)))
def test_how_a_text_came_changes_nothing_and_nothing_is_lost(text, cuts):
    blocks = blocks_of(in_pieces(text, cuts))
    assert blocks == blocks_of([text])
    said = [line for line in text.split("\n") if line.strip() and not line.startswith(("```", "~~~"))]
    shown = [line for block in blocks for line in block.split("\n") if line.strip()]
    assert [line for line in shown if not line.startswith(("```", "~~~"))] == said


def test_blocks_are_cut_where_they_end():
    assert blocks_of([SAID]) == snapshot(
        [
            "# What I found\n",
            """\
The `parse` function in [calc](https://example.com/calc) drops the **last** item:
""",
            """\
1. it counts from one

   and stops too early
2. nobody noticed
""",
            """\
```python
def parse(text):

    return text.split()[:-1]
```""",
            "Done.",
        ]
    )


def test_long_code_is_shown_while_it_goes_on():
    blocks = Blocks()
    lines = [f"x{number} = 1" for number in range(100)]
    begun = [*blocks.feed("```python\n" + "\n".join(lines))]
    assert len(begun) == 2
    assert all(block.startswith("```python\n") and block.endswith("\n```") for block in begun)
    whole = [*begun, *blocks.feed("\n```\n"), *blocks.finish()]
    assert [line for block in whole for line in block.split("\n") if "=" in line] == lines


@pytest.mark.parametrize("terminal", ["xterm-256color", "dumb"])
def test_a_terminal_gets_it_rendered_and_a_dumb_one_as_it_was_written(terminal):
    paper = io.StringIO()
    console = Console(file=paper, width=60, force_terminal=True, no_color=True, _environ={"TERM": terminal})
    show_markdown(console, SAID + "\x1b]0;title\x07\u202e")
    shown = paper.getvalue()
    assert "\x1b]0" not in shown
    assert "\u202e" not in shown
    if terminal == "dumb":
        assert shown == SAID
    else:
        assert "calc (\x1b[4mhttps://example.com/calc" in shown
        assert "**" not in shown
        assert "\x1b]8" not in shown, "a link says where it leads"


def test_what_stands_in_angle_brackets_is_shown():
    said = (
        "Use List<String>, the <Button> tag and <details>\n\n<details><summary>Sum</summary> words</details>"
    )
    paper = io.StringIO()
    show_markdown(Console(file=paper, width=80, force_terminal=True, _environ={"TERM": "xterm"}), said)
    shown = re.sub(r"\x1b\[[\d;]*m", "", paper.getvalue())
    assert shown.split() == said.replace("```", "").split()


PIECES = st.sampled_from(
    ["<b>", "</b>", "<!--", "-->", "[", "]", "(", ")", "]: ", "](", "`", "*", "**", "_", "#", "- ", "> ", "| ", "|--|", "\n", "\n\n", "    ", "&", "~~", "1. ", "!["]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30))
def test_no_word_of_an_answer_is_left_out(pieces):
    said = "".join(f"{piece}word{number}z " for number, piece in enumerate(pieces))
    paper = io.StringIO()
    show_markdown(Console(file=paper, width=4_000, force_terminal=True, _environ={"TERM": "dumb-not"}), said)
    shown = re.sub(r"\x1b\[[\d;]*m", "", paper.getvalue())
    assert sorted(re.findall(r"word\d+z", shown)) == sorted(re.findall(r"word\d+z", said))


def test_a_stream_shows_whole_blocks_without_credentials():
    paper = io.StringIO()
    stream = Stream(Console(file=paper, width=60), lambda text: text.replace("secret", "[redacted]"))
    for piece in ("The key is sec", "ret.\n", "\nAnd", " more"):
        stream.feed(piece)
    assert paper.getvalue() == "The key is [redacted].\n\n"
    stream.finish()
    assert paper.getvalue().endswith("And more\n\n")
    assert stream.text.startswith("The key")
