import difflib

from hypothesis import given
from hypothesis import strategies as st

from codeflow.forges.diffs import FileDiff, parse_hunks

LINES = st.lists(st.sampled_from(["a", "b", "", "+x", "-y", "@@ -1 +1 @@", "c d"]), max_size=30)


@given(LINES, LINES)
def test_a_hunk_shows_the_lines_of_the_new_file_under_their_numbers(before, after):
    patch = "\n".join(difflib.unified_diff(before, after, "a/x", "b/x", lineterm=""))
    shown = {number: line for hunk in parse_hunks(patch) for number, line in hunk.items()}
    for number, line in shown.items():
        assert after[number - 1] == line.text
        assert line.old is None or before[line.old - 1] == line.text
    matches = difflib.SequenceMatcher(None, before, after).get_opcodes()
    changed = {at + 1 for kind, _, _, first, end in matches if kind != "equal" for at in range(first, end)}
    assert changed <= set(shown)


def test_lines_count_as_shown_only_where_one_hunk_has_all_of_them():
    diff = FileDiff(
        "x", "x", parse_hunks("@@ -1,2 +1,2 @@\n a\n+b\n-c\n@@ -9 +9 @@\n+z\n\\ No newline at end of file")
    )
    assert [line.text for line in diff.shown(1, 2) or ()] == ["a", "b"]
    assert diff.shown(2, 9) is None
    assert diff.shown(9, 9) is not None
    assert diff.shown(9, 8) is None
    assert diff.shown(3, 3) is None
