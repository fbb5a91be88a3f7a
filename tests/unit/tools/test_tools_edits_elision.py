"""Markers of left-out code are told from spreads and remarks."""

from functools import partial

import pytest

from codeflow.syntax.problems import problems
from codeflow.tools.edits import engine
from codeflow.tools.edits.changeset import new_problems
from codeflow.tools.edits.ladder import Edit
from codeflow.tools.tool import Mistake


def apply(content: str, old: str, new: str) -> str:
    return engine.apply(content, Edit(old, new), "\n", lambda before, after: ())


def parsed_as(path: str):
    return partial(new_problems, problems, path)


@pytest.mark.parametrize(
    "line", ["...rest,", "...existing,", "...other", "...previous.a,", "...(same ?? {}),"]
)
@pytest.mark.parametrize("path", ["f.js", "f.ts", "f.tsx"])
def test_a_line_that_spreads_a_value_stands_for_nothing(path: str, line: str):
    content = "const a = {\n  b: 1,\n};\n"
    edit = Edit("  b: 1,\n", f"  b: 1,\n  {line}\n")
    assert engine.apply(content, edit, "\n", parsed_as(path)) == f"const a = {{\n  b: 1,\n  {line}\n}};\n"


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("f.ts", "function f(a) {", "function f(\n  a,\n  ...rest\n) {"),
        ("f.vue", "const { a } = props;", "const {\n  a,\n  ...rest\n} = props;"),
        ("f.svelte", "let { a } = props;", "let {\n  a,\n  ...other } = props;"),
        ("f.ts", "function f(a) {\n", "function f(a) {\n  const b = {\n    ...rest,\n"),
        ("f.ts", "function f(a) {\n", "function f(a) {\n  // Existing users are migrated here\n"),
        ("f.ts", "function f(a) {\n", "function f(a) {\n  // remaining bytes are the same\n"),
    ],
)
def test_what_only_sounds_like_a_marker_is_written(path: str, old: str, new: str):
    content = f"{old.strip()}\n}}\n"
    assert engine.apply(content, Edit(old, new), "\n", parsed_as(path)) == f"{new.strip()}\n}}\n"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("f.js", "...rest of code"),
        ("f.js", "...rest"),
        ("f.py", "...rest"),
        ("f.txt", "...rest of the list"),
        ("f.vue", "...rest"),
    ],
)
def test_dots_right_before_a_word_are_a_marker_where_nothing_spreads(path: str, line: str):
    with pytest.raises(Mistake, match="would delete what it stands for"):
        engine.apply("a();\nb();\nc();\n", Edit("b();\nc();\n", f"b();\n{line}\n"), "\n", parsed_as(path))


MIDDLE = "def f():\n    a()\n    b()\n    c()\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    a()\n    ...\n", "    if q:\n        a()\n        ...\n"),
        ("    a()\n    ...\n    c()\n", "    for x in y:\n        a()\n        ...\n    c()\n"),
        ("    a()\n    ...\n    c()\n", "    if q:\n        a()\n        ...\n        c()\n"),
        ("    a()\n...\n    c()\n", "    if q:\n        a()\n...\n        c()\n"),
        ("def f():\n    a()\n    ...\n    c()\n", "a()\n...\nc()\n"),
    ],
)
def test_what_is_left_out_between_lines_that_move_is_wanted_in_full(old: str, new: str):
    with pytest.raises(Mistake, match="do not leave out the same lines"):
        apply(MIDDLE, old, new)


def test_what_is_left_out_stays_where_its_dots_stay():
    wrapped = apply(MIDDLE, "    a()\n    ...\n    c()\n", "    if q:\n        a()\n    ...\n    c()\n")
    assert wrapped == "def f():\n    if q:\n        a()\n    b()\n    c()\n"


CALLS = "function f() {\n" + "".join(f"  line{n}();\n" for n in range(12)) + "}\n"
LIKELY = [
    "// existing code",
    "// remaining code",
    "// rest of the function",
    "// Rest of your code",
    "// ... 10 more lines",
    "// ... (keep the rest) ...",
    "// [...]",
    "// (omitted)",
    "// code omitted for brevity",
    "// as above",
    "// snip",
    "// lines 3-12 stay the same",
    "// other users unchanged",
    "// Keep everything else",
    "// no changes here",
    "{/* existing JSX */}",
    "<!-- existing items -->",
    "# ---- rest of file ----",
    "[...]",
    "(...)",
    "[rest of document unchanged]",
    "*(rest of the document remains the same)*",
    "_(unchanged)_",
]


@pytest.mark.parametrize("line", LIKELY)
def test_what_can_be_a_marker_is_one_where_code_would_go(line: str):
    less = f"function f() {{\n  line0();\n  added();\n  {line}\n}}\n"
    with pytest.raises(Mistake, match="would delete what it stands for"):
        apply(CALLS, CALLS, less)
    more = CALLS.replace("  line3();\n", f"  line3();\n  {line}\n")
    assert apply(CALLS, CALLS, more) == more
    stands = f"{CALLS}  {line}\n"
    assert apply(stands, CALLS, less) == f"{less}  {line}\n"


@pytest.mark.parametrize(
    "line",
    [
        "// The existing users are migrated",
        "// Other",
        "// Original code by Ann",
        "// See above",
        "## Remaining work",
        "[existing, other]",
        "[...rest, other]",
        "rest(of, items)",
        "// fall through",
        "// omitted where the user has none",
    ],
)
def test_a_remark_in_shorter_code_is_written(line: str):
    less = f"function f() {{\n  line0();\n  {line}\n}}\n"
    assert apply(CALLS, CALLS, less) == less


def test_a_comment_may_give_way_to_another():
    assert (
        apply("a()\n# Left items\nb()\n", "# Left items\n", "# Remaining items\n")
        == "a()\n# Remaining items\nb()\n"
    )
