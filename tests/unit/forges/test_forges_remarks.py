from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from codeflow.forges.diffs import FileDiff, parse_hunks
from codeflow.forges.remarks import Claim, Posted, Remark, compare, mark_of, marked, place, unmarked

DIFF = FileDiff("x", "old", parse_hunks("@@ -1,3 +1,4 @@\n one\n+two\n three\n+two"))
AT_TWO = Claim(path="x", line=2, kind="style")


def test_a_claim_goes_to_the_lines_of_its_suggestion_else_to_its_own_else_nowhere():
    both = replace(AT_TWO, replaces=(1, 2))
    too_long = replace(AT_TWO, replaces=(2, 9))
    first, second, third, fourth = place(
        [both, too_long, replace(AT_TWO, line=9), replace(AT_TWO, path="y")], {"x": DIFF}
    )
    assert first
    assert (first.first, first.last, first.fits, first.old_path, first.old_line) == (1, 2, True, "old", None)
    assert second
    assert (second.first, second.last, second.fits) == (2, 2, False)
    assert (third, fourth) == (None, None)


def test_the_same_text_twice_has_two_keys():
    keys = [at.key for at in place([AT_TWO, replace(AT_TWO, line=4)], {"x": DIFF}) if at]
    assert len(set(keys)) == 2


@given(st.text())
def test_a_mark_is_found_again_and_taken_off(body):
    text = marked(body, "ab12-1")
    assert mark_of(text) == "ab12-1"
    assert mark_of(text.replace("\n", "\r\n")) == "ab12-1"
    assert mark_of(unmarked(text)) is None or mark_of(body) is not None


CLAIMS = st.lists(
    st.builds(Claim, path=st.just("x"), line=st.integers(1, 5), kind=st.sampled_from("ab")), max_size=6
)


def _remarks(claims):
    return [Remark(place=at, body=f"{n}") for n, at in enumerate(place(claims, {"x": DIFF})) if at]


@given(CLAIMS, CLAIMS, st.booleans())
def test_after_the_changes_every_wanted_remark_is_there_once(before, now, complete):
    posted = [
        Posted(
            id=str(n), key=one.place.key, path="x", line=one.place.last, body=marked(one.body, one.place.key)
        )
        for n, one in enumerate(_remarks(before))
    ]
    wanted = _remarks(now)
    changes = compare(wanted, posted, complete=complete)
    gone = {one.id for one in changes.gone}
    edited = {one.id: body for one, body in changes.edited}
    there = [edited.get(one.id, one.body) for one in posted if one.id not in gone]
    there += [marked(one.body, one.place.key) for one in changes.new]
    for remark in wanted:
        assert there.count(marked(remark.body, remark.place.key)) == 1
    if complete:
        assert len(there) == len(wanted)
    again = [replace(one, line=one.line) for one in posted if one.id not in gone and one.id not in edited]
    assert not set(edited) & gone
    assert len(again) + len(edited) + len(gone) == len(posted)
