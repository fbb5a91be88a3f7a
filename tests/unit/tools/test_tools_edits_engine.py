import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeflow.tools.edits import engine
from codeflow.tools.edits.ladder import Edit
from codeflow.tools.tool import Mistake


def apply(content: str, old: str, new: str, problems: tuple[str, ...] = ()) -> str:
    newline = "\r\n" if "\r\n" in content else "\n"
    return engine.apply(content, Edit(old, new), newline, lambda before, after: problems)


CODE = """class A:
    def f(self, x):
        '''Say "f".'''
        y = x - 1

        return y


class B:
    pass
"""
WANTED = CODE.replace("y = x - 1", "y = x - 2\n        z = y - 1")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("        y = x - 1\n", "        y = x - 2\n        z = y - 1\n"),
        ("    y = x - 1\n\n    return y\n", "    y = x - 2\n    z = y - 1\n\n    return y\n"),
        (
            "    def f(self, x):  \n        '''Say \"f\".'''  \n        y = x - 1  \n",
            "    def f(self, x):  \n        '''Say \"f\".'''  \n        y = x - 2  \n        z = y - 1  \n",
        ),
        (
            "\tdef f(self, x):\n\t\t'''Say \"f\".'''\n\t\ty = x - 1\n",
            "\tdef f(self, x):\n\t\t'''Say \"f\".'''\n\t\ty = x - 2\n\t\tz = y - 1\n",
        ),
        ("        y = x \u2013 1\n", "        y = x \u2013 2\n        z = y \u2013 1\n"),
        (
            "class A:\n    ...\n        y = x - 1\n\n        return y\n",
            "class A:\n    ...\n        y = x - 2\n        z = y - 1\n\n        return y\n",
        ),
        ("```python\n        y = x - 1\n```", "```python\n        y = x - 2\n        z = y - 1\n```"),
        ("    4\t        y = x - 1\n", "    4\t        y = x - 2\n    5\t        z = y - 1\n"),
        (
            "        '''Say \\\"f\\\".'''\\n        y = x - 1\\n",
            "        '''Say \\\"f\\\".'''\\n        y = x - 2\\n        z = y - 1\\n",
        ),
        (
            "        '''Say &quot;f&quot;.'''\n        y = x - 1\n",
            "        '''Say &quot;f&quot;.'''\n        y = x - 2\n        z = y - 1\n",
        ),
        (
            "class A:\n    def f(self, x, old):\n        '''Say \"f\".'''\n        y = x - 1\n\n        return y\n",
            "class A:\n    def f(self, x, old):\n        '''Say \"f\".'''\n        y = x - 2\n        z = y - 1\n\n        return y\n",
        ),
    ],
    ids=[
        "exact",
        "dedented",
        "trailing",
        "tabs",
        "dashes",
        "elided",
        "fence",
        "numbers",
        "escapes",
        "entities",
        "stale",
    ],
)
def test_damage_that_leaves_one_meaning_is_undone(old: str, new: str):
    assert apply(CODE, old, new) == WANTED


def test_blank_lines_that_differ_do_not_hide_the_place():
    assert apply("a = 1\n\n\nb = 2\nc = 3\n", "a = 1\nb = 2\nc = 3\n", "a = 1\nb = 2\nc = 4\n") == (
        "a = 1\n\n\nb = 2\nc = 4\n"
    )


@pytest.mark.parametrize(
    ("content", "old", "new", "cause"),
    [
        ("  a\n    a\n", "a", "b", "occurs 2 times, at lines 1, 2"),
        ("  a\n    a\n", "a\n", "b\n", "occurs 2 times"),
        ("if x:\n        a\n    b\n", "if x:\n    a\n    b\n", "if x:\n    c\n    b\n", "unevenly"),
        ("    a(1)\n    b\n", " a(1)\n", " a(2)\n   c\n", "how deep the added lines go"),
        ('x = \u201ca\u201d "b"\n', 'x = "a" "b"\n', 'x = "a" + "c" "b"\n', "copy"),
        ("a\nb\nc\n", "a\nb\nc\n", "a\n# ... rest unchanged ...\n", "would delete what it stands for"),
        ("def f():\n    a\n    b\n", "def f():\n    a\n    b\n", "def f():\n    ...\n", "would delete"),
        ("a\nb\n", "a\n", "```\nc\n```", "is wrapped in a code fence"),
        ("a\nb\n", "a\nb\n", "1\ta\n2\tc\n", "has line numbers"),
        ("a\nb\n", "a\nb\n", "a\\nc\\n", "has escaped line breaks"),
        ("a\n\nb\nc\n", "a\nb\nc\n", "a\nx\nb\nc\n", "blank lines"),
        ("a\nb\n", "a", "c\n", "End both the same way"),
        ("    a\n", "a", "b\nc", "begins after the indentation"),
        ("    a\n    b\n", "    a\n", "c\n", "indented otherwise"),
        ("a = 1\n", "a = 2\n", "a = 1\n", "is it done already?"),
        ("a = 1\n\nb = 2\n", "a = 1\n", "a = 1\n\nb = 2\n", "at line 1, and old_text is a part of it"),
        ("x\n  a = 1\n\n  b = 2\n", "  a = 1\n", "  a = 1\n\n  b = 2\n", "at line 2, and old_text is a part"),
        ("  x\n  a = 1\n\n  b = 2\n", "x\na = 1\n", "x\na = 1\n\nb = 2\n", "is it done already?"),
        ("a = 1\n\nb = 2\n", "a = 1\n\n", "a = 1\n\nb = 2\n\n", "is it done already?"),
        ("b = 2\nc = 3\na = 1\n", "a = 1\n", "b = 2\nc = 3\na = 1\n", "is it done already?"),
        ("f(a, b)\n", "f(a", "f(a, b", "is it done already?"),
        ("a\nx\nb\n\nc = 3\nd\n", "a\n...\nb\n", "a\n...\nb\n\nc = 3\nd\n", "is it done already?"),
        (
            "def compute(total):\n    return total\n",
            "def compute(totals):\n    return totals\n",
            "x",
            "line 1 on",
        ),
        ("a\nb\n", " \n", "x", "old_text is empty"),
        ("a\n", "a", "a", "the same"),
        ("a\nx\nb\nb\n", "a\n...\nb\n", "a\n...\nc\n", "occurs 2 times"),
        ("a\nx\nb\n", "a\n...\nb\n", "a\nb\n", "do not leave out the same lines"),
        (
            "def f():\n    a\ndef g():\n    b\n",
            "def f():\n...\n    b\n",
            "def f():\n...\n    c\n",
            "different blocks",
        ),
    ],
)
def test_what_is_not_certain_is_refused_with_its_cause(content: str, old: str, new: str, cause: str):
    with pytest.raises(Mistake) as refusal:
        apply(content, old, new)
    assert cause.casefold() in str(refusal.value).casefold()


@pytest.mark.parametrize(
    ("content", "old", "new", "wanted"),
    [
        ("a = 1\nb = 2\nc = 3\n", "b = 2\nc = 3\n", "b = 2\nb = 2\nc = 3\n", "a = 1\nb = 2\nb = 2\nc = 3\n"),
        (
            "import os\nimport requests\n",
            "import os",
            "import os\nimport re",
            "import os\nimport re\nimport requests\n",
        ),
        (
            "import os\nimport requests\n",
            "import os\n",
            "import os\nimport re\n",
            "import os\nimport re\nimport requests\n",
        ),
        ("f(self, user_id)\n", "f(self", "f(self, user", "f(self, user, user_id)\n"),
        ("a\n\nb\n", "a\n\nb\n", "a\n\n\nb\n", "a\n\n\nb\n"),
    ],
    ids=[
        "its surroundings say so",
        "the beginning of a line",
        "the same, whole lines",
        "of a word",
        "a blank line",
    ],
)
def test_what_only_looks_like_the_new_text_does_not_hinder_it(content: str, old: str, new: str, wanted: str):
    assert apply(content, old, new) == wanted


@pytest.mark.parametrize(
    ("content", "old", "new", "wanted"),
    [
        ("f(a,  b)\nx = 1\ny\n", "f(a, b)\nx = 1\ny\n", "f(a, b)\nx = 2\ny\n", "f(a,  b)\nx = 2\ny\n"),
        ("    a\n    b\n", "a\nb\n", "    a\n    c\n", "    a\n    c\n"),
        (
            "    a\n    b\n    c\n",
            "    a\n       b\n    c\n",
            "    a\n    b\n    d\n",
            "    a\n    b\n    d\n",
        ),
        (
            "    a\n        b\n    c\n    d\n",
            "    a\n    b\n    c\n    d\n",
            "    a\n    b\n    c\n    e\n",
            "    a\n        b\n    c\n    e\n",
        ),
        ("x\n    a\n    b\n", "a\n    b", "    a\n    c\n    b\n", "x\n    a\n    c\n    b\n"),
        ("one 2\nkept\nthree\n", "one 1\nkept\nthree\n", "one 2\nkept\nfour\n", "one 2\nkept\nfour\n"),
        ("    a\n]\n", "5→    a\n6→]\n", "5→    a\n6→]\n7→    b\n", "    a\n]\n    b\n"),
        ("a1\nb1\nc1\nd1\n", "a1\nc1\nb1\nd1\n", "a1\nb1\nc1\nd2\n", "a1\nb1\nc1\nd2\n"),
        ("        a\n    b\n", "    a\n    b\n", "    a\n    c\n", "        a\n    c\n"),
        ("    b\n        a\n", "b\n    a\n", "    c\n        a\n", "    c\n        a\n"),
        ("a\nif b:\n    c\n", "a\nif b:\n      c\n", "a\nif b:\n    c\n    d\n", "a\nif b:\n    c\n    d\n"),
        ("import b\nc\n", "   import b\nc\n", "import a\nimport b\nc\n", "import a\nimport b\nc\n"),
    ],
    ids=[
        "inner blanks",
        "old dedented",
        "crooked",
        "moved",
        "stripped",
        "half made",
        "arrows",
        "other order",
        "moved beside what is rewritten",
        "old dedented, the outermost line rewritten",
        "crooked below the margin",
        "crooked at the margin",
    ],
)
def test_what_three_sides_prove_is_applied(content: str, old: str, new: str, wanted: str):
    assert apply(content, old, new) == wanted


@pytest.mark.parametrize(
    ("content", "old", "new"),
    [
        ("f(a,  b)\ny\n", "f(a, b)\ny\n", "f(a, c)\ny\n"),
        ("    a\n        b\n", "    a\n    b\n", "    a\n    c\n    b\n"),
        ("one\nreturn two\n", "one\n", "one\nthree\nreturn two\n"),
        ("    a\n    b\n", "a\nb\n", "if x:\n    a\n    b\n"),
        ("one 2\nx\nc\none 1\n", "one 1\nx\nc\n", "one 2\nx\nd\n"),
        ("a1\nb1\nc1\nd1\n", "a1\nc1\nb1\nd1\n", "a1\nc1\nb1\nd2\n"),
        ("a1\nb1\nc1\nd1\n", "a1\nc1\nb1\nd1\n", "a1\nb2\nc1\nd1\n"),
        ("a\nb\nc\n\na\nb\nc\n", "b\na\nc\n", "a\nb\nd\n"),
        ("a\nb\n\nc\nd\n", "\na\nb\nc\nd\n", "\na\nb\n\nc\nd\n"),
        ("        a\n        b\n", "    a\n    b\n", "    with c:\n        a\n        b\n"),
        ("        a\n        b\n", "    a\n    b\n", "        a\n    c\n        b\n"),
        ("a\nif b:\n    c\n    e\n", "a\nif b:\n  c\n  e\n", "a\nif b:\n    c\n  d\n    e\n"),
        ("a\nif b:\n    c\n", "a\nif b:\n  c\n", "a\nif b:\n  if z:\n    c\n"),
    ],
    ids=[
        "blanks in the change",
        "moved beside the change",
        "line twice",
        "wrapped or straight",
        "half made or another",
        "another order is wanted",
        "a line out of order changes",
        "another order at two places",
        "a blank line that is there already",
        "wrapped in the depth of old",
        "added in the depth of old",
        "added as crooked",
        "wrapped in the crooked depth",
    ],
)
def test_what_three_sides_leave_open_is_refused(content: str, old: str, new: str):
    with pytest.raises(Mistake):
        apply(content, old, new)


@pytest.mark.parametrize("new", ["```python\na = 2\n```", "1\ta = 2\n2\tb = 2\n", 'a = \\"2\\"\\nb = 2\\n'])
def test_damage_to_new_text_alone_is_undone_only_where_nothing_else_parses(new: str):
    def introduced(before: str, after: str) -> list[str]:
        try:
            compile(after, "f", "exec")
        except SyntaxError as error:
            return [str(error)]
        return []

    edited = engine.apply("a = 1\nb = 2\n", Edit("a = 1\nb = 2\n", new), "\n", introduced)
    assert edited.startswith("a = ")
    assert edited.count("2") == edited.count("= ")
    with pytest.raises(Mistake, match="old_text is not"):
        apply("a = 1\nb = 2\n", "a = 1\nb = 2\n", new)


def test_escapes_in_new_text_alone_are_refused_when_the_file_would_not_parse():
    with pytest.raises(Mistake, match="would not parse: line 1"):
        apply("a = 1\n", "a = 1\n", 'a = \\"1\\"\n', ("line 1: bad",))
    assert apply("a = 1\n", "a = 1\n", 'a = "\\n"\n') == 'a = "\\n"\n'


def test_a_block_that_is_gone_is_not_taken_for_its_twin():
    twins = "def a():\n    one()\n    two()\n    gone()\n\ndef b():\n    one()\n    two()\n    three()\n"
    old = "def a():\n    one()\n    two()\n    three()\n"
    with pytest.raises(Mistake, match="is not in the file"):
        apply(twins, old, old.replace("three", "four"))


@pytest.mark.parametrize(
    "now",
    [
        "class A:\n    def run(self):\n        return 2\n\nclass B:\n    class I:\n        def run(self):\n            return 1\n",
        "class A:\n    def run(self, x):\n        return 1\n\nclass B:\n    class I:\n        def run(self):\n            return 1\n",
        "def run(self):\n    return 1\n\nclass A:\n    def run(self):\n        return 2\n",
    ],
    ids=["the body changed, twin deeper", "the head changed, twin deeper", "twin further out"],
)
def test_a_block_that_changed_is_not_taken_for_its_twin_at_another_depth(now: str):
    old = "    def run(self):\n        return 1\n"
    with pytest.raises(Mistake, match="at another depth only"):
        apply(now, old, old.replace("1", "10"))


def test_deleting_whole_lines_leaves_no_blank_line():
    assert apply("a\n  b\nc\n", "b", "") == "a\nc\n"


def test_a_stub_may_end_in_dots():
    assert apply(
        "class A:\n    x: int\n", "    x: int\n", "    x: int\n    def f(self):\n        ...\n"
    ).endswith("        ...\n")


LINE = st.sampled_from(["a", "  a", "\tb", "c  ", "", "d = 'x'", "\u2019", "\u2028", "...", "e\\n"])
LINES = st.lists(LINE, min_size=1, max_size=10)
ENDINGS = st.sampled_from(["\n", "\r\n"])


def joined(lines: list[str], ending: str, *, open_end: bool) -> str:
    text = "".join(line + ending for line in lines)
    return text.removesuffix(ending) if open_end else text


@given(lines=LINES, added=LINES, ending=ENDINGS, open_end=st.booleans(), data=st.data())
def test_an_edit_changes_only_its_lines_and_its_inverse_restores_them(
    lines: list[str], added: list[str], ending: str, open_end: bool, data: st.DataObject
):
    at = data.draw(st.integers(0, len(lines)))
    marked = [*lines[:at], "MARK one", "MARK two", *lines[at:]]
    content = joined(marked, ending, open_end=open_end)
    old, new = "MARK one\nMARK two\n", "\n".join(["MARK one", *added, "MARK three"]) + "\n"
    try:
        edited = apply(content, old, new)
    except Mistake:
        return
    assert edited == joined(
        [*lines[:at], "MARK one", *added, "MARK three", *lines[at:]], ending, open_end=open_end
    )
    assert apply(edited, new, old) == content


@given(lines=LINES, old=LINES, new=LINES, ending=ENDINGS, open_end=st.booleans())
def test_whatever_is_asked_lines_outside_the_changes_keep_their_bytes(
    lines: list[str], old: list[str], new: list[str], ending: str, open_end: bool
):
    before = joined(lines, ending, open_end=open_end)
    content = joined(["FIRST"], ending, open_end=False) + before + ("" if open_end else f"LAST{ending}")
    try:
        edited = apply(content, "\n".join(old) + "\n", "\n".join(new) + "\n")
    except Mistake:
        return
    assert edited != content
    assert edited.startswith("FIRST")
    assert open_end or edited.endswith(f"LAST{ending}")
